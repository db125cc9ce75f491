"""Functions over text. White space is what Unicode calls so; positions count characters from 1."""

from __future__ import annotations

from collections.abc import Sequence

from treaty.compiler.functions.definition import Function, Render, constant, constant_value, define, sql_text
from treaty.compiler.ir import Call, Node
from treaty.compiler.types import BYTES, DATE, LOCAL_TIMESTAMP, STRING, TIMESTAMP

# The 25 characters with the Unicode property White_Space, as an RE2 class; and the same without the plain space.
WHITE = r"\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
ODD_WHITE = WHITE.replace(" ", "", 1)
# Characters that nobody sees: soft hyphen, zero-width space and joiners, marks of direction, word joiner, byte order mark.
INVISIBLE = r"\x{AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{FEFF}"
CONTROLS = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F"
LONGEST = 1_000_000_000  # characters; DuckDB stops at offsets beyond 32 bits
# Letters that no accent makes, and what they are written as in ASCII.
LETTERS = {
    "ß": "ss",
    "ẞ": "SS",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "Œ": "OE",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "þ": "th",
    "Þ": "Th",
    "ð": "d",
    "Ð": "D",
    "ı": "i",
}


def replaced(sql: str, pattern: str, by: str = "") -> str:
    """Return SQL that replaces every match of an RE2 pattern."""
    return f"regexp_replace({sql}, {sql_text(pattern)}, {sql_text(by)}, 'g')"


def stripped(sql: str) -> str:
    """Return SQL of a text without white space around it, by functions alone."""
    return replaced(sql, rf"\A[{WHITE}]+|[{WHITE}]+\z")


def trimmed(sql: str) -> str:
    """Return SQL of a text without white space around it; an ASCII text that has none there, as most, needs no regular expression."""
    ends = " OR ".join(f"suffix({sql}, chr({ord(each)}))" for each in " \t\n\v\f\r")
    bare = f"strlen({sql}) = length({sql}) AND {sql} >= '!' AND NOT ({ends})"
    return f"CASE WHEN {bare} THEN {sql} ELSE {stripped(sql)} END"


def collapsed(sql: str) -> str:
    """Return SQL of a text whose white space is single spaces between words; one space needs no work."""
    return f"trim({replaced(sql, f'[{WHITE}]{{2,}}|[{ODD_WHITE}]', ' ')}, ' ')"


def plain_letters(sql: str) -> str:
    """Return SQL of a text whose letters have no accents; a text of ASCII letters needs no work."""
    made = sql
    for letter, ascii_letters in LETTERS.items():
        made = f"replace({made}, '{letter}', '{ascii_letters}')"
    return f"CASE WHEN strlen({sql}) = length({sql}) THEN {sql} ELSE strip_accents({made}) END"


def folded(sql: str) -> str:
    """Return SQL of a text made ready for comparing: fold, version 1."""
    return f"lower({collapsed(replaced(f'nfc_normalize({plain_letters(sql)})', f'[{INVISIBLE}{CONTROLS}]'))})"


def character_class(characters: str) -> str:
    """Return the inside of an RE2 class of exactly these characters."""
    return "".join(rf"\x{{{ord(each):X}}}" for each in characters)


def _need_characters(args: Sequence[Node]) -> None:
    if constant_value(args[1]) == "":
        raise ValueError("name at least one character")


def _need_one_character(args: Sequence[Node]) -> None:
    if len(str(constant_value(args[2]))) != 1:
        raise ValueError("it is filled with exactly one character")
    _need_size(args)


def _need_size(args: Sequence[Node]) -> None:
    if not 0 <= int(str(constant_value(args[1]))) <= 10_000:
        raise ValueError("a length is 0 to 10000")


def _need_separator(args: Sequence[Node]) -> None:
    if constant_value(args[1]) == "":
        raise ValueError("a separator has at least one character")


def _need_index(args: Sequence[Node]) -> None:
    _need_separator(args)
    if int(str(constant_value(args[2]))) < 1:
        raise ValueError("parts are counted from 1")


def _trim_all(rendered: Sequence[str], call: Call) -> str:
    inside = character_class(constant(call, 1))
    return replaced(rendered[0], rf"\A[{inside}]+|[{inside}]+\z")


def _substring(rendered: Sequence[str], call: Call) -> str:
    text, start, length = rendered
    bounded = f"substring({text}, least({start}, {LONGEST}), least({length}, {LONGEST}))"
    return f"CASE WHEN {start} >= 1 AND {length} >= 0 THEN {bounded} END"


