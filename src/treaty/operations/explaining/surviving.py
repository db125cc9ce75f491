"""Which contribution wins each field of a golden record: the survivorship query of the lake, over contributions made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.types import Type
from treaty.lake.names import quote_name
from treaty.lake.survivorship import effective_rules, survivor_sql
from treaty.lake.task import survivorship_rules
from treaty.operations.explaining.decisions import describe_decision
from treaty.operations.explaining.evaluating import Conformed
from treaty.operations.explaining.locating import LandedVersion, Member
from treaty.operations.explaining.steps import Step
from treaty.project.declarations import ClientProject, DecisionRecord
from treaty.sessions import Session


@dataclass(frozen=True, slots=True)
class Contribution:
    """One member of a golden record with what it says: its newest good version, conformed again."""

    member: Member
    landed: LandedVersion
    conformed: Conformed
    mapping: str
    correction: Step | None = None  # the landed step of a steward's correction


@dataclass(frozen=True, slots=True)
class Survived:
    """The golden record as it should be: its fields, and for each the member that won."""

    fields: Mapping[str, Any]
    winners: Mapping[str, str]


def survive(session: Session, project: ClientProject, model: str, types: Mapping[str, Type], contributions: Sequence[Contribution]) -> Survived:
    """Return the golden record of contributions, by the model's survivorship decisions."""
    if len(contributions) == 1:
        only = contributions[0]
        return Survived(only.conformed.fields, dict.fromkeys(types, only.member.member_id))
    fields = list(types)
    session.duck.execute("drop table if exists explained")
    columns = ", ".join(f"{quote_name(name)} {duckdb_type(kind)}" for name, kind in types.items())
    own = "_canonical_id UUID, _member_id UUID, _landed_id UUID, _system VARCHAR, _stream VARCHAR, _source_version BIGINT, _received_at TIMESTAMPTZ"
    session.duck.execute(f"create temp table explained ({own}, {columns})")
    for each in contributions:
        landed, member = each.landed, each.member
        values = [member.member_id, member.member_id, landed.landed_id, member.system, member.stream, landed.version, landed.received_at]
        marks = ", ".join("?" for _ in range(len(values) + len(fields)))
        session.duck.execute(f"insert into explained values ({marks})", [contributions[0].member.member_id, *values[1:], *(each.conformed.fields.get(name) for name in fields)])
    cursor = session.duck.execute(survivor_sql("explained", fields, survivorship_rules(project, model)))
    names = [each[0] for each in cursor.description or ()]
    row = dict(zip(names, cursor.fetchone() or (), strict=True))
    winners = json.loads(row["_winners"]) if row["_winners"] else {}
    return Survived({name: row[name] for name in fields}, {name: str(member) for name, member in winners.items()})


def survivorship_step(project: ClientProject, model: str, field: str, survived: Survived, contributions: Sequence[Contribution]) -> Step:
    """Return the step that says who won a field, who lost, with what, and by which decision."""
    rules = survivorship_rules(project, model)
    rule = next(each for each in effective_rules(list(survived.fields), rules) if field in each.fields)
    decision = _deciding(project, model, field)
    about = describe_decision(decision) if decision else {}
    told: Step = {"decision": decision.id if decision else None, **{name: about[name] for name in ("title", "reason", "rejected", "scope") if name in about}}
    winner = survived.winners.get(field)
    sides = [(each.member.member_id, _side(each, field)) for each in contributions]
    return {
        "step": "survivorship",
        "field": field,
        **told,
        "fields": list(rule.fields),
        "prefer": list(rule.prefer),
        "winner": next((side for member, side in sides if member == winner), None),
        "losers": [side for member, side in sides if member != winner],
        "output": survived.fields.get(field),
    }


def _side(contribution: Contribution, field: str) -> Step:
    member = contribution.member
    return {
        "system": member.system, "stream": member.stream, "source_key": member.source_key,
        "received_at": contribution.landed.received_at, "value": contribution.conformed.fields.get(field),
    }  # fmt: skip


def _deciding(project: ClientProject, model: str, field: str) -> DecisionRecord | None:
    """Return the survivorship decision that has a rule for a field, or None: then the latest wins."""
    found = [each for each in project.decisions.values() if each.kind == "survivorship" and each.runs]
    for decision in sorted(found, key=lambda each: each.id):
        governs = any(each == model or each.startswith(f"{model}.") for each in decision.governs)
        if governs and any(name.rpartition(".")[2] == field for rule in decision.survivorship for name in rule.fields):
            return decision
    return None


