"""Renders nodes as DuckDB expressions, after the rules of :mod:`treaty.compiler.ir`.

The value of a node that failed is null, always; so a strict function of it is null by itself, and only what is not strict
(``coalesce``, a ``case``, a code list with a value for null) has to look at the reasons of its operands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import TypeAlias

from treaty.compiler.decisions import is_hook
from treaty.compiler.functions import FUNCTIONS
from treaty.compiler.functions.definition import Definition, sql_text
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.ir import (
    Call,
    Case,
    Decided,
    Each,
    Failed,
    Fired,
    Literal,
    Lookup,
    Member,
    Node,
    Param,
    Source,
    ValueMap,
)
from treaty.compiler.lineage import children
from treaty.compiler.types import INTEGER, DecimalType, ListType
from treaty.engines.duckdb.paths import quote_name
from treaty.errors import DefectError

ENGINE = "duckdb"
Columns: TypeAlias = Callable[[Node], "str | None"]


def no_columns(node: Node) -> str | None:
    """Say that nothing is a column."""
    return None


# ---- values


def render_value(node: Node, columns: Columns = no_columns, reasons: Columns = no_columns) -> str:
    """Return SQL of the node's value: null where it is null, and where it failed.

    ``columns`` is asked first at every node and gives the SQL of what is a column already; sources, lookups and
    repeating groups always are. ``reasons`` gives the reasons of these, as for :func:`render_reason`.
    """
    column = columns(node)
    if column is not None:
        return column
    match node:
        case Literal():
            return render_literal(node)
        case Call():
            return _call_value(node, columns, reasons)
        case Case():
            return _case_value(node, columns, reasons)
        case ValueMap():
            return _map_value(node, columns, reasons)
        case Decided(body=body):
            return render_value(body, columns, reasons)
        case Failed(operand=operand):
            reason = _reason(operand, columns, reasons)
            return "false" if reason is None else f"({reason} IS NOT NULL)"
        case Fired(operand=operand):
            return f"coalesce({render_value(operand, columns, reasons)}, false)"
        case Member(operand=operand, name=name):
            return _member_value(render_value(operand, columns, reasons), operand, name)
    raise DefectError(f"the engine was given no column for {type(node).__name__}", remedy="Report this.")


def render_literal(node: Literal) -> str:
    """Return a constant as a DuckDB literal of its type."""
    value = node.value
    if value is None:
        return "NULL" if str(node.type) == "null" else f"CAST(NULL AS {duckdb_type(node.type)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        written = value.isoformat(" ")
        return f"{duckdb_type(node.type)} '{written}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(node.type, DecimalType):
        return f"CAST('{value:f}' AS {duckdb_type(node.type)})"
    if node.type == INTEGER:
        return str(value) if -(2**31) < int(value) < 2**31 and int(value) >= 0 else f"CAST('{value}' AS BIGINT)"
    return sql_text(str(value))


def define_call(definition: Definition, rendered: list[str], node: Call) -> str:
    """Return SQL of a call by its definition for this engine."""
    if callable(definition):
        return definition(rendered, node)
    for position in range(len(rendered)):
        definition = definition.replace(f"{{{position}}}", f"\0{position}\0")
    for position, sql in enumerate(rendered):
        definition = definition.replace(f"\0{position}\0", sql)
    return definition


@cache
def _repeated_positions(node: Call) -> tuple[int, ...]:
    definition = FUNCTIONS[node.function].definitions[ENGINE]
    holders = [f"\x01{position}\x01" for position in range(len(node.args))]
    sql = define_call(definition, holders, node)
    return tuple(position for position, holder in enumerate(holders) if sql.count(holder) > 1)


def repeated_arguments(node: Call) -> tuple[Node, ...]:
    """Return the arguments that stand more than once in a call's SQL, which DuckDB would compute as often."""
    if is_hook(node):
        return ()
    blank = replace(node, args=tuple(each if isinstance(each, Literal) else Param("", each.type) for each in node.args))
    return tuple(node.args[position] for position in _repeated_positions(blank))


