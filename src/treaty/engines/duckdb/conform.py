"""Conforms landed records: one vectorised query for one compiled mapping over any relation of landed rows.

The query gives one row a record: the landing columns it needs, ``_state`` (good, quarantined, filtered), ``_reason`` of a filtered
one, ``_notes`` (what failed: field, rule, offending text, whether it was fatal), ``_findings`` (quality rules that mark it),
``_fired`` (decisions that changed something, a bit each, 62 a word), ``_keys`` (match keys), ``_member_id``, and the model's fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treaty.compiler import ir
from treaty.compiler.compiled import UNREADABLE_VERSION, CompiledMapping, CompiledStream
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.lineage import children
from treaty.compiler.types import Type
from treaty.engines.duckdb.frames import BITS, Frame, Inputs, bits, changes, nested_notes
from treaty.engines.duckdb.paths import Place, Shape, joined_key, json_path, quote_name, quote_text, walk
from treaty.engines.duckdb.repeated import once_a_value
from treaty.project.formats import shape_of_format

LANDED = ("_landed_id", "_client", "_source_key", "_source_version", "_received_at", "_op", "_locator", "_batch")


def sources_of(nodes: Sequence[ir.Node]) -> tuple[list[ir.SourcePath], list[ir.Each]]:
    """Return the paths read from the record itself, and its repeating groups (whose own paths are read from their elements)."""
    paths: dict[ir.SourcePath, None] = {}
    eaches: dict[ir.Each, None] = {}

    def visit(node: ir.Node, depth: int) -> None:
        if isinstance(node, ir.Source | ir.Present) and node.path.up == depth:
            paths[ir.SourcePath(node.path.steps)] = None
        if isinstance(node, ir.Each):
            if depth == 0:
                eaches[node] = None
            for _, each in node.fields:
                visit(each, depth + 1)
        for child in children(node):
            visit(child, depth)

    for node in nodes:
        visit(node, 0)
    return list(paths), list(eaches)


def shape_of(nodes: Sequence[ir.Node], *, xml: bool, at: Shape | None = None) -> Shape:
    """Return the shape of everything these nodes read of their record."""
    shape = at or Shape(xml)
    paths, eaches = sources_of(nodes)
    for path in paths:
        shape.add(path.steps).leaf = True
    for each in eaches:
        if each.path is None:
            continue
        below = shape.add(each.path.steps)
        below.listed = True
        shape_of([value for _, value in each.fields], xml=xml, at=below)
    return shape


def mark_lists(shape: Shape, lists: frozenset[tuple[str, ...]], prefix: tuple[str, ...] = ()) -> None:
    """Mark the JSON steps that were seen as arrays."""
    for name, child in shape.children.items():
        at = (*prefix, name)
        child.listed = child.listed or at in lists
        mark_lists(child, lists, at)


class RecordReader:
    """Gives the places of source paths in a landed row: its columns, or its payload read by shape."""

    def __init__(self, stream: CompiledStream, nodes: Sequence[ir.Node], inputs: Inputs) -> None:
        self.stream = stream
        self.inputs = inputs
        self.document = shape_of_format(stream.format) != "columns"
        self.elements = shape_of_format(stream.format) == "elements"
        if self.document:
            self.shapes = {"payload": shape_of(nodes, xml=self.elements)}
        else:
            self.shapes = {name: shape for name, shape in shape_of(nodes, xml=False).children.items() if name in stream.nested}
        for name, shape in self.shapes.items():
            mark_lists(shape, inputs.lists, () if self.document else (name,))
            shape.listed = shape.listed or not self.document
        self._parsed = {name: (f"doc_{number}", self._parse(name)) for number, name in enumerate(self.shapes)}

    def _parse(self, name: str) -> str:
        if self.document:
            return f"from_json(payload, {self.shapes['payload'].spell()})"
        column = self._column(name)
        return f"try_cast({column} AS JSON)"

    def parsed(self) -> list[tuple[str, str]]:
        """Return the columns that read documents, as (name, SQL), below every level."""
        return list(self._parsed.values())

    def _document(self, name: str) -> str:
        return self._parsed[name][0]

    def _column(self, name: str) -> str:
        physical = self.inputs.column(name)
        return quote_name(physical) if physical in self.inputs.columns else "CAST(NULL AS VARCHAR)"

    def source(self, path: ir.SourcePath) -> Place:
        """Return the place of a path."""
        if self.document:
            return walk(Place(self._document("payload"), False, self.shapes["payload"]), path.steps)
        name = path.steps[0].name
        if name not in self.shapes:
            return Place(self._column(name), False, Shape(False, leaf=True))
        holder = Shape(False, children={name: self.shapes[name]})
        return walk(Place(f"{{{quote_name(name)}: {self._document(name)}}}", False, holder), path.steps)

    def broken(self, path: ir.SourcePath) -> str | None:
        """Return SQL of the reason why the column that holds a path cannot be read as JSON, or None where it is none."""
        name = path.steps[0].name
        if self.document or name not in self.shapes:
            return None
        return f"CASE WHEN nullif({self._column(name)}, '') IS NOT NULL AND {self._document(name)} IS NULL THEN 'bad-json' END"

    def present(self, path: ir.SourcePath) -> str:
        """Return SQL that is true where the path is there at all."""
        if self.elements:
            place = self.source(path)
            return f"coalesce(len({place.sql}) > 0, false)" if place.many else f"{place.sql} IS NOT NULL"
        if self.document:
            return f"json_exists(payload, {quote_text(json_path(path))})"
        return f"{self._column(path.steps[0].name)} IS NOT NULL"


def frame_of(stream: CompiledStream, nodes: Sequence[ir.Node], inputs: Inputs) -> tuple[Frame, RecordReader]:
    """Return a fresh frame over landed rows, and the reader behind it."""
    reader = RecordReader(stream, nodes, inputs)
    frame = Frame(reader.source, reader.present, reader.broken, inputs, stream.empty_is_null)
    frame.count(nodes)
    return frame, reader


def conform_sql(mapping: CompiledMapping, relation: str, inputs: Inputs, *, versioned: bool = False) -> str:
    """Return the conform query over ``relation`` (SQL of landed rows with their landing columns).

    ``versioned`` tells that every row landed with a version, so that none has to be read again.
    """
    version = None if versioned else mapping.stream.version
    roots = [*mapping.roots, *([version] if version else [])]
    frame, reader = frame_of(mapping.stream, roots, inputs)
    level = max((frame.prepare(node) for node in roots), default=0)
    reasons = {each.name: frame.reason(each.node) for each in mapping.fields}
    names = {name: frame.define("r", sql, level).name for name, sql in reasons.items() if sql is not None}
    changed = {
        decision: " OR ".join(frame.define("c", test, level).name for test in tests)
        for decision, tests in changes(frame, [each.node for each in mapping.fields]).items()
    }
    outputs = _outputs(mapping, frame, names, changed, _unreadable(frame, version, level))
    frame.layers = once_a_value(frame.layers, inputs.repeating, [*outputs, *(text for _, text in frame.joins)])
    return f"SELECT {', '.join(outputs)} FROM ({select_layers(frame, reader, relation)})"


def select_layers(frame: Frame, reader: RecordReader, relation: str) -> str:
    """Return the chain of SELECTs that computes a frame's columns over a relation."""
    parsed = "".join(f", {sql} AS {name}" for name, sql in reader.parsed())
    sql = f"SELECT *{parsed} FROM ({relation})"
    for level, pairs in enumerate(frame.layers):
        joins = " ".join(text for at, text in frame.joins if at == level)
        if pairs:
            columns = ", ".join(f"{text} AS {name}" for name, text in pairs)
            sql = f"SELECT t.*, {columns} FROM ({sql}) t {joins}"
    return sql


