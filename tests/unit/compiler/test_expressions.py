"""Expressions: what is read, what is refused, and where the problem is said to be."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from treaty.compiler.expressions import ExpressionError, Problem, Scope, compile_expression, functions_used
from treaty.compiler.ir import AsOf, Call, Case, Failed, Literal, Member, Param, Present, ReceivedAt, Source
from treaty.compiler.types import BOOLEAN, DATE, INTEGER, STRING, Type, parse_type

NAMES: dict[str, Type] = {
    "text": STRING,
    "number": STRING,
    "key": STRING,
    "n": INTEGER,
    "amount": parse_type("decimal(18,2)"),
    "date": DATE,
    "flag": BOOLEAN,
    "lines": parse_type("list<struct<net_amount: decimal(18,2), text: string, inner: struct<a: integer>>>"),
    "end": STRING,
}
SCOPE = Scope(NAMES)
READING = Scope(NAMES, allow_source=True)


def problems(text: str, scope: Scope = SCOPE, expected: Type | None = None) -> tuple[Problem, ...]:
    """Return what is wrong in an expression."""
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope, expected)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("text", "string"),
        ("'it''s'", "string"),
        ("12", "integer"),
        ("-12.50", "decimal(4,2)"),
        ("true", "boolean"),
        ("date '2026-01-31'", "date"),
        ("n + 1 - n * 2", "integer"),
        ("amount * -1", "decimal(19,2)"),
        ("text || 'a' || number", "string"),
        ("n = 1 and not flag or text is not null", "boolean"),
        ("text in ('a', 'b') and n not in (1, 2)", "boolean"),
        ("amount between 0 and 12.5", "boolean"),
        ("flag is true and flag is not false", "boolean"),
        ("text is distinct from number", "boolean"),
        ("case when flag then 1 else 2.5 end", "decimal(2,1)"),
        ("case text when 'a' then 1 when 'b' then 2 end", "integer"),
        ("coalesce(text, number, '-')", "string"),
        ("date > as_of()", "boolean"),
        ("received_at()", "timestamp"),
        ("list_sum(lines.net_amount)", "decimal(38,2)"),
        ("lines.inner.a", "list<integer>"),
        ("list_first(lines).net_amount", "decimal(18,2)"),
        ("only(lines.text)", "string"),
        ("upper ( text ) -- a comment", "string"),
        ('"end"', "string"),
        ("null", "null"),
        ("(((n)))", "integer"),
        ("failed(amount)", "boolean"),
    ],
)
def test_what_is_read(text: str, kind: str) -> None:
    """An expression has the type that its parts give it."""
    assert kind == str(compile_expression(text, SCOPE).type)


def test_trees() -> None:
    """Names become parameters or the nodes they stand for; source() and present() become paths."""
    given_node = Literal("x", STRING)
    assert given_node == compile_expression("text", Scope({"text": given_node}))
    assert Param("text", STRING) == compile_expression("text", SCOPE)
    assert isinstance(compile_expression("source('a/b[1]')", READING), Source)
    assert isinstance(compile_expression("present('a')", READING), Present)
    assert isinstance(compile_expression("received_at()", SCOPE), ReceivedAt)
    assert isinstance(compile_expression("as_of()", SCOPE), AsOf)
    assert Failed(Param("amount", NAMES["amount"])) == compile_expression("failed(amount)", SCOPE)
    member = compile_expression("lines.text", SCOPE)
    assert Member(Param("lines", NAMES["lines"]), "text", parse_type("list<string>")) == member


def test_the_expected_type_is_fitted() -> None:
    """The result takes the declared type, with a check where digits may not suffice."""
    node = compile_expression("amount + amount", SCOPE, parse_type("decimal(18,2)"))
    assert "decimal(18,2)" == str(node.type)
    case = compile_expression("case when flag then plain_decimal(text) else 0 end", SCOPE, parse_type("decimal(18,2)"))
    assert isinstance(case, Case) and isinstance(case.whens[0][1], Call)
    assert "decimal(18,2)" == str(case.whens[0][1].type)
    assert ("type-error",) == tuple(each.code for each in problems("text", SCOPE, DATE))


@pytest.mark.parametrize(
    ("text", "code", "offset", "remedy"),
    [
        ("n / 2", "not-allowed", 0, "divide("),
        ("n % 2", "not-allowed", 0, "remainder("),
        ("text like 'a%'", "not-allowed", 0, "starts_with"),
        ("upper(text)::date", "not-allowed", 0, "named function"),
        ("cast(text as date)", "unknown-function", 0, "named function"),
        ("1 + (select 1)", "not-allowed", 12, "lookup"),
        ("n in (select 1)", "not-allowed", 0, "list_contains"),
        ("exists (select 1)", "not-allowed", 15, ""),
        ("count(*) over ()", "not-allowed", 0, "one record"),
        ("*", "not-allowed", 0, "Name the fields"),
        ("lines[1]", "not-allowed", 0, "list_item"),
        ("n = :x", "not-allowed", 0, ""),
        ("now()", "unknown-function", 0, "received_at()"),
        ("n + current_date", "unknown-name", 4, "as_of()"),
        ("sum(n)", "unknown-function", 0, "list_sum"),
        ("uper(text)", "unknown-function", 0, "'upper'"),
        ("read_csv('/etc/passwd')", "unknown-function", 0, ""),
        ("getenv('HOME')", "unknown-function", 0, ""),
        ("txt", "unknown-name", 0, "'text'"),
        ("Text", "unknown-name", 0, "'text'"),
        ("lines.net_amont", "unknown-member", 6, "'net_amount'"),
        ("n.x", "unknown-member", 2, "struct"),
        ("main.upper(text)", "not-allowed", 0, "alone"),
        ("text + 1", "type-error", 0, "plain_decimal"),
        ("n = text", "type-error", 0, ""),
        ("case when n then 1 end", "type-error", 10, ""),
        ("case when flag then 1 else 'a' end", "type-error", 10, "same type"),
        ("to_decimal(text, n, 2)", "not-a-constant", 17, ""),
        ("source('a')", "source-not-allowed", 0, "parameter"),
        ("present('a')", "source-not-allowed", 0, "parameter"),
        ("1e5", "bad-literal", 0, "digits"),
        ("date '2026-02-30'", "bad-literal", 5, "YYYY-MM-DD"),
        ("n +", "bad-expression", 2, ""),
        ("", "bad-expression", 0, ""),
        ("n; drop table x", "bad-expression", 1, "';'"),
        ("'open", "bad-expression", 0, "Close"),
        ("e'a'", "not-allowed", 0, ""),
        ("$$a$$", "not-allowed", 0, ""),
        ("interval '1 day'", "not-allowed", 0, "add_days"),
        ("coalesce(distinct n)", "not-allowed", 18, "list_distinct"),
        ("upper(text => 'a')", "wrong-arguments", 0, ""),
    ],
)
def test_what_is_refused(text: str, code: str, offset: int, remedy: str) -> None:
    """What is no part of the language is refused at its character, with what to write instead."""
    found = problems(text)
    assert (code, offset) in [(each.code, each.offset) for each in found]
    assert remedy in next(each.remedy for each in found if each.code == code)


def test_all_problems_are_collected() -> None:
    """Everything that is wrong is said at once."""
    found = problems("uper(txt) || lines.nothing || now()")
    assert ["unknown-function", "unknown-member", "unknown-function"] == [each.code for each in found]


def test_paths_in_quotes() -> None:
    """A broken path is told where it breaks, inside its quotes."""
    assert [("bad-cell", 15)] == [(each.code, each.offset) for each in problems("not present('a[')", READING)]


def test_bounds() -> None:
    """Length and depth are bounded, and a deep expression is refused without a crash."""
    assert "expression-too-long" == problems("'" + "a" * 10_000 + "'")[0].code
    assert "expression-too-deep" == problems("upper(" * 60 + "text" + ")" * 60)[0].code
    assert "string" == str(compile_expression("upper(" * 45 + "text" + ")" * 45, SCOPE).type)
    assert problems("(" * 4_000 + "n" + ")" * 4_000)
    assert problems("not " * 2_000 + "flag")
    assert str(compile_expression(" and ".join(["flag"] * 500), SCOPE).type) == "boolean"


def test_functions_used() -> None:
    """The functions of an expression can be listed, so that hidden decisions are found."""
    assert ("||", "upper", "trim") == functions_used(compile_expression("upper(trim(text)) || text", SCOPE))


def read_or_refuse(text: str) -> tuple[Problem, ...]:
    """Return the problems of an expression, none where it is one."""
    try:
        compile_expression(text, READING)
    except ExpressionError as error:
        return error.problems or (Problem("none", "refused without a problem", "", -1),)
    return ()


@settings(max_examples=200, deadline=None)
@example(text="{:}")
@given(text=st.text(alphabet=st.sampled_from(list("abn()'\"+-*/|=<>,. \n;:$@[]{}%&!~^\\é0123")), max_size=40))
def test_nothing_crashes(text: str) -> None:
    """Any text is an expression or a list of problems whose places are in it."""
    assert all(0 <= each.offset <= len(text) for each in read_or_refuse(text))


WORDS = [
    "n",
    "text",
    "flag",
    "(",
    ")",
    "+",
    "and",
    "or",
    "not",
    "case",
    "when",
    "then",
    "else",
    "end",
    "is",
    "null",
    "in",
    ",",
    "'a'",
    "1",
    "upper",
    "between",
    "lines",
    ".",
    "select",
    "from",
    "over",
    "as",
    "date",
    "::",
]


@settings(max_examples=200, deadline=None)
@given(tokens=st.lists(st.sampled_from(WORDS), max_size=15))
def test_no_words_crash(tokens: list[str]) -> None:
    """Any sequence of words is an expression or a list of problems."""
    assert all(each.offset >= 0 for each in read_or_refuse(" ".join(tokens)))