def _padded(side: str) -> Render:
    def render(rendered: Sequence[str], call: Call) -> str:
        text, length, by = rendered
        return f"CASE WHEN length({text}) >= {length} THEN {text} ELSE {side}({text}, CAST({length} AS INTEGER), {by}) END"

    return render


def _without(side: str) -> Render:
    def render(rendered: Sequence[str], call: Call) -> str:
        text, part = rendered
        if side == "start":
            return f"CASE WHEN starts_with({text}, {part}) THEN substring({text}, length({part}) + 1) ELSE {text} END"
        return f"CASE WHEN ends_with({text}, {part}) THEN left({text}, length({text}) - length({part})) ELSE {text} END"

    return render


def _between(side: str) -> Render:
    def render(rendered: Sequence[str], call: Call) -> str:
        text, part = rendered
        cut = (
            f"left({text}, strpos({text}, {part}) - 1)"
            if side == "before"
            else f"substring({text}, strpos({text}, {part}) + length({part}))"
        )
        return f"CASE WHEN contains({text}, {part}) THEN {cut} END"

    return render


def _to_text(rendered: Sequence[str], call: Call) -> str:
    kind, sql = call.args[0].type, rendered[0]
    if kind == STRING:
        return sql
    if kind in (TIMESTAMP, LOCAL_TIMESTAMP):
        local = f"timezone('UTC', {sql})" if kind == TIMESTAMP else sql
        zone = " || 'Z'" if kind == TIMESTAMP else ""
        return rf"regexp_replace(strftime({local}, '%Y-%m-%dT%H:%M:%S.%f'), '(\.000000|(\.\d*[1-9])0*)\z', '\2'){zone}"
    if kind == DATE:
        return f"strftime({sql}, '%Y-%m-%d')"
    return f"CAST({sql} AS VARCHAR)"


def _refuse_bytes(args: Sequence[Node]) -> None:
    if args[0].type == BYTES:
        raise ValueError("bytes have no text of their own")


def _join_present(rendered: Sequence[str], call: Call) -> str:
    return f"CASE WHEN {' OR '.join(f'{each} IS NOT NULL' for each in rendered[1:])} THEN concat_ws({', '.join(rendered)}) END"


def _need_texts(args: Sequence[Node]) -> None:
    if len(args) < 2:
        raise ValueError("name at least one text to join")


ODD_SPACE = "\u00a0"

