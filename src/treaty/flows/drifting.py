"""Drift: how the shape of what a stream sends changes from one arrival to the next.

An arrival is compared with the last one of its origin; one of a new origin with the arrival before it. Documents that come one a file in
great numbers have no shape of their own worth comparing: what a commit lands of more than ``TOGETHER`` new origins is taken together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from treaty.compiler import ir
from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.lineage import children
from treaty.connectors.shapes import Shape, add_payloads, shape_of_object
from treaty.errors import TreatyError
from treaty.lake.handing_over import HANDED_OVER
from treaty.lake.objects import find_object, read_object
from treaty.lake.receipts import LandedArrival, landed_payloads
from treaty.lake.scope import OneClient
from treaty.project.declarations import ClientProject, Limits, Stream
from treaty.project.formats import shape_of_format
from treaty.sessions import Session

TOGETHER = 50  # arrivals of new origins in one commit; beyond, they are compared as one
MOST_BYTES = 64 * 1024 * 1024  # a larger object is not read again: its shape is that of what landed of it
COLUMN = "column"


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path whose values are of other kinds than before."""

    path: str
    was: str
    is_: str

    def to_json(self) -> dict[str, Any]:
        """The documented shape."""
        return {"path": self.path, "was": self.was, "is": self.is_}


@dataclass(frozen=True, slots=True)
class Drift:
    """What of a stream's shape changed from one arrival to another; ``mapped`` are those of the paths that a mapping reads."""

    stream: str
    client: str
    from_: str
    to: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[ChangedPath, ...] = ()
    mapped: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented shape."""
        return {
            "stream": self.stream, "client": self.client, "from": self.from_, "to": self.to, "added": self.added, "removed": self.removed,
            "changed": self.changed, "mapped": self.mapped,
        }  # fmt: skip


@dataclass(slots=True)
class _Shaped:
    """One arrival, or several taken together, with their shape. ``whole`` tells whether all of their records were looked at."""

    name: str
    shape: Shape = field(default_factory=dict)
    whole: bool = True


def stream_drift(session: Session, arrivals: Sequence[LandedArrival], stream: Stream, limits: Limits, mapped: frozenset[str]) -> Iterator[Drift]:
    """Yield each change of shape of one stream of one client, oldest first; ``arrivals`` are all of it in landing order."""
    last_of: dict[str, _Shaped] = {}
    before: _Shaped | None = None
    for _, group in groupby(arrivals, key=lambda each: each.batch):
        several = list(group)
        new = [each for each in several if each.origin not in last_of]
        together = _together(session, new, stream, limits) if len(new) > TOGETHER else None
        for each in several:
            if together is not None and each.origin not in last_of:
                continue
            shaped = _shaped(session, each, stream, limits)
            if shaped is None:
                continue
            compared = last_of.get(each.origin, before)
            if compared is not None and (found := compare(each, compared, shaped, mapped)):
                yield found
            last_of[each.origin] = before = shaped
        if together is not None:
            if before is not None and (found := compare(new[0], before, together, mapped)):
                yield found
            before = together
            last_of |= dict.fromkeys((each.origin for each in new), together)


def compare(arrival: LandedArrival, before: _Shaped, after: _Shaped, mapped: frozenset[str]) -> Drift | None:
    """Return what differs between two shapes, None where nothing does. What was not looked at whole proves no removal."""
    added = tuple(sorted(after.shape.keys() - before.shape.keys())) if before.whole else ()
    removed = tuple(sorted(before.shape.keys() - after.shape.keys())) if after.whole else ()
    both = sorted(path for path in before.shape.keys() & after.shape.keys() if before.whole and after.whole and before.shape[path] != after.shape[path])
    changed = tuple(ChangedPath(path, kinds_text(before.shape[path]), kinds_text(after.shape[path])) for path in both)
    if not (added or removed or changed):
        return None
    touched = (*added, *removed, *both)
    read = tuple(path for path in touched if path.replace("[]", "") in mapped)
    return Drift(arrival.place, arrival.client, before.name, after.name, added, removed, changed, read)


def kinds_text(kinds: set[str]) -> str:
    """Return kinds of values as one text: ``null or string``."""
    return " or ".join(sorted(kinds))


def _together(session: Session, arrivals: Sequence[LandedArrival], stream: Stream, limits: Limits) -> _Shaped:
    """Return many arrivals of one commit as one: the paths that any of them has."""
    found = _Shaped(f"{_name(arrivals[0])} and {len(arrivals) - 1} more")
    for each in arrivals:
        shaped = _shaped(session, each, stream, limits)
        if shaped is not None:
            found.whole = found.whole and shaped.whole
            for path, kinds in shaped.shape.items():
                found.shape.setdefault(path, set()).update(kinds)
    return found


def _shaped(session: Session, arrival: LandedArrival, stream: Stream, limits: Limits) -> _Shaped | None:
    """Return the shape of an arrival, None where no record of it could be read."""
    name = _name(arrival)
    if arrival.columns is not None:
        return _Shaped(name, {each: {COLUMN} for each in arrival.columns})
    shape = _read_again(session, arrival, stream, limits)
    if shape is not None:
        return _Shaped(name, shape) if shape else None
    shape = {}
    add_payloads(shape, landed_payloads(session, arrival), elements=shape_of_format(stream.format) == "elements")
    return _Shaped(name, shape, whole=not arrival.skipped) if shape else None


def _read_again(session: Session, arrival: LandedArrival, stream: Stream, limits: Limits) -> Shape | None:
    scope = OneClient(arrival.client)
    if HANDED_OVER in arrival.details:
        return None
    try:
        if find_object(session, scope, arrival.object_hash).size_bytes > MOST_BYTES:
            return None
        return shape_of_object(read_object(session, scope, arrival.object_hash), stream, limits, arrival.details)
    except TreatyError:  # erased, or damaged, which `doctor` tells
        return None


def _name(arrival: LandedArrival) -> str:
    return f"{arrival.origin} @ {arrival.received_at.isoformat(timespec='milliseconds')}"


# ---- what mappings read


def mapped_paths(mapping: CompiledMapping) -> frozenset[str]:
    """Return the source paths that a mapping reads of its stream, from the record on, without selectors."""
    found: set[str] = set()
    for root in mapping.roots:
        _collect(root, (), found)
    return frozenset(found)


def _collect(node: ir.Node, above: tuple[tuple[str, ...], ...], found: set[str]) -> None:
    """Add the paths below a node; ``above`` are the paths of the elements around it, outermost first."""
    if isinstance(node, ir.Source | ir.Present):
        found.add("/".join(_absolute(node.path, above)))
        return
    if isinstance(node, ir.Each):
        if node.join is not None:
            for _, value in node.join.on:
                _collect(value, above, found)
            return
        assert node.path is not None, "an each has a path or a join"
        here = _absolute(node.path, above)
        found.add("/".join(here))
        for _, value in node.fields:
            _collect(value, (*above, here), found)
        return
    for below in children(node):
        _collect(below, above, found)


def _absolute(path: ir.SourcePath, above: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    around = above[: len(above) - path.up]
    return (*(around[-1] if around else ()), *(step.name for step in path.steps if step.name not in ("#", ".")))


def mapped_by_stream(project: ClientProject, compiled: Mapping[str, CompiledMapping]) -> dict[str, frozenset[str]]:
    """Return, by stream, the paths that any of a client's inbound mappings reads."""
    found: dict[str, frozenset[str]] = {}
    for name, mapping in compiled.items():
        stream = project.mappings[name].from_
        found[stream] = found.get(stream, frozenset()) | mapped_paths(mapping)
    return found
