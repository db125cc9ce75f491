"""Turns nodes into columns, in as few SELECTs as their dependencies allow.

A *frame* is a record context: the landed record, or one element of an ``each``. Nodes that are used more than once, that can fail,
or that mark a decision become columns of the frame, once; everything else is nested where it is used. Columns have a *level*: a
column may use only columns of lower levels of its own frame and of the frames around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from treaty.compiler import ir
from treaty.compiler.decisions import is_hook
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.lineage import children, columns_read, first_source
from treaty.compiler.types import STRING
from treaty.engines.duckdb.folding import folded
from treaty.engines.duckdb.paths import Place, Shape, quote_name, quote_text, text_of, walk
from treaty.engines.duckdb.scalars import can_fail, hook_answer, render_reason, render_value, repeated_arguments

BITS = 62  # of a word of flags


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a conform query reads besides the records.

    ``column`` gives the physical name of a source column; ``columns`` those that exist (an absent one reads as null).
    ``lists`` are the JSON steps seen as arrays. ``reference`` gives a relation ``(k, v)`` of keys and the values of a lookup's field;
    ``children`` a relation ``(k, rows)`` of join keys (parts joined by U+001F) and lists of structs of physical columns: of a stream, by
    its join columns, with at least the columns that are read (one that the stream has not reads as null). ``repeating`` are the columns
    that have few values among many rows.
    """

    as_of: str
    column: Callable[[str], str] = str
    columns: frozenset[str] = frozenset()
    lists: frozenset[tuple[str, ...]] = frozenset()
    reference: Callable[[ir.Lookup], str] = field(default=lambda node: "SELECT NULL AS k, NULL AS v WHERE false")
    children: Callable[[str, tuple[str, ...], tuple[str, ...]], str] = field(default=lambda stream, on, read: "SELECT NULL AS k, NULL AS rows WHERE false")
    repeating: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Column:
    """A materialised node: its name and its level in its frame."""

    name: str
    level: int


@dataclass(frozen=True, slots=True)
class EachColumns:
    """What an ``each`` leaves behind for the record: which decisions changed something in its elements, and what failed in them."""

    notes: str | None  # the column that lists their notes, null where there are none; None where there cannot be any
    changed: Mapping[str, str]  # SQL, for each decision that is marked in them, of whether it changed something