def _call_value(node: Call, columns: Columns, reasons: Columns) -> str:
    if is_hook(node):
        return f"struct_extract({hook_answer(node, columns, reasons)}, 'value')"
    rendered = [render_value(arg, columns, reasons) for arg in node.args]
    function = FUNCTIONS[node.function]
    sql = define_call(function.definitions[ENGINE], rendered, node)
    if function.strict:
        return sql
    return _unless_failed(node.args, columns, reasons, sql)


def hook_answer(node: Call, columns: Columns = no_columns, reasons: Columns = no_columns) -> str:
    """Return SQL of what a hook answers: a struct of its value and its reason."""
    return f"{quote_name(node.function)}({', '.join(render_value(arg, columns, reasons) for arg in node.args)})"


def _unless_failed(operands: Iterable[Node], columns: Columns, reasons: Columns, sql: str) -> str:
    """Return SQL that is null where an operand failed."""
    found = (_lazy_reason(each, columns, reasons) for each in operands)
    tests = dict.fromkeys(f"{reason} IS NULL" for reason in found if reason is not None)
    return f"CASE WHEN {' AND '.join(tests)} THEN {sql} END" if tests else sql


def _case_value(node: Case, columns: Columns, reasons: Columns) -> str:
    parts = []
    for condition, then in node.whens:
        parts.append(f"WHEN {render_value(condition, columns, reasons)} THEN {render_value(then, columns, reasons)}")
        reason = _lazy_reason(condition, columns, reasons)
        if reason is not None:
            parts.append(f"WHEN {reason} IS NOT NULL THEN NULL")
    return f"CASE {' '.join(parts)} ELSE {render_value(node.otherwise, columns, reasons)} END"


def _map_value(node: ValueMap, columns: Columns, reasons: Columns) -> str:
    """Look a value up in a constant list: functions alone, which DuckDB runs once for each entry of a dictionary."""
    given = render_value(node.input, columns, reasons)
    found = _look_up(given, node)
    rest = node.otherwise.removeprefix("value:") if node.otherwise.startswith("value:") else None
    if rest is not None:
        sql = f"coalesce({found}, {sql_text(rest)})"
        if node.null is None:
            return f"CASE WHEN {given} IS NOT NULL THEN {sql} END"
        if node.null == rest:
            return _unless_failed([node.input], columns, reasons, sql)
    else:
        sql = f"coalesce({found}, {given})" if node.otherwise == "preserve" else found
    if node.null is None:
        return sql
    return _unless_failed([node.input], columns, reasons, f"CASE WHEN {given} IS NULL THEN {sql_text(node.null)} ELSE {sql} END")


def _folded(sql: str) -> str:
    from treaty.compiler.functions.text import stripped

    return f"lower({stripped(sql)})"


def _folded_key(key: str) -> str:
    """Return a code list's entry folded: at once where it is ASCII, else by the engine, whose lower case it then is."""
    return sql_text(key.strip(" \t\n\r\f\v").lower()) if key.isascii() else _folded(sql_text(key))


def _look_up(given: str, node: ValueMap) -> str:
    folded = node.match == "trim_casefold"
    keys = ", ".join(_folded_key(each) if folded else sql_text(each) for each, _ in node.entries)
    values = ", ".join(sql_text(each) for _, each in node.entries)
    key = _folded(given) if folded else given
    return f"list_extract([{values}], list_position([{keys}], {key}))" if node.entries else "CAST(NULL AS VARCHAR)"