ROWS: tuple[Function, ...] = (
    define(
        "trim(text: string) -> string",
        "spelling",
        "The text without white space around it",
        lambda r, c: trimmed(r[0]),
        [("  a b ", "a b"), (f"{ODD_SPACE}\t\u2003a\r\n", "a"), ("\u200ba", "\u200ba"), ("   ", ""), ("", ""), (None, None)],
    ),
    define(
        "trim_start(text: string) -> string",
        "spelling",
        "The text without white space before it",
        lambda r, c: replaced(r[0], rf"\A[{WHITE}]+"),
        [("  a ", "a "), (ODD_SPACE, "")],
    ),
    define(
        "trim_end(text: string) -> string",
        "spelling",
        "The text without white space after it",
        lambda r, c: replaced(r[0], rf"[{WHITE}]+\z"),
        [(" a  ", " a"), ("a\n", "a")],
    ),
    define(
        "collapse_spaces(text: string) -> string",
        "spelling",
        "White space as single spaces between words, none around them",
        lambda r, c: collapsed(r[0]),
        [("  a \t\n b ", "a b"), (f"a{ODD_SPACE}b", "a b"), ("", ""), (" ", "")],
    ),
    define(
        "normalize_unicode(text: string) -> string",
        "spelling",
        "The text in Unicode's composed form (NFC)",
        "nfc_normalize({0})",
        [("e\u0301", "é"), ("é", "é"), ("abc", "abc")],
    ),
    define(
        "trim_all(text: string, characters: const string) -> string",
        "choosing",
        "The text without any of these characters around it",
        _trim_all,
        [("(12)", "()", "12"), ("--a-b--", "-", "a-b"), ("]]^a", "^]", "a"), ("", "x", "")],
        check=_need_characters,
    ),
    define("upper(text: string) -> string", "choosing", "Upper case, letter by letter", "upper({0})", [("abc é", "ABC É"), ("", "")]),
    define("lower(text: string) -> string", "choosing", "Lower case, letter by letter", "lower({0})", [("ABC É", "abc é"), ("", "")]),
    define(
        "replace(text: string, part: const string, by: string) -> string",
        "choosing",
        "Every occurrence of a part replaced",
        "replace({0}, {1}, {2})",
        [("1.234.5", ".", "", "12345"), ("a.b", "x", "y", "a.b"), ("aaa", "aa", "b", "ba")],
        check=_need_separator,
    ),
    define(
        "substring(text: string, start: integer, length: integer) -> string",
        "choosing",
        "Characters from a start, counted from 1; null for a start below 1 or a negative length",
        _substring,
        [("abcdef", 2, 3, "bcd"), ("abc", 9, 2, ""), ("abc", 2, 99, "bc"), ("abc", 0, 2, None), ("äöü", 2, 1, "ö")],
    ),
    define(
        "left(text: string, length: const integer) -> string",
        "choosing",
        "The first characters",
        "left({0}, {1})",
        [("abcdef", 2, "ab"), ("a", 5, "a"), ("äö", 1, "ä")],
        check=_need_size,
    ),
    define(
        "right(text: string, length: const integer) -> string",
        "choosing",
        "The last characters",
        "right({0}, {1})",
        [("abcdef", 2, "ef"), ("a", 5, "a"), ("a", 0, "")],
        check=_need_size,
    ),
    define(
        "before(text: string, separator: const string) -> string",
        "choosing",
        "What stands before the first separator; null without one",
        _between("before"),
        [("a@b@c", "@", "a"), ("abc", "@", None), ("@b", "@", "")],
        check=_need_separator,
    ),
    define(
        "after(text: string, separator: const string) -> string",
        "choosing",
        "What stands after the first separator; null without one",
        _between("after"),
        [("a@b@c", "@", "b@c"), ("abc", "@", None), ("a@", "@", "")],
        check=_need_separator,
    ),
    define(
        "remove_prefix(text: string, prefix: const string) -> string",
        "choosing",
        "The text without this beginning, if it has it",
        _without("start"),
        [("mailto:a", "mailto:", "a"), ("a", "mailto:", "a")],
    ),
    define(
        "remove_suffix(text: string, suffix: const string) -> string",
        "choosing",
        "The text without this end, if it has it",
        _without("end"),
        [("5 kg", " kg", "5"), ("5", " kg", "5")],
    ),
    define(
        "starts_with(text: string, part: string) -> boolean",
        "spelling",
        "Whether the text begins so",
        "starts_with({0}, {1})",
        [("(12)", "(", True), ("12", "(", False), ("", "", True)],
    ),
    define(
        "ends_with(text: string, part: string) -> boolean",
        "spelling",
        "Whether the text ends so",
        "ends_with({0}, {1})",
        [("12-", "-", True), ("12", "-", False)],
    ),
    define(
        "contains(text: string, part: string) -> boolean",
        "spelling",
        "Whether the part is in the text",
        "contains({0}, {1})",
        [("abc", "b", True), ("abc", "B", False), ("abc", "", True)],
    ),
    define(
        "position(text: string, part: string) -> integer",
        "spelling",
        "Where the part begins, from 1; 0 if it is not there",
        "CAST(strpos({0}, {1}) AS BIGINT)",
        [("abc", "c", 3), ("abc", "x", 0), ("äbc", "b", 2)],
    ),
    define(
        "length(text: string) -> integer",
        "spelling",
        "How many characters (code points) it has",
        "CAST(length({0}) AS BIGINT)",
        [("abc", 3), ("äö", 2), ("", 0)],
    ),
    define(
        "is_blank(text: string) -> boolean",
        "spelling",
        "Whether there is nothing but white space",
        lambda r, c: f"regexp_full_match({r[0]}, {sql_text(f'[{WHITE}]*')})",
        [("", True), (" \t", True), (ODD_SPACE, True), ("a", False)],
    ),
    define(
        "blank_to_null(text: string) -> string",
        "choosing",
        "Null where there is nothing but white space, else the text",
        lambda r, c: f"CASE WHEN NOT regexp_full_match({r[0]}, {sql_text(f'[{WHITE}]*')}) THEN {r[0]} END",
        [(" ", None), (" a", " a")],
    ),
    define(
        "split(text: string, separator: const string) -> list<string>",
        "spelling",
        "The parts between the separators",
        "string_split({0}, {1})",
        [("a,b,,c", ",", ["a", "b", "", "c"]), ("a", ",", ["a"]), ("", ",", [""])],
        check=_need_separator,
    ),
    define(
        "split_part(text: string, separator: const string, number: const integer) -> string",
        "choosing",
        "One of the parts between the separators, counted from 1; null where there are fewer",
        lambda r, c: f"list_extract(string_split({r[0]}, {r[1]}), {r[2]})",
        [("a-b-c", "-", 2, "b"), ("a-b", "-", 3, None), ("", "-", 1, "")],
        check=_need_index,
    ),
    define(
        "pad_left(text: string, length: const integer, character: const string) -> string",
        "spelling",
        "Filled up before it to a length; a longer text stays",
        _padded("lpad"),
        [("7", 3, "0", "007"), ("1234", 3, "0", "1234")],
        check=_need_one_character,
    ),
    define(
        "pad_right(text: string, length: const integer, character: const string) -> string",
        "spelling",
        "Filled up after it to a length; a longer text stays",
        _padded("rpad"),
        [("7", 3, " ", "7  "), ("1234", 3, " ", "1234")],
        check=_need_one_character,
    ),
    define(
        "concat(text: string, more: string…) -> string",
        "spelling",
        "The texts one after the other; null if one is null",
        lambda r, c: "(" + " || ".join(r) + ")",
        [("a", "b", "c", "abc"), ("a", None, None)],
    ),
    define(
        "join_present(separator: const string, texts: string…) -> string",
        "choosing",
        "The texts that are there, with a separator between them; null if none is",
        _join_present,
        [(", ", "a", None, "b", "a, b"), (", ", None, None, None), (" ", "", "a", " a")],
        strict=False,
        check=_need_texts,
    ),
    define(
        "keep_characters(text: string, characters: const string) -> string",
        "choosing",
        "Only these characters",
        lambda r, c: replaced(r[0], f"[^{character_class(constant(c, 1))}]+"),
        [("a-1b2", "12", "12"), ("]^-x", "^-]", "]^-")],
        check=_need_characters,
    ),
    define(
        "remove_characters(text: string, characters: const string) -> string",
        "choosing",
        "Without these characters",
        lambda r, c: replaced(r[0], f"[{character_class(constant(c, 1))}]+"),
        [("1 234.5", " .", "12345"), ("a", "b", "a")],
        check=_need_characters,
    ),
    define(
        "digits_only(text: string) -> string",
        "choosing",
        "Only the digits 0 to 9",
        lambda r, c: replaced(r[0], "[^0-9]+"),
        [("+49 (0)30-12", "4903012"), ("abc", ""), ("٣1", "1")],
    ),
    define(
        "strip_accents(text: string) -> string",
        "choosing",
        "Letters without their accents, ß as ss, æ as ae, ø as o",
        lambda r, c: plain_letters(r[0]),
        [("Łódź", "Lodz"), ("Strauß", "Strauss"), ("Ærø", "AEro"), ("e\u0301", "e"), ("abc", "abc")],
    ),
    define(
        "strip_invisible(text: string) -> string",
        "choosing",
        "Without zero-width characters, soft hyphens, marks of direction and control characters",
        lambda r, c: replaced(r[0], f"[{INVISIBLE}{CONTROLS}]+"),
        [("a\u200bb\ufeff", "ab"), ("a\u00adb\x01", "ab"), ("a\tb", "a\tb")],
    ),
    define(
        "fold(text: string) -> string",
        "choosing",
        "For comparing (version 1): no accents, composed, nothing invisible, single spaces, lower case",
        lambda r, c: folded(r[0]),
        [("  MÜLLER  &\tCo\u200b ", "muller & co"), ("STRAẞE", "strasse"), ("straße", "strasse")],
    ),
    define(
        "fingerprint(text: string) -> string",
        "choosing",
        "Its SHA-256, as 64 hexadecimal digits",
        "sha256({0})",
        [("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")],
    ),
    define(
        "to_text(value: scalar) -> string",
        "spelling",
        "The value as text: 12.50, true, 2026-01-31, 2026-01-31T12:00:00Z",
        _to_text,
        [(12, "12"), (True, "true"), ("a", "a"), (None, None)],
        check=_refuse_bytes,
    ),
)
