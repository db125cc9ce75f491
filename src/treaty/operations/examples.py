"""Runs the examples of decisions on the engine that production uses, without a lake."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from treaty.project.declarations import ClientProject, DecisionRecord, Limits
from treaty.rules.interface import ExampleFailure

if TYPE_CHECKING:
    import duckdb
