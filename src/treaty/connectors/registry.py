"""Finds connectors by their entry points (group ``treaty.connectors``), ours and others' through the same door."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points

from treaty.connectors.interface import Connector, Sink, Site, Source
from treaty.errors import StopError
from treaty.project.declarations import System
from treaty.project.findings import suggest

GROUP = "treaty.connectors"


@functools.cache
def _found() -> dict[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=GROUP)}


def list_connectors() -> tuple[str, ...]:
    """Return the kinds of connectors that are installed; none is loaded for it."""
    return tuple(sorted(_found()))


def load_connector(kind: str) -> Connector:
    """Return a connector by its kind. Raises StopError where there is none, or where it cannot be loaded."""
    entry = _found().get(kind)
    if entry is None:
        raise StopError(f"there is no connector {kind!r}.", remedy=suggest(kind, _found(), "Install the package that brings it."))
    try:
        connector = entry.load()
    except ImportError as error:
        raise StopError(f"the connector {kind!r} cannot be loaded: {error}.", remedy="Install what it needs.") from error
    if not isinstance(connector, Connector):
        raise StopError(f"{entry.value} is not a Connector.", remedy="Let the entry point name an instance of treaty.connectors.interface.Connector.")
    return connector


def open_source(system: System, site: Site) -> Source:
    """Open a system for reading; `{client}` in its settings is replaced already. Raises StopError."""
    connector = load_connector(system.connector)
    if connector.open_source is None:
        raise StopError(f"systems/{system.name}: nothing can be read through the connector {system.connector!r}.", remedy="Use it for sinks only.")
    return connector.open_source(system, site)


def open_sink(system: System, site: Site) -> Sink:
    """Open a system for writing; `{client}` in its settings is replaced already. Raises StopError."""
    connector = load_connector(system.connector)
    if connector.open_sink is None:
        raise StopError(f"systems/{system.name}: nothing can be written through the connector {system.connector!r}.", remedy="Use it for sources only.")
    return connector.open_sink(system, site)