@dataclass(frozen=True, slots=True)
class _Version:
    """SQL of a record's version where it has to be read again: the number, whether it is there and cannot be read, and what it says."""

    number: str
    unreadable: str
    offending: str


def _unreadable(frame: Frame, version: ir.Node | None, level: int) -> _Version | None:
    if version is None:
        return None
    value, reason = frame.value(version), frame.reason(version)
    number = frame.define("v", f"CASE WHEN _source_version IS NULL THEN {version_number(value, version.type)} ELSE _source_version END", level).name
    failed = f"{value} IS NOT NULL" if reason is None else f"({value} IS NOT NULL OR ({reason}) IS NOT NULL)"
    return _Version(number, frame.define("w", f"{number} IS NULL AND {failed}", level + 1).name, frame.offending(version))


def version_number(value: str, kind: Type) -> str:
    """Return SQL of the number that versions are ordered by."""
    return f"epoch_us({value})" if str(kind) in ("timestamp", "local_timestamp", "date") else f"try_cast({value} AS BIGINT)"


def _outputs(mapping: CompiledMapping, frame: Frame, reasons: Mapping[str, str], changed: Mapping[str, str], version: _Version | None) -> list[str]:
    own = "_landed_id" if mapping.stream.key else "if(_op = 'delete', coalesce(_supersedes, _landed_id), _landed_id)"  # a delete without a key names what it ends
    member = f"concat_ws('|', _client, {quote_text(mapping.model)}, {quote_text(mapping.stream.name)}, coalesce(_source_key, CAST({own} AS VARCHAR)))"
    state, reason = _state(mapping, frame, reasons, version)
    landed = [f"{version.number} AS _source_version" if version and each == "_source_version" else each for each in LANDED]
    outputs = [*landed, f"{uuid8(member)} AS _member_id", f"{state} AS _state", f"{reason} AS _reason"]
    outputs.append(f"{_notes(mapping, frame, reasons, version)} AS _notes")
    outputs.append(f"{_findings(mapping, frame)} AS _findings")
    outputs.append(f"{_fired(mapping, frame, changed)} AS _fired")
    outputs.append(f"{_keys(mapping, frame)} AS _keys")
    for each in mapping.fields:
        value = frame.value(each.node)
        guarded = f"CASE WHEN {reasons[each.name]} IS NULL THEN {value} END" if each.name in reasons else value
        outputs.append(f"CAST({guarded} AS {duckdb_type(each.type)}) AS {quote_name(each.name)}")
    return outputs


