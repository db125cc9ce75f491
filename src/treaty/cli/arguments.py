"""Types of arguments that several verbs take."""

from __future__ import annotations

import argparse
from datetime import date


def day(text: str) -> date:
    """Read a day as ``2026-11-21``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as 2026-11-21") from None
