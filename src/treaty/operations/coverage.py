"""``coverage``: what governs each field of each model and client, what no code list covers, and what never fires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treaty.clock import Clock, system_clock
from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.functions import FUNCTIONS
from treaty.compiler.handing_over import compile_hand_over
from treaty.compiler.lineage import children, decisions_in, walk
from treaty.compiler.mapping import compile_mapping
from treaty.operations.covering.results import CoverageResult, FieldCoverage, ModelCoverage
from treaty.operations.records import ensure_model
from treaty.operations.workspace import Folder, find_workspace
from treaty.project.declarations import ClientProject, DataContract, SchemaProperty
from treaty.project.overlays import client_project, clients, handed_over_streams, running_mappings, shared_project

STATES = ("ungoverned", "governed", "copied", "constant")


def coverage(
    project: Folder = None, *, environment: str | None = None, models: Sequence[str] = (), client: str | None = None, clock: Clock = system_clock
) -> CoverageResult:
    """Work out the coverage of a project folder; reads the lake only where there is one.

    A model is told of for the clients that have a mapping of it, and for every client where nobody has.
    """
    workspace = find_workspace(project, environment)
    workspace.ensure_client(client)
    for model in models:
        ensure_model(workspace, model)
    covered: list[ModelCoverage] = []
    views: dict[str, ClientProject] = {}
    compiled: dict[str, list[CompiledMapping]] = {}
    written = [*workspace.project.mappings.values(), *(each for overlay in workspace.project.overlays.values() for each in overlay.mappings.values())]
    mapped = {each.to for each in written if each.inbound}
    for name in [client] if client else clients(workspace.project):
        views[name] = resultant = client_project(workspace.project, name)
        mappings = [compile_mapping(resultant, each) for each in running_mappings(resultant) if resultant.mappings[each].inbound]
        compiled[name] = [each for each in mappings if not models or each.model in models]
        made = {each.model for each in mappings}
        covered += [
            _cover(resultant, contract, mappings)
            for contract in resultant.models.values()
            if (not models or contract.name in models) and (contract.name in made or contract.name not in mapped)
        ]
    if not workspace.has_lake:
        return CoverageResult(tuple(covered), (), (), (), False)
    from treaty.operations.covering.observed import observed_edge_cases  # the engine is loaded only where there is something to count
    from treaty.operations.covering.values import never_fired, unmapped_values

    with workspace.open() as session:
        handed = () if client or models else handed_over_streams(workspace.project)
        telling = [compile_hand_over(shared_project(workspace.project), each) for each in handed]
        values = tuple(unmapped_values(session, [*(each for group in compiled.values() for each in group), *telling]))
        silent = tuple(
            each
            for name, group in compiled.items()
            for each in never_fired(session, views[name], group)
        )
        odd = tuple(
            each
            for contract in workspace.project.models.values()
            if not models or contract.name in models
            for each in observed_edge_cases(session, views, contract, clock().date().isoformat())
        )
    return CoverageResult(tuple(covered), values, silent, odd, True)


def _cover(project: ClientProject, contract: DataContract, mappings: Sequence[CompiledMapping]) -> ModelCoverage:
    mine = [each for each in mappings if each.model == contract.name]
    fields = [_cover_field(project, contract.name, path, mine) for path in _paths(contract.properties)]
    return ModelCoverage(contract.name, project.client, tuple(fields))


def _paths(properties: Sequence[SchemaProperty], prefix: str = "") -> Iterator[str]:
    for each in properties:
        yield f"{prefix}{each.name}"
        yield from _paths(each.properties, f"{prefix}{each.name}.")


def _cover_field(project: ClientProject, model: str, path: str, mappings: Sequence[CompiledMapping]) -> FieldCoverage:
    states: dict[str, str] = {}
    decisions: dict[str, None] = {}
    for mapping in mappings:
        node = _node_at(mapping, path)
        if node is None or (isinstance(node, ir.Literal) and node.value is None):
            continue
        here = [*decisions_in(node), *(case.decision for case in mapping.edge_cases if path in case.sets)]
        decisions |= dict.fromkeys(here)
        states[mapping.name] = _state(node, here)
    beside = _deciding_beside(project, model, path) if states else ()
    decisions |= dict.fromkeys(beside)
    found = set(states.values()) | ({"governed"} if beside else set())
    state = next((each for each in STATES if each in found), "ungoverned")
    return FieldCoverage(path, state, tuple(decisions), tuple(states))


def _node_at(mapping: CompiledMapping, path: str) -> ir.Node | None:
    """Return the node of a field, or of a field of a group's elements; None where there is none."""
    name, _, rest = path.partition(".")
    node = next((each.node for each in mapping.fields if each.name == name), None)
    while node is not None and rest:
        group = next((each for each in walk(node, elements=False) if isinstance(each, ir.Each)), None)
        name, _, rest = rest.partition(".")
        node = dict(group.fields).get(name) if group is not None else None
    return node


def _state(node: ir.Node, decisions: Sequence[str]) -> str:
    if any(_chooses(each) for each in _outside_decisions(node)):
        return "ungoverned"
    if decisions:
        return "governed"
    reads = any(isinstance(each, ir.Source | ir.Present | ir.Lookup | ir.Each | ir.ReceivedAt | ir.AsOf) for each in walk(node))
    return "copied" if reads else "constant"


def _chooses(node: ir.Node) -> bool:
    if not isinstance(node, ir.Call) or node.function not in FUNCTIONS:
        return isinstance(node, ir.Case)
    function = FUNCTIONS[node.function]
    return function.tag == "choosing" and not function.internal


def _outside_decisions(node: ir.Node) -> Iterator[ir.Node]:
    """Yield the nodes of a cell that are in no decision's body."""
    if isinstance(node, ir.Decided):
        if node.input is not None:
            yield from _outside_decisions(node.input)
        return
    yield node
    for child in children(node):
        yield from _outside_decisions(child)


def _deciding_beside(project: ClientProject, model: str, path: str) -> tuple[str, ...]:
    """Return decisions that govern a field without standing in its cell: survivorship rules and relationships."""
    found = []
    for decision in project.decisions.values():
        if not decision.runs or decision.kind not in ("survivorship", "relationship"):
            continue
        named = {name.removeprefix(f"{model}.") for rule in decision.survivorship for name in rule.fields}
        governs = f"{model}.{path}" in decision.governs
        if governs or (path in named and any(each == model or each.startswith(f"{model}.") for each in decision.governs)):
            found.append(decision.id)
    return tuple(found)