@dataclass(slots=True)
class Frame:
    """One record context; ``layers[n]`` holds the (name, SQL) pairs of level n."""

    source: Callable[[ir.SourcePath], Place] = field(repr=False)
    present: Callable[[ir.SourcePath], str] = field(repr=False)
    broken: Callable[[ir.SourcePath], str | None] = field(repr=False)  # SQL of the reason why what holds a path cannot be read
    inputs: Inputs = field(repr=False)
    empty_is_null: bool
    variable: str = ""  # the lambda's parameter; empty for the record itself
    parent: Frame | None = None
    columns: dict[ir.Node, Column] = field(default_factory=dict, repr=False)
    layers: list[list[tuple[str, str]]] = field(default_factory=list, repr=False)
    eaches: dict[ir.Node, EachColumns] = field(default_factory=dict, repr=False)
    uses: Counter[ir.Node] = field(default_factory=Counter, repr=False)
    joins: list[tuple[int, str]] = field(default_factory=list, repr=False)
    outer_level: int = 0  # lowest level of the parent at which this frame's captures are there
    _lists: dict[ir.Node, str] = field(default_factory=dict, repr=False)
    _answers: dict[ir.Node, str] = field(default_factory=dict, repr=False)  # of hooks: value and reason
    names: list[int] = field(default_factory=lambda: [0], repr=False)  # shared counter

    # ---- names and levels

    def refer(self, name: str) -> str:
        """Return SQL for a column of this frame, from inside it or inside a frame below."""
        return f"{self.variable}.{name}" if self.variable else name

    def define(self, letter: str, sql: str, level: int) -> Column:
        """Add a column at a level."""
        self.names[0] += 1
        column = Column(f"{letter}{self.names[0]}", level)
        while len(self.layers) <= level:
            self.layers.append([])
        self.layers[level].append((column.name, sql))
        return column

    def count(self, roots: Iterable[ir.Node]) -> None:
        """Count how often each node is used below these roots, to know what is shared."""
        for root in roots:
            self.uses[root] += 1
            if self.uses[root] == 1:
                self.count(children(root))
                if isinstance(root, ir.Case):  # a condition stands in the value and in the reason
                    self.count(when for when, _ in root.whens)
                if isinstance(root, ir.Call):  # an argument may stand more than once in what a function is defined as
                    self.count(repeated_arguments(root))
                if isinstance(root, ir.ValueMap) and (root.null is not None or root.otherwise.startswith(("value:", "preserve"))):
                    self.count(children(root))
                if isinstance(root, ir.Decided):  # and a mark compares its body with its input
                    self.count(children(root))

    def ready(self, node: ir.Node) -> int:
        """Return the first level at which the SQL of :meth:`value` can stand."""
        found = self.columns.get(node)
        if found is not None:
            return found.level + 1
        if isinstance(node, ir.Source) and node.path.up:
            return 0
        return max((self.ready(child) for child in children(node)), default=0)

    # ---- making columns

    def prepare(self, node: ir.Node) -> int:
        """Make columns of what below ``node`` deserves one; return the level at which the node's SQL can stand."""
        if node in self.columns:
            return self.columns[node].level + 1
        if isinstance(node, ir.Source):
            return self._prepare_source(node)
        if isinstance(node, ir.Each):
            return self._prepare_each(node)
        level = max((self.prepare(child) for child in children(node)), default=0)
        if isinstance(node, ir.Fired):
            self.columns[node] = self.define("w", f"coalesce({self.value(node.operand)}, false)", level)
        elif isinstance(node, ir.Failed):
            self.columns[node] = self.define("w", self._failed(node.operand), level)
        elif isinstance(node, ir.Lookup):
            self.columns[node] = self._prepare_lookup(node, level)
        elif isinstance(node, ir.Call) and is_hook(node):
            answer = self.define("h", hook_answer(node, self._column, self._source_reason), level)
            self._answers[node] = self.refer(answer.name)
            self.columns[node] = self.define("v", f"{self._answers[node]}.value", level + 1)
        elif isinstance(node, ir.Present):
            self.columns[node] = self.define("w", self.present(node.path), 0)
        elif self._deserves(node):
            self.columns[node] = self.define("v", render_value(node, self._below(node), self._source_reason), level)
        else:
            return level
        return self.columns[node].level + 1

    def _deserves(self, node: ir.Node) -> bool:
        if isinstance(node, ir.Call | ir.ValueMap):
            return self.uses[node] > 1 or can_fail(node, shallow=True)
        if isinstance(node, ir.Case):
            return self.uses[node] > 1
        return False

    def _failed(self, operand: ir.Node) -> str:
        reason = self.reason(operand)
        return "false" if reason is None else f"({reason}) IS NOT NULL"

    def _prepare_source(self, node: ir.Source) -> int:
        if node.path.up:
            assert self.parent is not None, "the compiler refuses ^/ outside an each"
            outer = ir.Source(ir.SourcePath(node.path.steps, node.path.up - 1), node.type)
            self.outer_level = max(self.outer_level, self.parent.prepare(outer))
            return 0
        place = self.source(node.path)
        text = text_of(place, empty_is_null=self.empty_is_null)
        if not place.many:
            self.columns[node] = self.define("s", text, 0)
            return 1
        listed = self.define("l", text, 0)
        name = self.refer(listed.name)
        self.columns[node] = self.define("s", f"CASE WHEN len({name}) = 1 THEN {name}[1] END", 1)
        self._lists[node] = name
        return 2

    def _prepare_lookup(self, node: ir.Lookup, level: int) -> Column:
        relation = self.inputs.reference(node)
        key = self.value(node.key)
        if self.variable:  # inside an each nothing can be joined: the reference is read as one map
            return self.define("k", f"map_extract_value((SELECT map(list(k), list(v)) FROM ({relation})), {key})", level)
        self.names[0] += 1
        alias = f"j{self.names[0]}"
        column = self.define("k", f"{alias}.v", level)
        self.joins.append((level, f"LEFT JOIN ({relation}) {alias} ON {alias}.k = {key}"))
        return column

    # ---- reading columns

    def value(self, node: ir.Node) -> str:
        """Return SQL for a prepared node's value (null where it failed)."""
        return self._column(node) or render_value(node, self._column, self._source_reason)

    def reason(self, node: ir.Node) -> str | None:
        """Return SQL for a prepared node's reason, or None when it cannot fail."""
        return render_reason(node, self._column, self._source_reason)

    def offending(self, node: ir.Node) -> str:
        """Return SQL for the source text to show beside a failure."""
        found = first_source(node)
        if found is None:
            return "NULL"
        if found in self._lists:
            return f"array_to_string({self._lists[found]}, ' | ')"
        return f"CAST({self.value(found)} AS VARCHAR)"

    def _source_reason(self, node: ir.Node) -> str | None:
        if node in self._answers:
            return f"{self._answers[node]}.reason"
        if not isinstance(node, ir.Source | ir.Each) or node.path is None:
            return None
        if node.path.up:
            assert self.parent is not None
            return self.parent._source_reason(ir.Source(ir.SourcePath(node.path.steps, node.path.up - 1), node.type))
        listed, broken = self._lists.get(node), self.broken(node.path)
        many = None if listed is None else f"CASE WHEN len({listed}) > 1 THEN 'many-values' END"
        return f"coalesce({broken}, {many})" if broken and many else broken or many

    def _column(self, node: ir.Node) -> str | None:
        if isinstance(node, ir.Source) and node.path.up:
            assert self.parent is not None
            return self.parent._column(ir.Source(ir.SourcePath(node.path.steps, node.path.up - 1), node.type))
        if isinstance(node, ir.Param):  # outbound: a field of the golden record
            return quote_name(node.name)
        if isinstance(node, ir.ReceivedAt):
            return "_received_at"
        if isinstance(node, ir.AsOf):
            return f"DATE {quote_text(self.inputs.as_of)}"
        found = self.columns.get(node)
        return None if found is None else self.refer(found.name)

    def _below(self, defining: ir.Node) -> Callable[[ir.Node], str | None]:
        return lambda node: None if node == defining else self._column(node)

    # ---- repeating groups

    def _prepare_each(self, node: ir.Each) -> int:
        group, shape = self._join_children(node.join, columns_read(node)) if node.join is not None else self._split(node)
        inner = self._element_frame(shape, self.empty_is_null if node.join is None else node.join.empty_is_null)
        roots = [each for _, each in node.fields]
        inner.count(roots)
        for each in roots:
            inner.prepare(each)
        changed = changes(inner, roots)
        wrong, notes = inner.failures(node)
        made = ", ".join(f"{quote_name(name)}: {inner.value(each)}" for name, each in node.fields)
        flags = [*(" OR ".join(each) for each in changed.values()), *([" OR ".join(wrong)] if wrong else [])]
        words = {f"flags_{number}": bits(flags[start : start + BITS]) for number, start in enumerate(range(0, len(flags), BITS))}
        elements, element = self.refer(group.name), inner.variable
        column = self.define("e", inner.folded(elements, {"made": f"{{{made}}}"} | words), max(group.level + 1, inner.outer_level))
        name, level = self.refer(column.name), column.level + 1
        listed = f"coalesce(list_transform({name}, lambda {element}: {element}.made), [])"
        broken = self.broken(node.path) if node.path is not None else None
        if broken:
            listed = f"CASE WHEN ({broken}) IS NULL THEN {listed} END"
        self.columns[node] = self.define("v", listed, level)
        seen = [self.define("f", f"coalesce(list_bit_or(list_transform({name}, lambda {element}: {element}.{word})), 0)", level) for word in words]
        tests = [f"({self.refer(seen[number // BITS].name)} & {1 << number % BITS}) <> 0" for number in range(len(flags))]
        noted = None
        if wrong:  # most records have none: what failed is told from the elements again, where something did
            told = f"flatten(list_transform({inner.folded(elements, {'notes': notes})}, lambda {element}: {element}.notes))"
            noted = self.refer(self.define("n", f"CASE WHEN {tests[-1]} THEN {told} END", level + 1).name)
        self.eaches[node] = EachColumns(noted, dict(zip(changed, tests, strict=False)))
        return self.columns[node].level + 1

    def _split(self, node: ir.Each) -> tuple[Column, Shape | None]:
        assert node.path is not None
        place = self.source(node.path)
        elements = place.sql if place.many else f"CASE WHEN {place.sql} IS NOT NULL THEN [{place.sql}] END"
        return self.define("g", elements, 0), place.shape

    def _join_children(self, join: ir.ChildJoin, read: tuple[str, ...]) -> tuple[Column, Shape | None]:
        level = max(self.prepare(value) for _, value in join.on)
        key = " || chr(31) || ".join(self.value(value) for _, value in join.on)
        self.names[0] += 1
        alias = f"j{self.names[0]}"
        relation = self.inputs.children(join.stream, tuple(column for column, _ in join.on), read)
        self.joins.append((level, f"LEFT JOIN ({relation}) {alias} ON {alias}.k = {key}"))
        return self.define("g", f"{alias}.rows", level), None

    def _element_frame(self, shape: Shape | None, empty_is_null: bool) -> Frame:
        self.names[0] += 1
        variable = f"e{self.names[0]}"

        def source(path: ir.SourcePath) -> Place:
            if shape is None:
                return Place(f"{variable}.{quote_name(self.inputs.column(path.steps[0].name))}", False, Shape(False, leaf=True))
            return walk(Place(variable, False, shape), path.steps)

        def present(path: ir.SourcePath) -> str:
            place = source(path)
            return f"coalesce(len({place.sql}) > 0, false)" if place.many else f"{place.sql} IS NOT NULL"

        return Frame(source, present, lambda path: None, self.inputs, empty_is_null, variable, self, names=self.names)

    def folded(self, elements: str, members: Mapping[str, str]) -> str:
        """Return SQL that turns raw elements into structs of these members, each SQL over this frame's columns."""
        return folded(self.variable, elements, {name: sql for pairs in self.layers for name, sql in pairs}, members)

    def failures(self, node: ir.Each) -> tuple[list[str], str]:
        """Return tests of an element, one of which is true where something failed or is required and absent, and SQL of its notes."""
        tests, items = [], []
        for name, each in node.fields:
            required, reason, value = name in node.required, self.reason(each), self.value(each)
            if required:
                tests.append(f"{value} IS NULL")  # what failed is null
                absent = f"CASE WHEN {value} IS NULL THEN 'required' END"
                reason = absent if reason is None else f"coalesce({reason}, {absent})"
            elif reason is not None:
                tests.append(f"({reason}) IS NOT NULL")
            if reason is not None:
                item = f"{{field: {quote_text(name)}, rule: ({reason}), value: {self.offending(each)}, fatal: {str(required).lower()}}}"
                items.append(f"CASE WHEN ({reason}) IS NOT NULL THEN [{item}] END")
            inside = self.eaches.get(each)
            if inside is not None and inside.notes is not None:
                tests.append(f"{inside.notes} IS NOT NULL")
                items.append(nested_notes(inside.notes, name))
        return tests, f"flatten([{', '.join(f'coalesce({item}, [])' for item in items)}])"


