"""Runs flows: extract → land → conform → resolve → commit → deliver, one client and one flow after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from treaty.clock import Clock
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lookups import flows_in_order, mappings_in_order
from treaty.compiler.outbound import CompiledOutbound, compile_outbound
from treaty.compiler.sharing import SharedMappings
from treaty.connectors.interface import Site
from treaty.connectors.registry import open_sink
from treaty.engines.duckdb.hooks import register_hooks
from treaty.errors import RetryError, StopError
from treaty.flows.conforming import conform, mapping_position, next_generation, nothing_pending
from treaty.flows.corrections import conform_corrections
from treaty.flows.delivering import deliver
from treaty.flows.handing_over import SharedReading, receive
from treaty.flows.landing import Extracted, extract
from treaty.flows.removed_paths import look_for_removed
from treaty.flows.results import DecisionCount, DeliveryResult, FlowResult, Problem, StreamResult, add_up
from treaty.flows.stubs import land_stubs
from treaty.lake.issues import open_issues
from treaty.lake.reads import decision_counts
from treaty.lake.refusals import ReadingMapping
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject, Flow
from treaty.project.findings import Finding, Severity
from treaty.project.loading import Project
from treaty.project.overlays import client_project, clients, is_handed_over
from treaty.project.stubs import is_stub
from treaty.sessions import Session

Progress: TypeAlias = Callable[[str], None]

LOOKUP = "lookup"  # the mapping of a stream that is only looked up or joined


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What one run is told: whom it runs for, on which day, and whether sinks are sent anything."""

    run_id: str
    applied_id: str
    as_of: str
    site: Site
    clock: Clock
    send: bool
    progress: Progress = lambda text: None
    client: str | None = None
    flow: str | None = None


def run_flows(session: Session, project: Project, settings: RunSettings) -> tuple[FlowResult, ...]:
    """Run every flow of every client that ``settings`` names (all where it names none)."""
    results: list[FlowResult] = []
    shared = SharedMappings()
    reading = SharedReading(session, project, settings.site, settings.applied_id, settings.as_of, settings.progress)
    for client in clients(project):
        if settings.client not in (None, client):
            continue
        resultant = client_project(project, client)
        for flow in flows_in_order(resultant):
            if settings.flow in (None, flow.name):
                results.append(_run_flow(session, resultant, flow, settings, shared, reading))
    return (*reading.results(), *results)


@dataclass(slots=True)
class _Inbound:
    """One inbound mapping of a run. It is compiled only if there is work for it, or it was not yet run as it is applied now."""

    session: Session
    project: ClientProject
    name: str
    settings: RunSettings
    shared: SharedMappings
    done: Mapping[str, Any]

    @property
    def stream(self) -> str:
        return self.project.mappings[self.name].from_

    @property
    def model(self) -> str:
        return self.project.mappings[self.name].to

    @property
    def is_stub(self) -> bool:
        return is_stub(self.project.mappings[self.name])

    @property
    def reading(self) -> ReadingMapping:
        return ReadingMapping(self.name, int(self.done.get("generation", 1)), self.model)

    @property
    def compiled(self) -> CompiledMapping:
        return self.shared.compile(self.project, self.name)

    @property
    def as_applied(self) -> bool:
        """Whether its last work was done with the project that is applied now."""
        return bool(self.done) and self.done.get("applied") == self.settings.applied_id

    @property
    def references(self) -> tuple[str, ...]:
        """The streams that it looks up or joins."""
        return tuple(name for name in (self.done["references"] if self.as_applied else self.compiled.references) if "/" in name)

    def problems(self) -> list[Problem]:
        return [] if self.as_applied else _broken(self.name, self.compiled.findings)

    def conform(self) -> dict[str, int]:
        """Conform what is pending; without a look at the mapping where nothing is."""
        if self.as_applied and nothing_pending(self.session, self.project.client, self.stream, self.done):
            return {}
        return conform(next_generation(self.session, self.project, self.compiled, self.settings.applied_id, self.settings.as_of))


