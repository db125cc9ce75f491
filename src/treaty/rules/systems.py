"""Rules on systems and their streams, and on what their connectors need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treaty.errors import TreatyError
from treaty.project.declarations import System
from treaty.project.findings import Finding, Position, suggest
from treaty.project.overlays import uses_placeholder
from treaty.rules.interface import STANDARD, CheckedProject, Rule

if TYPE_CHECKING:
    from treaty.connectors.interface import Connector

REFERENCE = re.compile(r"^(env|file|keyring):.+$", re.DOTALL)
SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)?|pwd|secret|token|credentials?|authorization|(api|access|private|account)[-_]?key)$")


def connector_of(kind: str) -> Connector | None:
    """Return an installed connector by its kind, or None; nothing is opened."""
    from treaty.connectors.registry import list_connectors, load_connector

    if kind not in list_connectors():
        return None
    try:
        return load_connector(kind)
    except TreatyError:
        return None


class DeletesWithoutKey(Rule):
    """A stream that tells deletes, of records that cannot be told apart."""

    code = "deletes-without-key"
    title = "A stream tells deletes and has no key"
    why = "Without a key nothing says which record is gone."
    remedy = "Add 'key:', or write 'deletes: none'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for system, name, stream in checked.streams():
            if stream.deletes.mode != "none" and not stream.key:
                yield self.finding(f"{system.name}/{name} has no key", stream.at("deletes"))


class TombstoneWithoutCondition(Rule):
    """Tombstones that nothing tells from other records."""

    code = "tombstone-without-condition"
    title = "Nothing tells a tombstone from other records"
    why = "Deletes would never be seen."
    remedy = "Write 'deletes: {tombstone: {when: \"source('deleted') = 'true'\"}}'."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for system, name, stream in checked.streams():
            if stream.deletes.mode == "tombstone" and not stream.deletes.when:
                yield self.finding(f"{system.name}/{name} has tombstones without 'when'", stream.at("deletes"))


class SharedSystemNotTold(Rule):
    """A shared system whose records cannot be told apart by client, or a client's cell where there is nothing to tell apart."""

    code = "shared-system"
    title = "Nothing tells which client a record of a shared system is of"
    why = "Each client would land the records of all others, or none at all."
    remedy = "Declare the system once, with `shared: true`, and write `client:` for each stream that is read: the cell that names the client."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        several = len(checked.project.overlays) > 1
        for view, system in checked.systems():
            if system.shared and view.client != STANDARD:
                yield self.finding(f"{view.client} has {system.name} of its own, which is shared by clients", system.at("shared"), _OF_ALL)
            elif system.shared and uses_placeholder(system):
                yield self.finding(f"{system.name} is shared by clients and has one of its own for each", system.at("shared"), _OF_EACH)
            for name, stream in system.streams.items():
                if stream.client is not None and not system.shared:
                    yield self.finding(f"{system.name}/{name} says by record which client it is of, and {system.name} is not shared", stream.at("client"))
                if system.shared and several and stream.client is None and stream.read and not stream.reference:
                    yield self.finding(f"nothing tells which client a record of {system.name}/{name} is of", stream.at("read"))


_OF_ALL = "Change it in the standard, for all of its clients, or give this client a system of another name."
_OF_EACH = "Leave out `shared: true` where each client has a file or table of its own, or name the client in a cell and leave out `{client}`."


class UnknownZone(Rule):
    """A time zone that the IANA database does not have."""

    code = "unknown-zone"
    title = "A time zone is not in the IANA database"
    why = "A local time without a zone cannot become an instant."
    remedy = "Write a name such as Europe/Berlin."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, _, stream in checked.streams():
            if stream.zone is not None and not _is_zone(stream.zone):
                from zoneinfo import available_timezones

                yield self.finding(
                    f"there is no time zone {stream.zone!r}", stream.at("zone"), suggest(stream.zone, available_timezones(), self.remedy)
                )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


class UnknownConnector(Rule):
    """A kind of connector that is not installed."""

    code = "unknown-connector"
    title = "A kind of connector is not installed"
    why = "Nothing can be read from the system or sent to it."
    remedy = "Install the package that brings it, or correct the name."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        from treaty.connectors.registry import list_connectors

        known = list_connectors()
        for _, system in checked.systems():
            if system.connector not in known:
                yield self.finding(
                    f"there is no connector {system.connector!r}", system.at("connector"), suggest(system.connector, known, self.remedy)
                )


class ConnectorSetting(Rule):
    """A setting that a connector does not understand."""

    code = "connector-setting"
    title = "A connector does not understand a setting"
    why = "It would stop the run when the system is opened."
    remedy = "See the manual's page on the connector."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        from treaty.connectors.formats.interface import read_settings

        for _, system in checked.systems():
            connector = connector_of(system.connector)
            if connector is None:
                continue
            yield from self.settings(connector.connection, system.connection, system, "connection")
            for name, stream in system.streams.items():
                for declaration, values, place in ((read_settings(connector, stream.format), stream.read, "read"), (connector.write, stream.write, "write")):
                    if values and declaration is None:
                        message = f"the connector {system.connector!r} has no '{place}' settings"
                        yield self.finding(message, system.at(f"streams.{name}.{place}"), "Remove them.")
                    elif values and declaration is not None:
                        yield from self.settings(declaration, values, system, f"streams.{name}.{place}")

    def settings(self, declaration: type, values: Mapping[str, Any], system: System, place: str) -> Iterator[Finding]:
        """Yield what the connector says against its settings; literal secrets are another rule's."""
        from treaty.connectors.configuration import check_configuration

        for problem in check_configuration(declaration, values):
            if not (problem.key in values and SECRET_NAME.search(problem.key)):
                path = f"{place}.{problem.key}" if problem.key in values else place
                yield self.finding(problem.message, system.at(path), problem.remedy)


class PlainSecret(Rule):
    """A secret written as a value."""

    code = "plain-secret"
    title = "A secret is written as a value"
    why = "Whoever reads the project, and its history in git, has it; packs and applied projects would carry it on."
    remedy = "Write a reference: env:NAME, file:/path or keyring:service/user. Then change the secret, for it has been seen."

    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        for _, system in checked.systems():
            yield from self.values(system.connection, system, "connection")
            for name, stream in system.streams.items():
                yield from self.values(stream.read, system, f"streams.{name}.read")
                yield from self.values(stream.write, system, f"streams.{name}.write")

    def values(self, values: Mapping[str, Any], system: System, place: str) -> Iterator[Finding]:
        """Yield a finding for each secret below a place that is no reference."""
        for key, value in values.items():
            if isinstance(value, Mapping):
                yield from self.values(value, system, f"{place}.{key}")
            elif value not in (None, "", True, False) and SECRET_NAME.search(str(key)) and not REFERENCE.match(str(value)):
                yield self.finding(f"{system.name}: {key!r} is written as a value", self.position(system, f"{place}.{key}"))

    def position(self, system: System, path: str) -> Position:
        """Return where a value stands."""
        return system.at(path)