def bits(tests: Iterable[str | None]) -> str:
    """Return SQL of a number whose bits, from the lowest on, say which of these tests are true; up to ``BITS`` of them."""
    said = (f"(CAST(({test}) AS BIGINT) << {number})" for number, test in enumerate(tests) if test is not None)
    return " | ".join(said) or "CAST(0 AS BIGINT)"


def nested_notes(column: str, name: str) -> str:
    """Return SQL for the notes of an each's elements, their fields prefixed with the each's name; null when there are none."""
    return f"list_transform({column}, lambda n: {{field: {quote_text(name + '.')} || n.field, rule: n.rule, value: n.value, fatal: n.fatal}})"


def changes(frame: Frame, roots: Iterable[ir.Node]) -> dict[str, tuple[str, ...]]:
    """Return, for each decision that is marked below these roots, SQL of tests of which one is true where it changed something."""
    tests: dict[str, dict[str, None]] = {}
    seen: set[ir.Node] = set()

    def visit(node: ir.Node) -> None:
        if node in seen:
            return
        seen.add(node)
        if isinstance(node, ir.Each):
            inside = frame.eaches[node]
            for decision, changed in inside.changed.items():
                tests.setdefault(decision, {})[changed] = None
            return
        if isinstance(node, ir.Decided):
            tests.setdefault(node.decision, {})[_changed(frame, node)] = None
        for child in children(node):
            visit(child)

    for root in roots:
        visit(root)
    return {decision: tuple(each) for decision, each in tests.items()}


# What a text looks like that the engine would read as such a value: a cast that fails writes its message, at ten times the cost of this.
_READABLE = {
    "BOOLEAN": "lower({0}) IN ('true', 'false')",
    "DATE": "{0} LIKE '____-__-__'",
    "TIMESTAMP": "{0} LIKE '____-__-__%'",
    "BIGINT": "regexp_full_match({0}, '[-+]?[0-9]+')",
    "DECIMAL": "regexp_full_match({0}, '[-+]?[0-9]*\\.?[0-9]*')",
}


def _changed(frame: Frame, mark: ir.Decided) -> str:
    if mark.input is None:
        return f"{frame.value(mark.body)} IS NOT NULL"
    given, made = frame.value(mark.input), frame.value(mark.body)
    if mark.input.type != mark.body.type:  # a number or date that already stood there as the engine writes it is no change
        kind = duckdb_type(mark.body.type)
        readable = next((test.format(given) for name, test in _READABLE.items() if kind.startswith(name)), None)
        given = f"try_cast({given} AS {kind})"
        if mark.input.type == STRING and readable:
            given = f"CASE WHEN {readable} THEN {given} END"
    return f"{made} IS DISTINCT FROM {given}"
