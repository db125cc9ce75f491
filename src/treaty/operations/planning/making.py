"""Makes a plan: each changed thing is evaluated on the landed records of every client, and all of them together.

What a thing does alone is counted with it alone on top of the applied project, where that stands; where no other change touches the same
records, the count of all together is the same and is taken. What does not stand alone is counted together with the rest, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial

from treaty.compiler.sharing import SharedMappings
from treaty.errors import StopError
from treaty.flows.conforming import MAPPING
from treaty.flows.effects import EffectFinder, Effects
from treaty.flows.foreseeing import Foresight, foresee
from treaty.flows.handing_over import foresee_moves, hand_over_errors
from treaty.flows.sampling import sample
from treaty.flows.shared_queries import shared_queries
from treaty.lake.cursors import CursorPosition, read_cursors
from treaty.lake.differences import Difference
from treaty.lake.scope import AllClients
from treaty.operations.planning.changes import ChangedThing, find_changes, only_grows, same_meaning, with_files
from treaty.operations.planning.results import PlannedChange, worst
from treaty.project.declarations import ClientProject
from treaty.project.findings import Severity
from treaty.project.loading import Project, load_project_files
from treaty.project.overlays import client_project, clients
from treaty.sessions import Session

TOGETHER = "it does not stand alone on the applied project: its counts are those of all changes together"
UPGRADED = "what Treaty's own functions do has changed since it last ran"
UNSEEN = "no landed record is affected; records to come may be"
UNSAMPLED = "no record of the sample is affected"
Place = tuple[str, str]  # client, model


@dataclass(eq=False)
class PlanMaker:
    """One plan in the making: the project before and after, and what was found so far."""

    session: Session
    before: Project
    after: Project
    as_of: str
    at: datetime
    client: str | None = None
    sample: int | None = None
    progress: Callable[[str], None] = lambda text: None
    failures: list[str] = field(default_factory=list)
    entangled: bool = False  # several changes touch the same records: together they may do what none does alone
    _resultants: dict[tuple[int, str], ClientProject] = field(default_factory=dict)

    @cached_property
    def positions(self) -> Mapping[Place, CursorPosition]:
        """How far each mapping of each client has come."""
        return read_cursors(self.session, AllClients("plan"), MAPPING)

    @property
    def clients(self) -> list[str]:
        """The clients that are compared: those of the project after."""
        return [each for each in clients(self.after) if self.client in (None, each)]

    def resultant(self, project: Project, client: str) -> ClientProject:
        """Return a client's resultant; a client that a project has not runs nothing there."""
        key = (id(project), client)
        if key not in self._resultants:
            if client in clients(project):
                self._resultants[key] = client_project(project, client)
            else:
                self._resultants[key] = _running_nothing(client_project(self.after, client))
        return self._resultants[key]

    def effects(self, after: Project, *, since_last_run: bool) -> list[Effects]:
        """Return what a project changes for each client that it changes anything for."""
        finder = EffectFinder(SharedMappings(), SharedMappings())
        positions = self.positions if since_last_run else None
        found = [finder.find(self.resultant(self.before, each), self.resultant(after, each), positions) for each in self.clients]
        return [each for each in found if each]

    @cached_property
    def whole(self) -> list[Effects]:
        """What all changes together do."""
        return self.effects(self.after, since_last_run=True)

    @cached_property
    def together(self) -> dict[Place, Difference]:
        """What differs with all changes together."""
        return self.evaluate(self.after, self.whole)

    def evaluate(self, after: Project, effects: Sequence[Effects]) -> dict[Place, Difference]:
        """Return what differs by client and model; what could not be worked out goes among the failures."""
        found: dict[Place, Difference] = {}
        with shared_queries(self.session, effects) as shared:
            before, then = partial(self.resultant, self.before), partial(self.resultant, after)
            told = Foresight(self.session, before, then, self.positions, self.as_of, self.at, shared)
            for each in effects:
                self.progress(f"{each.client}: comparing {', '.join(sorted(each.models)) or 'nothing'}")
                try:
                    differences = foresee(told, each) if self.sample is None else sample(told, each, self.sample)
                except Exception as error:  # whatever stops a comparison, half of one is no verdict
                    self.failures.append(f"{each.client}: {getattr(error, 'message', None) or f'{type(error).__name__}: {error}'}")
                    continue
                found |= {(one.client, one.model): one for one in differences}
        return found

    # ---- the changes

    def changes(self) -> list[PlannedChange]:
        """Return the changed things with what each does, the worst first."""
        things = find_changes(self.before, self.after)
        alone = {id(each): self._alone(each, things) for each in things}
        things += self._upgraded()
        touched: dict[Place, int] = {}
        for effects in alone.values():
            for place in _places(effects[1]) if effects else ():
                touched[place] = touched.get(place, 0) + 1
        self.entangled = any(number > 1 for number in touched.values())
        rest = _places(self.whole) - touched.keys() or _places(self.whole)
        planned = [self._planned(each, alone.get(id(each)), touched, rest) for each in things]
        return sorted(planned, key=lambda each: (_rank(each.change_class), -sum(one.size for one in each.differences), each.what, each.id))

    def _alone(self, thing: ChangedThing, things: Sequence[ChangedThing]) -> tuple[Project, list[Effects]] | None:
        """Return the applied project with one change and what it does; None where that does not stand."""
        if len(things) == 1:
            return self.after, self.whole
        if self._is_prose(thing):
            return self.before, []
        project = load_project_files(with_files(self.before, self.after, thing.paths))
        if any(each.severity is Severity.ERROR for each in project.findings):
            return None
        effects = self.effects(project, since_last_run=False)
        return None if any(each.errors for each in effects) or hand_over_errors(project) else (project, effects)

    def _is_prose(self, thing: ChangedThing) -> bool:
        old, new = self.before.decisions.get(thing.id), self.after.decisions.get(thing.id)
        return thing.what == "decision" and old is not None and new is not None and same_meaning(old, new) and not thing.undecided

    def _upgraded(self) -> list[ChangedThing]:
        """Return the mappings that mean something else though no file of theirs has changed."""
        known = {(each.client, mapping.name) for each in self.effects(self.after, since_last_run=False) for mapping in each.conform}
        names = sorted({mapping.name for each in self.whole for mapping in each.conform if (each.client, mapping.name) not in known})
        return [ChangedThing("mapping", name, []) for name in names]

    def _planned(
        self, thing: ChangedThing, alone: tuple[Project, list[Effects]] | None, touched: Mapping[Place, int], rest: set[Place]
    ) -> PlannedChange:
        notes = list(thing.breaks)
        failed = len(self.failures)
        if alone is None:
            effects = self.whole
            found = {place: one for place, one in self.together.items() if place in rest}
            notes.append(TOGETHER if thing.paths else UPGRADED)
        else:
            effects = alone[1]
            mine = _places(effects)
            shared = {place for place in mine if touched.get(place, 0) > 1}
            found = {place: one for place, one in self.together.items() if place in mine - shared} if mine - shared else {}
            if shared:
                found |= {place: one for place, one in self.evaluate(alone[0], effects).items() if place in shared}
        undecided = [*thing.undecided, *self.failures[failed:]]
        if effects and self.failures and not undecided:
            undecided += self.failures
        handed, leaves = self._handed_over(alone[0] if alone else self.after)
        differences = tuple(sorted(found.values(), key=lambda each: (_rank(_class_of(each)), -each.size, each.client, each.model)))
        planned_class = worst((self._class(thing, effects, differences, undecided), *(("breaking" if leaves else "additive",) if handed else ())))
        notes += handed
        if effects and not differences and not undecided and not handed:
            notes.append(UNSEEN if self.sample is None else UNSAMPLED)
        return PlannedChange(thing.what, thing.id, planned_class, differences, tuple(dict.fromkeys(undecided)), tuple(notes))

    def _handed_over(self, after: Project) -> tuple[list[str], bool]:
        """Tell what a project gives of shared streams to clients, and takes from them, at the next run; and whether any record leaves one."""
        told, leaves = [], False
        try:
            foreseen = foresee_moves(self.session, self.before, after, self.as_of)
        except StopError as error:
            self.failures.append(error.message)
            return [], False
        for name, counts in foreseen.items():
            gives = [f"{number} go to {client}" for (client, op), number in sorted(counts.items()) if op == "upsert"]
            takes = [f"{number} leave {client}" for (client, op), number in sorted(counts.items()) if op == "delete"]
            told.append(f"at the next run, of the records of {name}, {', '.join(gives + takes)}")
            leaves = leaves or bool(takes)
        return told, leaves

    def _class(self, thing: ChangedThing, effects: Sequence[Effects], differences: Sequence[Difference], undecided: Sequence[str]) -> str:
        if undecided or (self.sample is not None and effects):
            return "unknown"
        classes = [_class_of(each) for each in differences]
        if thing.breaks or any(each.silenced for each in effects):
            classes.append("breaking")
        if not classes and effects:
            grows = thing.what == "decision" and only_grows(self.before.decisions.get(thing.id), self.after.decisions.get(thing.id))
            classes.append("additive" if thing.added or grows or thing.what == "model" else "value-changing")
        if not classes and thing.added:
            classes.append("additive")
        return worst(classes)


def _class_of(difference: Difference) -> str:
    records = difference.records
    if records["removed"] or records["merged"] or records["split"] or difference.lost:
        return "breaking"
    if difference.overwritten or (difference.rewrites and not records["changed"]):
        return "value-changing"
    return "additive"


def class_of_all(differences: Sequence[Difference]) -> str:
    """Return the class of what several differences come to."""
    return worst(_class_of(each) for each in differences)


def _rank(change_class: str) -> int:
    return -("cosmetic", "additive", "value-changing", "breaking", "unknown").index(change_class)


def _places(effects: Sequence[Effects]) -> set[Place]:
    return {(each.client, model) for each in effects for model in each.models}


def _running_nothing(project: ClientProject) -> ClientProject:
    return replace(project, flows={})
