"""Makes contributions again: compiled mappings of one client, run over the landed versions of a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.mapping import compile_mapping
from treaty.engines.duckdb.hooks import register_hooks
from treaty.lake.current import STEWARD, ModelTables, current_generations, effective_dispositions
from treaty.lake.names import lake_table, quote_text
from treaty.lake.schema import table_columns
from treaty.lake.scope import OneClient, scope_condition
from treaty.operations.explaining.evaluating import Conformed, conform_again
from treaty.operations.explaining.landing import place_of
from treaty.operations.explaining.locating import LandedVersion, Member, landed_condition, landed_versions, of_member
from treaty.operations.explaining.steps import Step
from treaty.operations.explaining.surviving import Contribution
from treaty.operations.explaining.walking import FieldPath, Walked, walk_field
from treaty.project.declarations import ClientProject
from treaty.project.overlays import running_mappings
from treaty.sessions import Session


def reading_mapping(project: ClientProject, stream: str, model: str) -> str | None:
    """Return the name of the mapping that makes a model of a stream for this client, or None."""
    for name in running_mappings(project):
        mapping = project.mappings[name]
        if mapping.inbound and mapping.from_ == stream and mapping.to == model:
            return name
    return None


class ContributionMaker:
    """Runs the mappings of one client again; each is compiled once."""

    def __init__(self, session: Session, project: ClientProject, as_of: str) -> None:
        self.session = session
        self.project = project
        self.as_of = as_of
        register_hooks(session.duck, project.hooks.values(), project.settings.limits.hook_seconds)
        self._compiled: dict[str, CompiledMapping] = {}
        self._steps: dict[str, Step] = {}
        self._relations: dict[str, str] = {}
        self.set_aside: dict[str, tuple[LandedVersion, Conformed]] = {}  # by member: a version newer than the good one, which is in quarantine

    def compiled(self, name: str) -> CompiledMapping:
        """Return a compiled mapping."""
        if name not in self._compiled:
            self._compiled[name] = compile_mapping(self.project, name)
        return self._compiled[name]

    def landed_step(self, version: LandedVersion) -> Step:
        """Return the step of a landed record: what it is and where its bytes are."""
        if version.landed_id not in self._steps:
            self._steps[version.landed_id] = self._landed_step(version)
        return dict(self._steps[version.landed_id])

    def _landed_step(self, version: LandedVersion) -> Step:
        return {
            "step": "landed", "system": version.system, "stream": version.stream, "source_key": version.source_key,
            "landed_id": version.landed_id, "op": version.op, "version": version.version, "received_at": version.received_at,
            "locator": version.locator, **place_of(self.session, version, self.project.stream(f"{version.system}/{version.stream}")),
        }  # fmt: skip

    def contributions(self, model: str, members: Sequence[Member]) -> tuple[Contribution, ...]:
        """Return what each living member says now: its newest good version, conformed again."""
        found = []
        for member in members:
            made = self._corrected(model, member) if member.system == STEWARD else self._contributed(model, member)
            if made is not None:
                found.append(made)
        return tuple(found)

    def _contributed(self, model: str, member: Member) -> Contribution | None:
        name = reading_mapping(self.project, member.name, model)
        where = of_member(member, model)
        relation = landed_condition(self.session, self.project.client, member.name, where)
        if name is None or relation is None:
            return None
        versions = {each.landed_id: each for each in landed_versions(self.session, self.project.client, member.name, where)}
        left_out = self._left_out(name, versions)
        found: Conformed | None = None
        for conformed in conform_again(self.session, self.compiled(name), relation, self.as_of):
            if conformed.landed_id in left_out:
                continue
            version = versions[conformed.landed_id]
            if conformed.state == "good":
                found = found or conformed
            elif conformed.state == "quarantined" and (found is None or (conformed.unplaced and version.landing > versions[found.landed_id].landing)):
                self.set_aside.setdefault(member.member_id, (version, conformed))
        return None if found is None or found.op == "delete" else Contribution(member, versions[found.landed_id], found, name)

    def _left_out(self, mapping: str, landed_ids: Iterable[str]) -> set[str]:
        """Return those of these landed records that a steward left out of a mapping, that were erased, or that echo a delivery."""
        if table_columns(self.session, "disposition") is None:
            return set()
        ids = ", ".join(f"{quote_text(each)}::uuid" for each in landed_ids) or "null"
        where = f"{scope_condition(self.session, OneClient(self.project.client))} and _mapping = {quote_text(mapping)} and _landed_id in ({ids})"
        states = effective_dispositions(ModelTables(""), where)
        current = current_generations(ModelTables(""), self.project.client)
        rows = self.session.duck.execute(f"""
            select _landed_id::varchar from ({states}) s semi join ({current}) g on g._mapping = s._mapping and g._generation = s._generation
            where state in ('filtered', 'erased', 'duplicate')""")
        return {row[0] for row in rows.fetchall()}

    def _corrected(self, model: str, member: Member) -> Contribution | None:
        """Return a steward's correction as a contribution that says one field."""
        versions = landed_versions(self.session, self.project.client, member.name, of_member(member, model))
        if not versions or versions[0].op == "delete":
            return None
        version = versions[0]
        row = self.session.duck.execute(
            f"select payload from {lake_table('landed_steward__corrections')} where _landed_id = {quote_text(version.landed_id)}::uuid"
        ).fetchone()
        said = json.loads(row[0]) if row else {}
        if said.get("until") and said["until"] <= self.as_of:
            return None
        conformed = Conformed(version.landed_id, "good", version.op, None, (), (), (), {said["field"]: said["value"]})
        step = {
            **self.landed_step(version), "path": said["field"], "value": said["value"], "who": said["who"], "reason": said["why"], "until": said.get("until"),
        }  # fmt: skip
        return Contribution(member, version, conformed, "", step)

    # ---- one record

    def conform_one(self, mapping: str, version: LandedVersion) -> Conformed:
        """Conform one landed version again."""
        return conform_again(self.session, self.compiled(mapping), self._relation(version), self.as_of)[0]

    def walk(self, mapping: str, version: LandedVersion, path: FieldPath) -> Walked:
        """Tell the steps of a field of one landed version."""
        compiled = self.compiled(mapping)
        landed = self.landed_step(version)
        return walk_field(self.session, compiled, self.project.mappings[mapping], self.project.decisions, landed, path, self._relation(version), self.as_of)

    def _relation(self, version: LandedVersion) -> str:
        """Return a query for one landed row, which is read from the lake once."""
        if version.landed_id not in self._relations:
            name = f"explained_landed_{len(self._relations)}"
            self.session.duck.execute(f"create or replace temp table {name} as {self._landed_row(version)}")
            self._relations[version.landed_id] = f"select * from {name}"
        return self._relations[version.landed_id]

    def _landed_row(self, version: LandedVersion) -> str:
        where = f"_landed_id = {quote_text(version.landed_id)}::uuid"
        if version.source_key is not None:  # by which the engine skips more of the table
            where += f" and _source_key = {quote_text(version.source_key)}"
        relation = landed_condition(self.session, version.client, f"{version.system}/{version.stream}", where)
        assert relation is not None, "a landed version is in its table"
        return relation

    def disposition(self, version: LandedVersion, mapping: str) -> str:
        """Say why a good record is not canonical nevertheless: left out by a steward, superseded, erased; empty if it is none of these."""
        where = f"_client = {quote_text(version.client)} and _mapping = {quote_text(mapping)} and _landed_id = {quote_text(version.landed_id)}::uuid"
        row = self.session.duck.execute(f"select state, reason from ({effective_dispositions(ModelTables(''), where)}) order by _generation desc limit 1").fetchone()
        if row is None or row[0] in ("quarantined", "canonical"):
            return ""
        told = {"superseded": "a newer version of the record took its place", "duplicate": "it repeats what is there already", "erased": "it was erased"}
        return f"The chain ends at landing: {told.get(row[0], 'it was left out')} ({row[1]})." if row[0] != "filtered" or not str(row[1]).startswith(("scope:", "reject:")) else ""

    def refusal(self, version: LandedVersion) -> str:
        """Say why a record or file could not be read."""
        condition = scope_condition(self.session, OneClient(version.client))
        row = self.session.duck.execute(
            f"select rule, fields from {lake_table('quarantine')} where {condition} and _landed_id = {quote_text(version.landed_id)}::uuid limit 1"
        ).fetchone()
        return "no reason is known" if row is None else f"{row[0]}: {json.loads(row[1] or '{}').get('message', '')}".rstrip(".: ")

    def quarantined_with(self, model: str, key: str) -> Iterator[LandedVersion]:
        """Yield records in quarantine whose business key, as far as it can be made, is ``key``."""
        if table_columns(self.session, "quarantine") is None:
            return
        condition = scope_condition(self.session, OneClient(self.project.client))
        for name in running_mappings(self.project):
            mapping = self.project.mappings[name]
            if not mapping.inbound or mapping.to != model:
                continue
            mine = f"{condition} and _mapping = {quote_text(name)}"
            where = f"_op <> 'refused' and _landed_id in (select _landed_id from {lake_table('quarantine')} where {mine})"
            relation = landed_condition(self.session, self.project.client, mapping.from_, where)
            if relation is None:
                continue
            for conformed in conform_again(self.session, self.compiled(name), relation, self.as_of):
                if any(each is not None and each.partition(":")[2] == key for each in conformed.keys):
                    where = f"_landed_id = {quote_text(str(UUID(conformed.landed_id)))}::uuid"
                    yield from landed_versions(self.session, self.project.client, mapping.from_, where)
                    break