def _state(mapping: CompiledMapping, frame: Frame, reasons: Mapping[str, str], version: _Version | None) -> tuple[str, str]:
    filtered = [(frame.value(fired), f"scope:{decision}") for decision, fired in mapping.scopes]
    filtered += [(frame.value(case.when), f"reject:{case.decision}") for case in mapping.edge_cases if case.treatment == "reject"]
    fatal = [frame.value(case.when) for case in mapping.edge_cases if case.treatment == "quarantine"]
    keyed = {name for key in mapping.keys for part in key.parts for name in _fields_in(part, mapping)}
    for each in mapping.fields:
        if each.required:
            fatal.append(f"{frame.value(each.node)} IS NULL")
        if each.name in reasons and (each.required or each.name in keyed):
            fatal.append(f"{reasons[each.name]} IS NOT NULL")
        inside = frame.eaches.get(each.node)
        if inside is not None and inside.notes is not None:
            fatal.append(f"coalesce(list_bool_or(list_transform({inside.notes}, lambda n: n.fatal)), false)")
    if mapping.stream.key:
        fatal.append("_source_key IS NULL")
    if version is not None:
        fatal.append(version.unreadable)
    cases = "".join(f" WHEN {sql} THEN 'filtered'" for sql, _ in filtered)
    cases += f" WHEN {' OR '.join(fatal)} THEN 'quarantined'" if fatal else ""
    told = "".join(f" WHEN {sql} THEN {quote_text(why)}" for sql, why in filtered)
    untold = "" if version is None else f" WHEN _op = 'delete' AND {version.unreadable} THEN 'quarantined'"
    deleted = f"CASE{untold} WHEN _op = 'delete' THEN 'good'"
    return f"{deleted}{cases} ELSE 'good' END", f"CASE WHEN _op = 'delete' THEN CAST(NULL AS VARCHAR){told} END"


def _fields_in(node: ir.Node, mapping: CompiledMapping) -> set[str]:
    by_node = {each.node: each.name for each in mapping.fields}
    found: set[str] = set()

    def visit(each: ir.Node) -> None:
        if each in by_node:
            found.add(by_node[each])
            return
        for child in children(each):
            visit(child)

    visit(node)
    return found


