"""Settings of the process."""

from __future__ import annotations

import pytest

from treaty.errors import UsageError
from treaty.settings import RuntimeSettings


def test_a_setting_can_be_given_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``TREATY_THREADS`` sets the threads, and no other setting."""
    monkeypatch.setenv("TREATY_THREADS", "7")
    assert (7, RuntimeSettings().row_group_rows) == (RuntimeSettings.from_environment().threads, RuntimeSettings.from_environment().row_group_rows)


def test_a_value_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting and what it was given."""
    monkeypatch.setenv("TREATY_THREADS", "many")
    with pytest.raises(UsageError, match="TREATY_THREADS is 'many'"):
        RuntimeSettings.from_environment()
