"""``explain``: why a value is what it is, by running the path again from what landed; and why not, where there is none.

Contribution and golden tables are only read at the very end, to compare. See design.md, section 5, "Explain".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.compiler.types import Type, parse_type, type_of
from treaty.errors import UsageError
from treaty.lake.names import quote_text
from treaty.operations.applied import AppliedProject, open_applied
from treaty.operations.explaining.contributing import ContributionMaker, reading_mapping
from treaty.operations.explaining.corrected import locate_corrected
from treaty.operations.explaining.delivered import delivery_steps
from treaty.operations.explaining.ending import end_at_sinks, end_of_empty, end_of_record, newer_in_quarantine
from treaty.operations.explaining.evaluating import Conformed
from treaty.operations.explaining.handing_over import not_handed_over
from treaty.operations.explaining.locating import LandedVersion, Located, candidates, did_you_mean, landed_keys, landed_versions, locate
from treaty.operations.explaining.relating import relationship_steps
from treaty.operations.explaining.steps import Step
from treaty.operations.explaining.stored import stored_record
from treaty.operations.explaining.surviving import Contribution, Survived, survive, survivorship_step
from treaty.operations.explaining.walking import FieldPath, field_named, parse_field
from treaty.operations.shapes import shape
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.declarations import ClientProject, DataContract
from treaty.project.findings import nearest
from treaty.project.overlays import SHARED, shared_project


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a value is what it is: the steps that lead to it, what is stored, whether that agrees, and where the chain ends.

    ``agrees`` is None where nothing stored could be read to compare with.
    """

    model: str
    key: str
    field: str | None
    client: str | None
    canonical_id: str | None
    value: Any
    stored: Any
    agrees: bool | None
    steps: tuple[Step, ...] = ()
    ends: str = ""

    @property
    def found(self) -> bool:
        """Whether there is such a record, canonical or not."""
        return self.canonical_id is not None or bool(self.steps)


