"""What a rule is: one class that looks at a whole project and yields findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import ClassVar, TypeVar

from treaty.project.declarations import ClientProject, DataContract, DecisionRecord, EntityMapping, Flow, SchemaProperty, Stream, System
from treaty.project.findings import Finding, Position, Severity
from treaty.project.loading import Project
from treaty.project.overlays import STEWARD, client_project, clients

STANDARD = ""  # the view of the standard alone, before any overlay
Declared = TypeVar("Declared")


@dataclass(frozen=True, slots=True)
class ExampleFailure:
    """An example that did not give what it says: which decision, which of its examples (from 0), and what came out."""

    decision: str
    number: int
    expected: str
    found: str


ExampleRunner = Callable[[ClientProject, tuple[DecisionRecord, ...]], tuple[ExampleFailure, ...]]


class CheckedProject:
    """A project, and what rules ask of it, worked out once."""

    def __init__(self, project: Project, as_of: date | None = None, run_examples: ExampleRunner | None = None) -> None:
        self.project = project
        self.as_of = as_of
        self.run_examples = run_examples

    @cached_property
    def standard(self) -> ClientProject:
        """The project before any overlay, all of its flows and mappings included."""
        project = self.project
        return ClientProject(
            client=STANDARD,
            settings=project.settings,
            systems={**project.systems, STEWARD.name: STEWARD},
            models=project.models,
            decisions=project.decisions,
            mappings=project.mappings,
            flows=project.flows,
            hooks=project.hooks,
        )

    @cached_property
    def client_views(self) -> dict[str, ClientProject]:
        """The resultant of each client."""
        return {client: client_project(self.project, client) for client in clients(self.project)}

    @cached_property
    def known_systems(self) -> dict[str, tuple[System, ...]]:
        """Every declaration of each system, the standard's and those of overlays."""
        found: dict[str, list[System]] = {}
        for _, system in self.systems():
            found.setdefault(system.name, []).append(system)
        found[STEWARD.name] = [STEWARD]
        return {name: tuple(declared) for name, declared in found.items()}

    def systems(self) -> Iterator[tuple[ClientProject, System]]:
        """Yield each declared system, overlays' ones as they result, each with the view in which it holds."""
        yield from ((self.standard, each) for each in self.project.systems.values())
        for client, overlay in self.project.overlays.items():
            yield from ((self.client_views[client], each) for each in overlay.systems.values())

    def streams(self) -> Iterator[tuple[System, str, Stream]]:
        """Yield each declared stream."""
        for _, system in self.systems():
            yield from ((system, name, stream) for name, stream in system.streams.items())

    def decisions(self) -> Iterator[tuple[ClientProject, DecisionRecord]]:
        """Yield each declared decision, overlays' ones as they result, each with the view in which it holds."""
        yield from ((self.standard, each) for each in self.project.decisions.values())
        for client, overlay in self.project.overlays.items():
            yield from ((self.client_views[client], each) for each in overlay.decisions.values())

    def mappings(self) -> Iterator[tuple[ClientProject, EntityMapping]]:
        """Yield each declared mapping, overlays' ones as they result, each with the view in which it holds."""
        yield from ((self.standard, each) for each in self.project.mappings.values())
        for client, overlay in self.project.overlays.items():
            yield from ((self.client_views[client], each) for each in overlay.mappings.values())

    def flows(self) -> Iterator[tuple[ClientProject, Flow]]:
        """Yield each declared flow, overlays' ones as they result, each with the view in which it holds."""
        yield from ((self.standard, each) for each in self.project.flows.values())
        for client, overlay in self.project.overlays.items():
            yield from ((self.client_views[client], each) for each in overlay.flows.values())

    def is_broken(self, kind: str, name: str) -> bool:
        """Whether something of that name is there but could not be read: its own findings say why."""
        return any(each == f"{kind}/{name}" or each.endswith(f"/{kind}/{name}") for each in self.project.broken)

    def stream_names(self) -> list[str]:
        """Return ``system/stream`` for all streams of the project."""
        return sorted({f"{system.name}/{name}" for system, name, _ in self.streams()})

    def is_own(self, position: Position) -> bool:
        """Whether a place is in the project's own files, not in a pack's."""
        return not position.file.startswith("packs/")


class Rule(ABC):
    """One thing that can be wrong with a project."""

    code: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    remedy: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR

    @abstractmethod
    def check(self, checked: CheckedProject) -> Iterator[Finding]:
        """Yield a finding for each place where the rule is broken. Never raises."""

    def finding(self, message: str, position: Position, remedy: str = "") -> Finding:
        """Return a finding of this rule; its usual remedy where none is given."""
        return Finding(self.code, self.severity, message, remedy or self.remedy, position)


def properties_of(model: DataContract) -> Iterator[tuple[str, SchemaProperty, tuple[SchemaProperty, ...]]]:
    """Yield each property of a model with its dotted path and the properties beside it."""

    def walk(properties: tuple[SchemaProperty, ...], prefix: str) -> Iterator[tuple[str, SchemaProperty, tuple[SchemaProperty, ...]]]:
        for each in properties:
            yield f"{prefix}{each.name}", each, properties
            yield from walk(each.properties, f"{prefix}{each.name}.")

    yield from walk(model.properties, "")


def function_name(signature: str) -> str:
    """Return the name in a signature ``name(param: type) -> type``."""
    return signature.partition("(")[0].strip()
