"""Types of arguments that several verbs take."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime


def day(text: str) -> date:
    """Read a day as ``2026-11-21``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as 2026-11-21") from None


def time(text: str) -> datetime:
    """Read a time as ``2026-11-21T14:00+01:00``; without an offset it is UTC, and a day alone is its beginning."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write it as 2026-11-21T14:00+01:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
