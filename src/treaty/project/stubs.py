"""Stubs: golden records that stand for missing targets of relationships which say ``missing: stub``.

Each is a record of the built-in system ``stub``, conformed by a built-in mapping that fills the one field by which the target is
referred to. The compiler asks nothing more of such a mapping, and of the model's decisions it runs the identity alone: so the target, when
it comes, may be the same thing.
"""

from __future__ import annotations

import dataclasses

from treaty.project.declarations import ClientProject, DecisionRecord, Deletes, EntityMapping, FieldMapping, Flow, Stream, System

STUB = "stub"
CELLS = {"string": "value", "integer": "to_integer(value)"}  # by the type of the field that is referred to


def stub_decisions(project: ClientProject) -> list[DecisionRecord]:
    """Return the relationships that make stubs."""
    found = [each for each in project.decisions.values() if each.kind == "relationship" and each.runs and each.missing == STUB and each.references]
    return sorted(found, key=lambda each: each.id)


def with_stubs(project: ClientProject) -> ClientProject:
    """Return the resultant with the built-in system and mappings of its stubs, in the flows that make targets or what refers to them."""
    made: dict[str, EntityMapping] = {}
    flows = dict(project.flows)
    for decision in stub_decisions(project):
        model, _, field = (decision.references or "").partition(".")
        declared = project.models[model].find(field) if model in project.models and "." not in field else None
        if declared is None or declared.type not in CELLS:
            continue
        name = f"{STUB}.{model}.{field}"
        made[name] = EntityMapping(
            name=name, from_=f"{STUB}/{model}.{field}", to=model, fields={field: FieldMapping(cell=CELLS[declared.type])}, position=decision.position
        )
        concerned = {model, *(each.partition(".")[0] for each in decision.governs)}
        for flow in flows.values():
            if any(each in project.mappings and project.mappings[each].inbound and project.mappings[each].to in concerned for each in flow.mappings):
                flows[flow.name] = _with(flow, name)
    if not made:
        return project
    streams = {each.from_.partition("/")[2]: Stream(format="json", key=("value",), deletes=Deletes(mode="snapshot")) for each in made.values()}
    system = System(name=STUB, connector=STUB, owner="stewards", classification="internal", streams=streams)
    return dataclasses.replace(project, systems={**project.systems, STUB: system}, mappings={**project.mappings, **made}, flows=flows)


def is_stub(mapping: EntityMapping) -> bool:
    """Tell whether a mapping is a built-in one that makes stubs."""
    return mapping.from_.startswith(f"{STUB}/")


def _with(flow: Flow, name: str) -> Flow:
    return flow if name in flow.mappings else dataclasses.replace(flow, mappings=(*flow.mappings, name))