def explain(
    model: str,
    key: str | None = None,
    field: str | None = None,
    *,
    project: Folder = None,
    environment: str | None = None,
    client: str | None = None,
    source: str | None = None,
) -> Explanation:
    """Explain a field of a golden record, or the record as a whole where no field is named.

    Args:
        key: a canonical id, or a business key with its parts joined by ``|``.
        field: ``phone``, ``lines``, ``lines.quantity``, or ``lines[2].quantity`` for the second element.
        source: ``system/stream/key`` instead of ``key``, for what never became canonical.

    Raises:
        UsageError: there is no such model, field or client, or the key means several records.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_ran()
    with workspace.open() as session:
        applied = open_applied(session)
        contract = _contract(applied, model)
        path = parse_field(contract, field) if field else None
        explainer = _Explainer(applied, contract, path, field, [client] if client else list(applied.clients), everyone=client is None)
        if source is not None:
            return explainer.of_source(source)
        if not key:
            raise UsageError("No record is named.", remedy="Give a key, or source='system/stream/key'.")
        return explainer.of_key(key)


def explain_fields(
    model: str, key: str, *, project: Folder = None, environment: str | None = None, client: str | None = None
) -> tuple[Explanation, ...]:
    """Explain every field of one golden record, with one look at its sources; see :func:`explain`."""
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    workspace.ensure_ran()
    with workspace.open() as session:
        applied = open_applied(session)
        contract = _contract(applied, model)
        explainer = _Explainer(applied, contract, None, None, [client] if client else list(applied.clients))
        return tuple(explainer.of_field(key, each.name) for each in contract.properties)


def _contract(applied: AppliedProject, model: str) -> DataContract:
    models = applied.project.models
    if model in models:
        return models[model]
    found = nearest(model, models)
    raise UsageError(f"There is no model {model!r}.", remedy=f"Did you mean {found!r}?" if found else f"Models: {', '.join(sorted(models)) or 'none'}.")


class _Explainer:
    """One question: which model, which field, of which clients."""

    def __init__(self, applied: AppliedProject, contract: DataContract, path: FieldPath | None, text: str | None, clients: Sequence[str], *, everyone: bool = False) -> None:
        self.applied = applied
        self.session = applied.session
        self.contract = contract
        self.model = contract.name
        self.path = path
        self.text = text
        self.clients = clients
        self.everyone = everyone  # what is of no client may be looked at too
        self.types: Mapping[str, Type] = {each.name: parse_type(type_of(each)) for each in contract.properties}
        self._located: dict[str, tuple[Located, ...]] = {}
        self._makers: dict[str, ContributionMaker] = {}
        self._made: dict[str, tuple[tuple[Contribution, ...], Survived | None, Mapping[str, Any] | None]] = {}

    # ---- which record

    def of_field(self, key: str, field: str) -> Explanation:
        """Explain another field of the record that a key means."""
        self.path, self.text = FieldPath(field), field
        return self.of_key(key)

    def of_key(self, key: str) -> Explanation:
        """Explain the golden record that a key means, or why there is none."""
        found = self._located.get(key)
        if found is None:
            found = self._located[key] = locate(self.session, self.clients, self.model, key) or self._corrected_to(key)
        if len(found) > 1:
            listed = "\n".join(f"  {each.canonical_id} of {each.client}: {', '.join(f'{m.name}/{m.source_key}' for m in each.members)}" for each in found)
            raise UsageError(f"{key!r} means {len(found)} records of {self.model}:\n{listed}", remedy="Name one by its id, or its client with --client.")
        if found:
            return self._golden(found[0], key)
        landed = list(self._landed_as(key))
        if len(landed) > 1:
            listed = "\n".join(f"  {each.system}/{each.stream}/{each.source_key} of {each.client}" for each in landed)
            raise UsageError(f"{key!r} means {len(landed)} landed records:\n{listed}", remedy="Name one with --source, or its client with --client.")
        if landed:
            return self._landed(landed[0], key)
        if (held_back := self._held_back(None, f"_source_key = {quote_text(key)}", key)) is not None:
            return held_back
        where = f" of {self.clients[0]}" if len(self.clients) == 1 else ""
        meant = did_you_mean(self.session, self.clients, self.model, key)
        return self._nothing(
            key,
            f"No record{where} has this key: nothing that landed for {self.model} carries it, neither canonical nor in quarantine. "
            + (meant or f"`treaty records {self.model}` lists what there is. Has its source been read?"),
        )

    def _corrected_to(self, key: str) -> tuple[Located, ...]:
        return locate_corrected(self.session, [self.applied.of_client(each) for each in self.clients], self.model, key)

    def of_source(self, source: str) -> Explanation:
        """Explain a record by its place in the source."""
        system, _, rest = source.partition("/")
        stream, _, key = rest.partition("/")
        name = f"{system}/{stream}"
        if not key:
            raise UsageError(f"{source!r} is not SYSTEM/STREAM/KEY.", remedy="Write it as ubl/invoices/ACME|F-1|380, with the parts of the key joined by |.")
        self._ensure_stream(name)
        where = f"_source_key = {quote_text(key)} or _landed_id::varchar = {quote_text(key)}"
        found = [version for client in self.clients for version in landed_versions(self.session, client, name, where)[:1]]
        if len(found) > 1:
            raise UsageError(f"{source!r} has landed for {', '.join(each.client for each in found)}.", remedy="Name one with --client.")
        if not found and (held_back := self._held_back(name, where, source)) is not None:
            return held_back
        if not found:
            keys = landed_keys(self.session, self.clients, name, key)
            told = f"Keys there are like {' or '.join(repr(f'{name}/{each}') for each in keys)}." if keys else "Nothing has landed from it."
            return self._nothing(source, f"The chain ends before the beginning: no record with this key has landed from {name}. {told}")
        version = found[0]
        for located in locate(self.session, [version.client], self.model, key):
            if any(each.name == name and each.source_key == version.source_key for each in located.members):
                return self._golden(located, source)
        return self._landed(version, source)

    def _ensure_stream(self, name: str) -> None:
        known = {f"{system.name}/{stream}" for client in self.clients for system in self.applied.of_client(client).systems.values() for stream in system.streams}
        if name not in known:
            found = nearest(name, known)
            raise UsageError(f"There is no stream {name!r}.", remedy=f"Did you mean {found!r}?" if found else f"Streams: {', '.join(sorted(known))}.")

    def _landed_as(self, key: str) -> Iterator[LandedVersion]:
        """Yield what landed with this source key, or is in quarantine with this business key."""
        for client in self.clients:
            resultant = self.applied.of_client(client)
            streams = [each.from_ for each in resultant.mappings.values() if each.inbound and each.to == self.model]
            by_source = list(candidates(self.session, [client], streams, key))
            yield from by_source or self._maker(client).quarantined_with(self.model, key)

    def _maker(self, client: str) -> ContributionMaker:
        if client not in self._makers:
            self._makers[client] = ContributionMaker(self.session, self.applied.of_client(client), self.applied.as_of)
        return self._makers[client]

    def _made_again(self, located: Located) -> tuple[tuple[Contribution, ...], Survived | None, Mapping[str, Any] | None]:
        """Return a golden record's contributions and fields, made again, and what is stored of it; made once for all its fields."""
        if located.canonical_id not in self._made:
            maker = self._maker(located.client)
            contributions = maker.contributions(self.model, located.members)
            survived = survive(self.session, maker.project, self.model, self.types, contributions) if contributions else None
            self._made[located.canonical_id] = contributions, survived, stored_record(self.session, located.client, self.model, located.canonical_id)
        return self._made[located.canonical_id]

    # ---- what is told

    def _held_back(self, stream: str | None, where: str, key: str) -> Explanation | None:
        """Explain a record of a shared stream (of any that makes the model, where none is named) that has reached no client."""
        if not self.everyone:
            return None
        shared = shared_project(self.applied.project)
        streams = [stream] if stream else [each.from_ for each in self.applied.project.mappings.values() if each.inbound and each.to == self.model]
        found = not_handed_over(self.session, shared, streams, where)
        return None if found is None else Explanation(self.model, key, self.text, SHARED, None, None, None, True, tuple(shape([found[1]])), found[2])

    def _nothing(self, key: str, ends: str) -> Explanation:
        client = self.clients[0] if len(self.clients) == 1 else None
        return Explanation(self.model, key, self.text, client, None, None, None, True, (), ends)

    def _landed(self, version: LandedVersion, key: str) -> Explanation:
        """Explain a landed record that is not canonical: quarantined, filtered, unmapped, superseded."""
        maker = self._maker(version.client)
        stream = f"{version.system}/{version.stream}"
        name = reading_mapping(maker.project, stream, self.model)
        landed = maker.landed_step(version)
        if name is None:
            return self._why_not(version, key, None, (landed,), f"The chain ends at landing: no mapping that runs makes {self.model} of {stream}.")
        if version.op == "refused":
            ends = f"The chain ends at reading: this could not be read ({maker.refusal(version)})."
            return self._why_not(version, key, None, (landed,), ends)
        if version.op == "delete":
            return self._why_not(version, key, None, (landed,), "The chain ends at landing: the newest version says that the record is gone.")
        conformed = maker.conform_one(name, version)
        fields = [self.path.name] if self.path else [each for each in dict.fromkeys(note.field.partition(".")[0] for note in conformed.notes if note.fatal) if each]
        steps = [step for each in fields for step in maker.walk(name, version, self.path or FieldPath(each)).steps] or [landed]
        told = maker.disposition(version, name)
        declared = maker.project.stream(stream)
        ends = told or end_of_record(conformed, name, declared.key if declared else ())
        value = None if self.path is None else self.path.pick(conformed.fields.get(self.path.name))
        return self._why_not(version, key, value, tuple(steps), ends)

    def _why_not(self, version: LandedVersion, key: str, value: Any, steps: tuple[Step, ...], ends: str) -> Explanation:
        return Explanation(self.model, key, self.text, version.client, None, shape(value), None, True, tuple(shape(list(steps))), ends)

    def _golden(self, located: Located, key: str) -> Explanation:
        maker = self._maker(located.client)
        contributions, survived, stored = self._made_again(located)
        if survived is None:
            return self._gone(located, key, stored)
        if self.path is None:
            return self._whole(located, key, maker, contributions, survived, stored)
        value = self.path.pick(survived.fields.get(self.path.name))
        shown = self._shown(contributions, survived, self.path.name)
        steps, ends = self._chain(maker, shown, self.path)
        if len(contributions) > 1:
            steps.append(survivorship_step(maker.project, self.model, self.path.name, survived, contributions))
        steps += relationship_steps(self.session, maker.project, self.model, located.canonical_id, self.path.name, value)
        deliveries = self._deliveries(maker.project, located, survived, self.path.name, stored)
        steps += deliveries
        if value is not None:
            ends = end_at_sinks(deliveries, f"{self.model}.{self.text}")
        ends += newer_in_quarantine(_set_aside(maker, located))
        kept = None if not stored else self.path.pick(stored.get(self.path.name))
        return self._compared(located, key, value, kept, stored is not None, steps, ends)

    def _chain(self, maker: ContributionMaker, shown: Contribution, path: FieldPath) -> tuple[list[Step], str]:
        if shown.correction is not None:
            return [shown.correction], "The chain ends at a correction."
        walked = maker.walk(shown.mapping, shown.landed, path)
        cell = field_named(maker.compiled(shown.mapping), path.name).text
        steps = list(walked.steps)
        if steps and shown.conformed.findings:
            contract = next(each for each in reversed(steps) if each["step"] == "contract")
            contract["findings"] = list(shown.conformed.findings)
        return steps, end_of_empty(walked, f"{self.model}.{path.name}", cell)

    def _whole(
        self, located: Located, key: str, maker: ContributionMaker, contributions: Sequence[Contribution], survived: Survived, stored: Mapping[str, Any] | None
    ) -> Explanation:
        steps: list[Step] = [each.correction or maker.landed_step(each.landed) for each in contributions]
        if len(contributions) > 1:
            steps += [survivorship_step(maker.project, self.model, name, survived, contributions) for name in self.types if survived.fields.get(name) is not None]
        deliveries = self._deliveries(maker.project, located, survived, None, stored)
        kept = {name: stored.get(name) for name in self.types} if stored else None
        ends = f"{end_at_sinks(deliveries, self.model)}{newer_in_quarantine(_set_aside(maker, located))} Name a FIELD to see each step of its value."
        return self._compared(located, key, dict(survived.fields), kept, stored is not None, [*steps, *deliveries], ends)

    def _gone(self, located: Located, key: str, stored: Mapping[str, Any] | None) -> Explanation:
        """Explain a canonical id without members."""
        deleted = not stored or bool(stored["_deleted"])
        agrees = None if stored is None else deleted
        ends = "The chain ends at landing: every source record of this golden record is gone; its id is kept and returns with it."
        value = None if deleted or not stored or self.path is None else stored.get(self.path.name)
        return Explanation(self.model, key, self.text, located.client, located.canonical_id, None, shape(value), agrees, (), ends)

    def _deliveries(
        self, project: ClientProject, located: Located, survived: Survived, name: str | None, stored: Mapping[str, Any] | None
    ) -> list[Step]:
        steps = list(delivery_steps(self.session, project, self.model, located.canonical_id, name, self.types, survived.fields, self.applied.as_of))
        newest = stored["_version"] if stored else None
        for step in steps:
            if newest is not None and step["version"] is not None and step["version"] < newest:
                step |= {"state": "waiting", "message": f"it has version {step['version']}, and version {newest} is the newest"}
        return steps

    def _shown(self, contributions: Sequence[Contribution], survived: Survived, name: str) -> Contribution:
        """Return the contribution whose steps are shown: the winner, else the newest."""
        winner = survived.winners.get(name)
        newest = max(contributions, key=lambda each: each.landed.received_at)
        return next((each for each in contributions if each.member.member_id == winner), newest)

    def _compared(self, located: Located, key: str, value: Any, kept: Any, known: bool, steps: Sequence[Step], ends: str) -> Explanation:
        worked_out, stored = shape(value), shape(kept)
        agrees = worked_out == stored if known else None
        return Explanation(self.model, key, self.text, located.client, located.canonical_id, worked_out, stored, agrees, tuple(shape(list(steps))), ends)


def _set_aside(maker: ContributionMaker, located: Located) -> list[tuple[LandedVersion, Conformed]]:
    return [maker.set_aside[each.member_id] for each in located.members if each.member_id in maker.set_aside]
