"""Functions over lists. Elements keep their order; positions count from 1; null elements are there, but are no values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treaty.compiler.functions.definition import Fails, Function, constant_value, define
from treaty.compiler.functions.duckdb_types import duckdb_type
from treaty.compiler.functions.typing import MAX_DIGITS
from treaty.compiler.ir import Call, Node
from treaty.compiler.types import INTEGER, DecimalType, ListType, StructType, Type

SAFE_SUM_DIGITS = 28  # ten thousand million elements of so many digits cannot overflow 38
PRESENT = "list_filter({0}, lambda each: each IS NOT NULL)"


def _item(node: Node) -> Type:
    assert isinstance(node.type, ListType)
    return node.type.item


def _sum_type(args: Sequence[Node]) -> Type:
    item = _item(args[0])
    return DecimalType(MAX_DIGITS, item.scale) if isinstance(item, DecimalType) else INTEGER


def _sum(rendered: Sequence[str], call: Call) -> str:
    item, kind = _item(call.args[0]), duckdb_type(call.type)
    zero = f"CAST(0 AS {kind})"
    if not isinstance(item, DecimalType):
        return f"CASE WHEN {rendered[0]} IS NOT NULL THEN try_cast(coalesce(list_sum({rendered[0]}), 0) AS BIGINT) END"
    total = f"list_sum({rendered[0]})"
    if item.precision > SAFE_SUM_DIGITS:  # DuckDB sums into 128 bits, which hold somewhat more than 38 digits
        nines = "9" * (MAX_DIGITS - item.scale) + "." + "9" * item.scale
        most = f"CAST('{nines}' AS {kind})"
        total = f"CASE WHEN TRY({total}) BETWEEN -{most} AND {most} THEN TRY({total}) END"
    empty = f"coalesce(list_count({rendered[0]}), 0) = 0"
    return f"CASE WHEN {rendered[0]} IS NULL THEN NULL WHEN {empty} THEN {zero} ELSE CAST({total} AS {kind}) END"


def _sum_may_fail(call: Call) -> bool:
    item = _item(call.args[0])
    return not isinstance(item, DecimalType) or item.precision > SAFE_SUM_DIGITS


def _of(rendered: Sequence[str], call: Call) -> str:
    return f"CAST([{', '.join(rendered)}] AS {duckdb_type(call.type)})"


def _refuse_structs(args: Sequence[Node]) -> None:
    if isinstance(_item(args[0]), StructType | ListType):
        raise ValueError("the elements are structs; take one member of them: lines.quantity")


def _need_index(args: Sequence[Node]) -> None:
    if int(str(constant_value(args[1]))) < 1:
        raise ValueError("elements are counted from 1")


def _contains(rendered: Sequence[str], call: Call) -> str:
    return f"list_contains({rendered[0]}, {rendered[1]})"


def _check_join(args: Sequence[Node]) -> None:
    _refuse_structs(args)


def _ordered(direction: str) -> Callable[[Sequence[str], Call], str]:
    return lambda rendered, call: f"list_sort({PRESENT.format(rendered[0])}, '{direction}')"


def _distinct(rendered: Sequence[str], call: Call) -> str:
    listed = PRESENT.format(rendered[0])
    return f"list_filter({listed}, lambda each, place: list_position({listed}, each) = place)"


ROWS: tuple[Function, ...] = (
    define(
        "list_of(items: T…) -> list<T>",
        "spelling",
        "The list of these values, in this order",
        _of,
        [("a", "b", ["a", "b"]), (1, 2, [1, 2])],
        strict=False,
    ),
    define(
        "list_size(list: list<any>) -> integer",
        "spelling",
        "How many elements there are, null ones included",
        "CAST(len({0}) AS BIGINT)",
        [(["a", None], 2), ([], 0), (None, None)],
    ),
    define(
        "list_sum(list: list<number>) -> number",
        "spelling",
        "The sum of the elements that are there; 0 of none",
        _sum,
        [([1, 2, None], 3), ([], 0), ([2**63 - 1, 1], Fails("overflow"))],
        reason="overflow",
        fails=_sum_may_fail,
        infer=_sum_type,
    ),
    define(
        "list_min(list: list<O>) -> O", "choosing", "The lowest element; null of none", "list_min({0})", [([3, 1, None], 1), ([], None)]
    ),
    define(
        "list_max(list: list<O>) -> O",
        "choosing",
        "The highest element; null of none",
        "list_max({0})",
        [(["a", "b"], "b"), ([None], None)],
    ),
    define(
        "list_first(list: list<T>) -> T",
        "choosing",
        "The first element; null of none",
        "list_extract({0}, 1)",
        [(["a", "b"], "a"), ([], None)],
    ),
    define(
        "list_last(list: list<T>) -> T",
        "choosing",
        "The last element; null of none",
        "list_extract({0}, len({0}))",
        [(["a", "b"], "b"), ([], None)],
    ),
    define(
        "list_item(list: list<T>, number: const integer) -> T",
        "choosing",
        "One element, counted from 1; null beyond the last",
        "list_extract({0}, {1})",
        [(["a", "b"], 2, "b"), (["a"], 2, None)],
        check=_need_index,
    ),
    define(
        "only(list: list<T>) -> T",
        "spelling",
        "The one element; null of none, the failure many-values of more",
        "CASE WHEN len({0}) = 1 THEN list_extract({0}, 1) END",
        [(["a"], "a"), ([], None), (["a", "b"], Fails("many-values"))],
        reason="many-values",
        why="CASE WHEN len({0}) > 1 THEN 'many-values' END",
    ),
    define(
        "list_join(list: list<string>, separator: const string) -> string",
        "spelling",
        "The texts that are there, with a separator between them",
        "array_to_string({0}, {1})",
        [(["a", None, "b"], ", ", "a, b"), ([], ",", "")],
    ),
    define(
        "list_contains(list: list<T>, value: T) -> boolean",
        "spelling",
        "Whether the value is an element",
        _contains,
        [(["a", "b"], "b", True), ([], "b", False)],
        check=_refuse_structs,
    ),
    define(
        "list_distinct(list: list<T>) -> list<T>",
        "choosing",
        "Each value once, where it first stood; no nulls",
        _distinct,
        [(["b", "a", "b", None], ["b", "a"])],
        check=_refuse_structs,
    ),
    define("list_present(list: list<T>) -> list<T>", "choosing", "Without the null elements", PRESENT, [(["a", None], ["a"])]),
    define(
        "list_sort(list: list<O>) -> list<O>",
        "choosing",
        "From the lowest to the highest; no nulls",
        _ordered("ASC"),
        [([2, None, 1], [1, 2])],
    ),
    define(
        "list_sort_descending(list: list<O>) -> list<O>",
        "choosing",
        "From the highest to the lowest; no nulls",
        _ordered("DESC"),
        [([2, None, 3], [3, 2])],
    ),
    define("list_reverse(list: list<T>) -> list<T>", "choosing", "From the last to the first", "list_reverse({0})", [([1, 2], [2, 1])]),
    define(
        "every_present(list: list<any>) -> boolean",
        "spelling",
        "Whether no element is null; true of none",
        "(list_count({0}) = len({0}))",
        [(["a"], True), (["a", None], False), ([], True)],
    ),
    define(
        "any_present(list: list<any>) -> boolean",
        "spelling",
        "Whether an element is not null; false of none",
        "(list_count({0}) > 0)",
        [([None, "a"], True), ([None], False), ([], False)],
    ),
    define(
        "every_in(list: list<string>, words: const string) -> boolean",
        "spelling",
        "Whether every element that is there is one of these words, parted by |",
        lambda r, c: f"list_has_all(string_split({r[1]}, '|'), {PRESENT.format(r[0])})",
        [(["a", None], "a|b", True), (["c"], "a|b", False), ([], "a", True)],
    ),
    define(
        "every_true(list: list<boolean>) -> boolean",
        "spelling",
        "Whether every element that is there is true; true of none",
        "CASE WHEN {0} IS NOT NULL THEN coalesce(list_bool_and({0}), true) END",
        [([True, None], True), ([True, False], False), ([], True)],
    ),
    define(
        "any_true(list: list<boolean>) -> boolean",
        "spelling",
        "Whether an element is true; false of none",
        "CASE WHEN {0} IS NOT NULL THEN coalesce(list_bool_or({0}), false) END",
        [([False, True], True), ([None], False), ([], False)],
    ),
    define(
        "list_where(list: list<T>, beside: list<K>, key: K) -> list<T>",
        "choosing",
        "The elements beside which the other list has this key",
        "CASE WHEN {1} IS NOT NULL AND {2} IS NOT NULL THEN list_filter({0}, lambda each, place: coalesce(list_extract({1}, place) = {2}, false)) END",
        [(["a", "b", "c"], [1, 2, 1], 1, ["a", "c"]), (["a"], ["x"], "y", []), ([], [], "y", [])],
    ),
    define(
        "list_coalesce(list: list<T>, beside: list<T>) -> list<T>",
        "choosing",
        "The elements, and where one is null the one beside it",
        "CASE WHEN {1} IS NOT NULL THEN list_transform({0}, lambda each, place: coalesce(each, list_extract({1}, place))) END",
        [(["a", None], ["x", "b"], ["a", "b"]), ([], [], [])],
    ),
    define(
        "every_ordered(list: list<O>, beside: list<O>) -> boolean",
        "spelling",
        "Whether no element is higher than the one beside it, nulls apart; true of none",
        "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN coalesce(list_bool_and(list_transform({0}, lambda each, place: each <= list_extract({1}, place))), true) END",
        [([1, None], [1, 0], True), ([1, 3], [2, 2], False), ([], [], True)],
    ),
    define(
        "is_unique(list: list<any>) -> boolean",
        "spelling",
        "Whether no value stands twice, nulls apart",
        "(list_unique({0}) = list_count({0}))",
        [(["a", "b"], True), (["a", "a"], False), ([None, None], True)],
        check=_refuse_structs,
    ),
)