def _run_flow(session: Session, project: ClientProject, flow: Flow, settings: RunSettings, shared: SharedMappings, reading: SharedReading) -> FlowResult:
    names = mappings_in_order(project, [name for name in flow.mappings if name in project.mappings and project.mappings[name].inbound])
    inbound = [_Inbound(session, project, name, settings, shared, mapping_position(session, project.client, name)) for name in names]
    outbound = [compile_outbound(project, name) for name in flow.mappings if name in project.mappings and not project.mappings[name].inbound]
    problems = [problem for each in inbound for problem in each.problems()]
    problems += [problem for each in outbound for problem in _broken(each.name, each.findings)]
    if problems:
        return FlowResult(flow.name, project.client, problems=tuple(problems))
    register_hooks(session.duck, project.hooks.values(), project.settings.limits.hook_seconds)
    landed, problems = _extract_all(session, project, flow, inbound, settings, reading)
    batches = {name: each.batches for name, each in landed.items()}
    streams = []
    for number, mapping in enumerate(inbound):
        settings.progress(f"{project.client}: conforming {mapping.stream} as {mapping.model}")
        if mapping.is_stub:  # by now, what refers to the model is there
            landed[mapping.stream] = land_stubs(session, project, project.mappings[mapping.name], mapping.reading)
        try:
            states = mapping.conform()
        except StopError as error:
            states = {}
            problems.append(Problem(f"{project.client}: {mapping.stream}", error.message, error.remedy))
        extracted = landed.pop(mapping.stream, None) or Extracted(mapping.stream)
        if batches.get(mapping.stream):
            look_for_removed(session, mapping.compiled, batches[mapping.stream])
        for state, number in (("quarantined", extracted.refused), ("duplicate", extracted.repeated)):
            states = {**states, state: states.get(state, 0) + number} if number else states
        streams.append(StreamResult(mapping.stream, mapping.name, extracted.landed, states, extracted.skipped, extracted.arrivals))
        if all(each.model != mapping.model for each in inbound[number + 1 :]):  # before others look it up
            conform_corrections(session, project, mapping.model, applied_id=settings.applied_id, as_of=settings.as_of)
    for name, extracted in landed.items():
        streams.append(StreamResult(name, LOOKUP, extracted.landed, {}, extracted.skipped, extracted.arrivals))
    deliveries, trouble = _deliver_all(session, project, outbound, settings)
    about = [each.stream for each in streams] + [f"{each.stream} in {each.mapping}" for each in streams] + [each.sink for each in outbound]
    issues = open_issues(session, OneClient(project.client), about)
    return FlowResult(
        flow.name, project.client, tuple(streams), deliveries, _decisions(session, project, inbound), (*problems, *trouble), issues
    )  # fmt: skip


def _broken(name: str, findings: Sequence[Finding]) -> list[Problem]:
    errors = [each for each in findings if each.severity is Severity.ERROR]
    return [Problem(str(each.position), f"{name} does not run: {each.message}", each.remedy) for each in errors]


# ---- extract and land


def _extract_all(
    session: Session, project: ClientProject, flow: Flow, mappings: Sequence[_Inbound], settings: RunSettings, shared: SharedReading
) -> tuple[dict[str, Extracted], list[Problem]]:
    """Land every stream that the mappings read, those that are looked up or joined first."""
    names = [name for each in mappings for name in each.references] + [each.stream for each in mappings if not each.is_stub]
    landed: dict[str, Extracted] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        settings.progress(f"{project.client}: reading {name}")
        try:
            reading = tuple(each.reading for each in mappings if each.stream == name)
            declared = project.stream(name)
            policy = flow.drift or (declared.drift if declared else "evolve")
            if is_handed_over(project, name):
                shared.ensure_read(name, policy)
                landed[name] = receive(session, project, name, reading)
            else:
                landed[name] = extract(session, project, name, settings.site, reading, settings.progress, policy)
            if (stopped := landed[name].stopped) is not None:
                problems.append(Problem(f"{project.client}: {name}", stopped.message, stopped.remedy))
        except (StopError, RetryError) as error:
            landed[name] = Extracted(name)
            problems.append(Problem(f"{project.client}: {name}", error.message, error.remedy))
    return landed, problems


# ---- deliver


def deliver_flows(
    session: Session, project: Project, settings: RunSettings, only: Collection[str]
) -> tuple[tuple[DeliveryResult, ...], tuple[Problem, ...]]:
    """Deliver what sinks are to get that they were not told of, for some clients; nothing is extracted. Results are one a sink, of all clients."""
    results: list[DeliveryResult] = []
    problems: list[Problem] = []
    for client in clients(project):
        if client not in only:
            continue
        resultant = client_project(project, client)
        for flow in resultant.flows.values():
            outbound = [compile_outbound(resultant, name) for name in flow.mappings if name in resultant.mappings and not resultant.mappings[name].inbound]
            sent, trouble = _deliver_all(session, resultant, outbound, settings)
            results += sent
            problems += trouble
    return tuple(add_up(results)), tuple(problems)


def _deliver_all(
    session: Session, project: ClientProject, outbound: Iterable[CompiledOutbound], settings: RunSettings
) -> tuple[tuple[DeliveryResult, ...], tuple[Problem, ...]]:
    results, problems = [], []
    for mapping in outbound:
        settings.progress(f"{project.client}: delivering {mapping.model} to {mapping.sink}")
        system = project.systems[mapping.sink.partition("/")[0]]
        try:
            sink = open_sink(system, settings.site)
            result, trouble = deliver(
                session, project, mapping, sink, as_of=settings.as_of, run_id=settings.run_id, clock=settings.clock, send=settings.send
            )
        except (StopError, RetryError) as error:
            problems.append(Problem(f"{project.client}: {mapping.sink}", error.message, error.remedy))
            continue
        results.append(result)
        problems.extend(trouble)
    return tuple(results), tuple(problems)


def _decisions(session: Session, project: ClientProject, inbound: Iterable[_Inbound]) -> dict[str, DecisionCount]:
    counts: dict[str, DecisionCount] = {}
    for model in dict.fromkeys(each.model for each in inbound):
        for decision, (passed, changed) in decision_counts(session, OneClient(project.client), model).items():
            before = counts.get(decision, DecisionCount(0, 0))
            counts[decision] = DecisionCount(before.passed + passed, before.changed + changed)
    return counts