def _member_value(sql: str, operand: Node, name: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if isinstance(operand.type, ListType):
        return f"list_transform({sql}, lambda member: member.{quoted})"
    return f"struct_extract({sql}, {sql_text(name)})"


# ---- reasons


def can_fail(node: Node, *, shallow: bool = False) -> bool:
    """Return whether a node can fail; ``shallow``: by itself, whatever its operands do."""
    match node:
        case Call():
            own = is_hook(node) or FUNCTIONS[node.function].can_fail(node)
        case ValueMap(otherwise=otherwise):
            own = otherwise == "quarantine"
        case Source() | Lookup() | Each():
            own = True
        case Failed() | Fired():
            return False
        case _:
            own = False
    if own or shallow:
        return own
    if isinstance(node, Decided):
        return can_fail(node.body)
    return any(can_fail(each) for each in children(node))


def render_reason(node: Node, columns: Columns = no_columns, reasons: Columns = no_columns) -> str | None:
    """Return SQL of the node's reason: a code where it failed, else null; None where it cannot fail.

    ``reasons`` is asked first at every source, lookup and repeating group, and at every other node that can fail by itself.
    """
    return _lazy_reason(node, columns, reasons)


def _lazy_reason(node: Node, columns: Columns, reasons: Columns) -> str | None:
    """Return SQL of a reason that is worked out only where the value is null: DuckDB evaluates a CASE's branches by need."""
    detail = _reason(node, columns, reasons)
    if detail is None or isinstance(node, Source | Lookup | Each):
        return detail
    lazy = f"CASE WHEN {render_value(node, columns, reasons)} IS NULL "
    return detail if detail.startswith(lazy) and detail.endswith("END") else f"{lazy}THEN {detail} END"


def _reason(node: Node, columns: Columns, reasons: Columns) -> str | None:
    match node:
        case Source() | Each():
            return reasons(node)
        case Lookup(key=key):
            return _first([each for each in (_reason(key, columns, reasons), reasons(node)) if each is not None])
        case Call():
            return _call_reason(node, columns, reasons)
        case Case():
            return _case_reason(node, columns, reasons)
        case ValueMap():
            return _map_reason(node, columns, reasons)
        case Decided(body=body):
            return _reason(body, columns, reasons)
        case Member(operand=operand):
            return _reason(operand, columns, reasons)
    return None


def _first(reasons: list[str]) -> str | None:
    parts = list(dict.fromkeys(reasons))
    if len(parts) < 2:
        return parts[0] if parts else None
    return f"coalesce({', '.join(parts)})"


def _call_reason(node: Call, columns: Columns, reasons: Columns) -> str | None:
    parts = [reason for arg in node.args if (reason := _reason(arg, columns, reasons)) is not None]
    if is_hook(node):
        parts.append(reasons(node) or f"struct_extract({hook_answer(node, columns, reasons)}, 'reason')")
    elif can_fail(node, shallow=True):
        function = FUNCTIONS[node.function]
        rendered = [render_value(arg, columns, reasons) for arg in node.args]
        why = function.why.get(ENGINE)
        code = sql_text(function.reasons[0]) if why is None else define_call(why, rendered, node)
        tests = [f"{render_value(node, columns, reasons)} IS NULL"]
        tests += [f"{sql} IS NOT NULL" for sql, arg in zip(rendered, node.args, strict=True) if not isinstance(arg, Literal)]
        if any(isinstance(arg, Literal) and arg.value is None for arg in node.args):
            return _first(parts)
        parts.append(f"CASE WHEN {' AND '.join(tests)} THEN {code} END")
    return _first(parts)


def _case_reason(node: Case, columns: Columns, reasons: Columns) -> str | None:
    parts, any_reason = [], False
    for condition, then in node.whens:
        failed = _lazy_reason(condition, columns, reasons)
        taken = _reason(then, columns, reasons)
        any_reason = any_reason or failed is not None or taken is not None
        parts.append(f"WHEN {render_value(condition, columns, reasons)} THEN {taken or 'NULL'}")
        if failed is not None:
            parts.append(f"WHEN {failed} IS NOT NULL THEN {failed}")
    otherwise = _reason(node.otherwise, columns, reasons)
    if not any_reason and otherwise is None:
        return None
    return f"CASE {' '.join(parts)} ELSE {otherwise or 'NULL'} END"


def _map_reason(node: ValueMap, columns: Columns, reasons: Columns) -> str | None:
    inner = _reason(node.input, columns, reasons)
    parts = [] if inner is None else [inner]
    if node.otherwise == "quarantine":
        given = render_value(node.input, columns, reasons)
        parts.append(f"CASE WHEN {render_value(node, columns, reasons)} IS NULL AND {given} IS NOT NULL THEN 'unmapped-value' END")
    return _first(parts)