def _notes(mapping: CompiledMapping, frame: Frame, reasons: Mapping[str, str], version: _Version | None) -> str:
    tests, items = [], []

    def item(name: str, rule: str, value: str, fatal: bool) -> str:
        return f"{{field: {quote_text(name)}, rule: {rule}, value: {value}, fatal: {str(fatal).lower()}}}"

    if version is not None:  # first: what a record without an order waits for is told by the rule that it stands under
        tests.append(version.unreadable)
        items.append(f"CASE WHEN {version.unreadable} THEN [{item('', quote_text(UNREADABLE_VERSION), version.offending, True)}] END")
    keyed = {name for key in mapping.keys for part in key.parts for name in _fields_in(part, mapping)}
    for each in mapping.fields:
        value = frame.value(each.node)
        rule = reasons.get(each.name)
        if each.required:
            absent = f"CASE WHEN {value} IS NULL THEN 'required' END"
            rule = absent if rule is None else f"coalesce({rule}, {absent})"
            tests.append(f"{value} IS NULL")
        if rule is not None:
            if each.name in reasons:
                tests.append(f"{reasons[each.name]} IS NOT NULL")
            fatal = each.required or each.name in keyed
            items.append(f"CASE WHEN ({rule}) IS NOT NULL THEN [{item(each.name, f'({rule})', frame.offending(each.node), fatal)}] END")
        inside = frame.eaches.get(each.node)
        if inside is not None and inside.notes is not None:
            items.append(nested_notes(inside.notes, each.name))
            tests.append(f"{inside.notes} IS NOT NULL")
    for case in mapping.edge_cases:
        if case.treatment == "quarantine":
            tests.append(frame.value(case.when))
            field_name = case.sets[0] if case.sets else ""
            shown = next((frame.offending(each.node) for each in mapping.fields if each.name == field_name), "NULL")
            items.append(f"CASE WHEN {frame.value(case.when)} THEN [{item(field_name, quote_text(case.decision), shown, True)}] END")
    if mapping.stream.key:
        tests.append("_source_key IS NULL")
        items.append(f"CASE WHEN _source_key IS NULL THEN [{item('', quote_text('missing-key'), 'NULL', True)}] END")
    if not items:
        return "CAST([] AS STRUCT(field VARCHAR, rule VARCHAR, value VARCHAR, fatal BOOLEAN)[])"
    whole = f"flatten([{', '.join(f'coalesce({each}, [])' for each in items)}])"
    return f"CASE WHEN {' OR '.join(tests)} THEN {whole} ELSE [] END"


def _findings(mapping: CompiledMapping, frame: Frame) -> str:
    marks = []
    for rule in mapping.rules:
        broken = f"NOT {_bracket(frame.value(rule.kept))}"
        waived = "".join(f" AND NOT {frame.value(each)}" for each in rule.waived_by)
        marks.append(f"CASE WHEN {broken}{waived} THEN {quote_text(rule.id)} END")
    if not marks:
        return "CAST([] AS VARCHAR[])"
    return f"list_filter([{', '.join(marks)}], lambda m: m IS NOT NULL)"


def _bracket(sql: str) -> str:
    return f"({sql})"


def _fired(mapping: CompiledMapping, frame: Frame, changed: Mapping[str, str]) -> str:
    tests = dict(changed)
    tests |= {decision: frame.value(fired) for decision, fired in mapping.scopes}
    tests |= {case.decision: frame.value(case.when) for case in mapping.edge_cases}
    starts = range(0, max(len(mapping.decisions), 1), BITS)
    return f"[{', '.join(bits(tests.get(each) for each in mapping.decisions[start : start + BITS]) for start in starts)}]"


def _keys(mapping: CompiledMapping, frame: Frame) -> str:
    keys = []
    for number, key in enumerate(mapping.keys):
        parts = [f"CAST({frame.value(part)} AS VARCHAR)" for part in key.parts]
        there = " AND ".join(f"trim({part}) <> ''" for part in parts)  # null and blank are no key: they would join what has nothing in common
        strength = "" if key.strength == "strong" else "?"
        keys.append(f"CASE WHEN {there} THEN {quote_text(f'{strength}{number}:')} || {joined_key(parts)} END")
    return f"[{', '.join(keys)}]" if keys else "CAST([] AS VARCHAR[])"


def uuid8(text: str) -> str:
    """Return SQL for the UUIDv8 (RFC 9562) that carries the md5 of a text."""
    digest = f"md5({text})"
    return f"CAST(concat(substring({digest}, 1, 12), '8', substring({digest}, 14, 3), '8', substring({digest}, 18)) AS UUID)"
