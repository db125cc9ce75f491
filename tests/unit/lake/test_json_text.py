"""The JSON that the engine writes is the JSON that results have."""

from __future__ import annotations

import json

from treaty.lake.json_text import json_object
from treaty.operations.shapes import dump
from treaty.project.declarations import Limits
from treaty.sessions.duckdb import open_engine
from treaty.settings import RuntimeSettings

VALUES = """
    select 'a"b\\c' || chr(10) || chr(9) || 'é \u2028 😀' as text, null::varchar as "no text", '' as "empty", true as yes, 9007199254740993::bigint as whole,
        -0.50::decimal(18,2) as amount, 12345678901234567890::decimal(38,0) as digits, date '0999-02-03' as day,
        time '04:05:06.7' as clock, time '00:00:00' as midnight, timestamp '0001-01-02 03:04:05' as here,
        timestamptz '2026-01-02 03:04:05.000001+02' as instant, timestamptz '2026-01-02 03:04:05+00' as round, '\\xFF\\x00a'::blob as bytes,
        []::varchar[] as none, [null, 'x']::varchar[] as some, null::varchar[] as no_list, [[1, 2], [], null]::bigint[][] as deep,
        {'a b': [{'x': 1.5::decimal(4,1), 'y': null::date}, null], 'q"': 'z'} as nested, null::struct(a varchar, b bigint) as no_struct"""


def test_the_engine_writes_every_type_as_results_do() -> None:
    """Each type of a canonical field, null and nested too, has the same text from the engine as from a result."""
    engine = open_engine(Limits(), None, RuntimeSettings())
    (row,) = engine.execute(VALUES).to_arrow_table().to_pylist()
    members = [(name, f'"{name}"', kind) for name, kind, *_ in engine.execute(VALUES).description]
    written = engine.execute(f"select {json_object(members)} from ({VALUES})").fetchall()
    assert [(dump(row),)] == written


def test_every_character_is_written_as_json_has_it() -> None:
    """Control characters, quotes and all that need no escape come back as they were."""
    engine = open_engine(Limits(), None, RuntimeSettings())
    text = "".join(chr(each) for each in range(1, 0x2100))
    kind = engine.execute("select ''").description[0][1]
    (written,) = engine.execute(f"select {json_object([('text', '$1', kind)])}", [text]).fetchone() or ()
    assert {"text": text} == json.loads(written)
