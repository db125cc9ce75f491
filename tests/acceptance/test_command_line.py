"""The verbs over a small project, each by the real command line, with the shapes that other tools read."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project

CSV = "id;name;size\nA-1; red|ball ;3\nA-2;box;many\nA-3;tower;300\nA-4;pin;\n"


@pytest.fixture
def small(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with one file in its inbox, not run yet, on a database of the tests' server."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path / "small", database="env:TREATY_DATABASE")
    write_things(tmp_path / "small", CSV)
    return tmp_path / "small"


def write_things(project: Path, text: str, name: str = "things.csv") -> None:
    """Put a file into the inbox."""
    inbox = project / "inbox" / "store"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_text(text, encoding="utf-8")


def test_init_gives_a_project_that_runs_as_it_is(project: Path) -> None:
    """A project of the pack einvoice checks and runs; an invoice in its inbox becomes a golden record."""
    assert treaty("init", project, "--pack", "einvoice").status == 0
    assert [] == treaty("check", "--json", "--project", project).json["findings"]
    sample = next((Path(__file__).parents[2] / "src/treaty/catalog/demo/project/inbox/acme").glob("*-0711.xml"))
    (project / "inbox/ubl/one.xml").write_bytes(sample.read_bytes())
    answer = treaty("run", "--json", "--project", project)
    assert answer.status == 0, answer.errors
    assert ["AW-2026-0711"] == [row["number"] for row in treaty("records", "invoice", "--json", "--project", project).lines]


def test_run_has_the_documented_shape(small: Path) -> None:
    """``run --json`` says what landed, what became of it, and what each decision did."""
    answer = treaty("run", "--json", "--project", small)
    assert answer.status == 0, answer.errors
    said = answer.json
    assert {"run_id", "ok", "flows"} == set(said)
    assert [{
        "flow": "things", "client": "main", "deliveries": [],
        "streams": [{"stream": "store/things", "mapping": "store.things", "landed": 4, "dispositions": {"canonical": 3, "quarantined": 1}}],
        "decisions": {"names-are-trimmed": {"passed": 3, "changed": 1}, "things-without-size-are-small": {"passed": 3, "changed": 1}},
    }] == said["flows"]  # fmt: skip


def test_records_are_json_lines_with_sources_and_findings(small: Path) -> None:
    """Each golden record has its fields, where it is from, and the rules that marked it."""
    treaty("run", "--project", small)
    rows = {row["code"]: row for row in treaty("records", "thing", "--json", "--project", small).lines}
    assert {"A-1", "A-3", "A-4"} == set(rows)
    assert ("red/ball", 3, "main", []) == (rows["A-1"]["name"], rows["A-1"]["size"], rows["A-1"]["_client"], rows["A-1"]["_findings"])
    assert [{"system": "store", "stream": "things", "source_key": "A-1"}] == rows["A-1"]["_sources"]
    assert ["TH-01"] == rows["A-3"]["_findings"]
    assert 1 == rows["A-4"]["size"]


def test_quarantine_is_grouped_shown_mended_and_replayed(small: Path) -> None:
    """A record with a bad size is listed with its value; mended in the source it becomes canonical, and the group is gone."""
    treaty("run", "--project", small)
    groups = treaty("quarantine", "list", "--json", "--project", small).json
    told = {"model": "thing", "mapping": "store.things", "field": "size", "reason": "not-an-integer", "sample_values": ["many"], "records": 1, "clients": ["main"]}
    group = groups[0].pop("group")
    assert [{**told, "files": []}] == groups
    shown = treaty("quarantine", "show", group, "--json", "--project", small).lines
    assert [("store", "things", "A-2", "things.csv", 2, "size", "not-an-integer", "many")] == [
        (row["system"], row["stream"], row["source_key"], row["origin"], row["record"], row["field"], row["rule"], row["value"]) for row in shown
    ]
    assert {"code": "A-2", "name": "box", "size": None} == shown[0]["fields"]
    replayed = treaty("quarantine", "replay", group, "--json", "--project", small)
    assert (1, 1, 1) == (replayed.status, replayed.json["records"], replayed.json["remaining"])
    write_things(small, "id;name;size\nA-2;box;12\n", "mended.csv")
    assert treaty("run", "--project", small).status == 0
    assert [] == treaty("quarantine", "list", "--json", "--project", small).json
    assert treaty("verify", "--json", "--project", small).json["ok"]


def test_a_decision_that_was_mended_lets_a_replay_through(small: Path) -> None:
    """What is in quarantine leaves it when the applied project can take it."""
    treaty("run", "--project", small)
    mapping = small / "mappings/store.things.yaml"
    mapping.write_text(mapping.read_text().replace("to_integer(size)", "size_of(size)"), encoding="utf-8")
    decision = (small / "decisions/names-are-trimmed.md").read_text()
    decision = decision.replace("names-are-trimmed", "many-is-a-dozen").replace("thing.name", "thing.size")
    decision = decision.replace('"thing_name(text: string) -> string"', '"size_of(text: string) -> integer"')
    decision = decision.replace("replace(trim(text), '|', '/')", "case when text = 'many' then 12 else to_integer(text) end")
    decision = decision.replace('{text: " a|b ", returns: "a/b"}', "{text: many, returns: 12}")
    (small / "decisions/many-is-a-dozen.md").write_text(decision, encoding="utf-8")
    answer = treaty("run", "--apply", "--json", "--project", small)
    assert answer.status == 0, answer.errors
    rows = {row["code"]: row["size"] for row in treaty("records", "thing", "--json", "--project", small).lines}
    assert 12 == rows["A-2"]


def test_discard_leaves_records_out_with_a_reason(small: Path) -> None:
    """A discarded record is filtered, and verify still adds up."""
    treaty("run", "--project", small)
    group = treaty("quarantine", "list", "--json", "--project", small).json[0]["group"]
    assert treaty("quarantine", "discard", group, "--project", small).status == 2
    assert f"Did you mean {group}?" in treaty("quarantine", "discard", group[:6], "--reason", "a test", "--project", small).errors
    assert "no record with the source key nope" in treaty("quarantine", "discard", group, "--source-key", "nope", "--reason", "a test", "--project", small).errors
    assert treaty("quarantine", "discard", group, "--reason", "a test", "--project", small).status == 0
    assert [] == treaty("quarantine", "list", "--json", "--project", small).json
    verified = treaty("verify", "--json", "--project", small).json
    assert verified["ok"]
    assert (4, 3, 1, 0) == tuple(verified["streams"][0][name] for name in ("landed", "canonical", "filtered", "pending"))


def test_an_unknown_group_says_where_the_groups_are(small: Path) -> None:
    """A wrong group exits with 2 and names the verb that lists them."""
    treaty("run", "--project", small)
    answer = treaty("quarantine", "show", "nothing", "--project", small)
    assert (2, "") == (answer.status, answer.output)
    assert "treaty quarantine list" in answer.errors


def test_a_correction_wins_is_explained_and_ends_with_its_day(small: Path) -> None:
    """A steward's value takes the place of the source's until its day; explain says who, why and until when."""
    treaty("run", "--project", small, "--as-of", "2026-11-21")
    answer = treaty(
        "correct", "thing", "A-1", "name", "green ball", "--reason", "saw it", "--until", "2027-01-01", "--who", "ada", "--json", "--project", small
    )
    assert answer.status == 0, answer.errors
    assert ("red/ball", "green ball") == (answer.json["before"], answer.json["after"])
    landed = treaty("explain", "thing", "A-1", "name", "--json", "--project", small).json["steps"][0]
    assert ("steward", "ada", "saw it", "2027-01-01") == (landed["system"], landed["who"], landed["reason"], landed["until"])
    assert treaty("verify", "--project", small).status == 0
    treaty("run", "--project", small, "--as-of", "2027-01-01")
    explained = treaty("explain", "thing", "A-1", "name", "--json", "--project", small).json
    assert ("red/ball", True) == (explained["value"], explained["agrees"])
    assert treaty("verify", "--project", small).status == 0


def test_a_correction_must_fit_its_field(small: Path) -> None:
    """A text is no size, and nothing is landed."""
    treaty("run", "--project", small)
    answer = treaty("correct", "thing", "A-1", "size", "huge", "--reason", "a test", "--project", small)
    assert answer.status == 2
    assert "'huge' is no integer, which thing.size is." in answer.errors


def test_a_b_a_in_one_file_name_lands_three_times(small: Path) -> None:
    """Three runs with contents A, B and A of one file end at A, with three landed versions of the record."""
    for text in ("A-9;first;1", "A-9;second;1", "A-9;first;1"):
        write_things(small, f"id;name;size\n{text}\n")
        assert treaty("run", "--project", small).status == 0
    assert ["first"] == [row["name"] for row in treaty("records", "thing", "--json", "--project", small).lines]
    sums = treaty("verify", "--json", "--project", small).json["streams"][0]
    assert (3, 1, 2) == (sums["landed"], sums["canonical"], sums["superseded"])


def test_a_second_run_says_that_nothing_changed(small: Path) -> None:
    """Running twice changes nothing."""
    treaty("run", "--project", small)
    again = treaty("run", "--project", small)
    assert (0, True) == (again.status, "Nothing changed" in again.output)


def test_a_changed_folder_is_not_run_until_it_is_applied(small: Path) -> None:
    """``run`` runs the applied project and says that the folder differs; ``--apply`` applies it."""
    treaty("run", "--project", small)
    mapping = small / "mappings/store.things.yaml"
    mapping.write_text(mapping.read_text().replace("thing_name(name)", "\"'a thing'\""), encoding="utf-8")
    before = treaty("run", "--project", small)
    assert "The folder differs from the applied project" in before.output
    assert "red/ball" in {row["name"] for row in treaty("records", "thing", "--json", "--project", small).lines}
    assert treaty("run", "--apply", "--project", small).status == 0
    assert {"a thing"} == {row["name"] for row in treaty("records", "thing", "--json", "--project", small).lines}


def test_a_broken_project_is_not_applied(small: Path) -> None:
    """The first error is told with its place, and nothing lands."""
    mapping = small / "mappings/store.things.yaml"
    mapping.write_text(mapping.read_text().replace("to_integer", "to_intger"), encoding="utf-8")
    answer = treaty("run", "--project", small)
    assert answer.status == 2
    assert "mappings/store.things.yaml:6:9" in answer.errors
    assert "to_integer" in answer.errors


def test_coverage_says_what_governs_and_what_nothing_fills(small: Path) -> None:
    """Each field has its state; after a run decisions that never fired are named."""
    answer = treaty("coverage", "--json", "--project", small).json
    assert {"code": "copied", "name": "governed", "size": "governed"} == {each["field"]: each["state"] for each in answer["models"][0]["fields"]}
    assert (False, []) == (answer["ran"], answer["never_fired"])
    write_things(small, "id;name;size\nA-1;ball;3\n")
    treaty("run", "--project", small)
    after = treaty("coverage", "--json", "--project", small).json
    assert ["names-are-trimmed", "things-without-size-are-small"] == [each["decision"] for each in after["never_fired"]]


def test_try_shows_what_a_pasted_record_would_become(small: Path) -> None:
    """No lake is made; what is wrong is told by field."""
    answer = treaty("try", "store.things", "-", "--json", "--project", small, stdin=b"id;name;size\nA-1; x ;3\nA-2;y;z\n")
    assert answer.status == 1
    assert ["canonical", "quarantined"] == [each["state"] for each in answer.json["records"]]
    assert {"code": "A-1", "name": "x", "size": 3} == answer.json["records"][0]["fields"]
    assert ("size", "not-an-integer", "z") == tuple(answer.json["records"][1]["notes"][0][name] for name in ("field", "rule", "value"))
    assert not (small / ".treaty").exists()


@pytest.mark.parametrize(("content", "told"), [(b"A-1;x;3\n", "There is no record in it"), (b'{"id": "A-1"}', "There is no record in it"), (b"", "Refused: empty-file")])
def test_try_of_what_holds_no_record_is_no_success(content: bytes, told: str, small: Path) -> None:
    """A row without a line of names, another format and nothing at all are told, with status 1, as JSON too."""
    answer = treaty("try", "store.things", "-", "--project", small, stdin=content)
    assert 1 == answer.status == treaty("try", "store.things", "-", "--json", "--project", small, stdin=content).status
    assert told in answer.output


def test_try_opens_archives(small: Path) -> None:
    """What is packed is tried as the stream would read it: each member of an archive that it takes."""
    things = b"id;name;size\nA-1; x ;3\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", things)
        archive.writestr("b.csv", things)
        archive.writestr("c.txt", "no records of\n")
    for content, records in ((gzip.compress(things), 1), (packed.getvalue(), 2)):
        answer = treaty("try", "store.things", "-", "--json", "--project", small, stdin=content)
        assert ["canonical"] * records == [each["state"] for each in answer.json["records"]]


def test_a_failed_example_fails_test_and_check(small: Path) -> None:
    """An example that does not give what it says is told with its place, what it expects and what it got."""
    decision = small / "decisions/names-are-trimmed.md"
    decision.write_text(decision.read_text().replace('returns: "a/b"', 'returns: "a-b"'), encoding="utf-8")
    tested = treaty("test", "--json", "--project", small)
    assert tested.status == 1
    assert [("names-are-trimmed", 1, "'a-b'", "a/b")] == [(each["decision"], each["example"], each["expected"], each["got"]) for each in tested.json["failures"]]
    checked = treaty("check", "--json", "--project", small)
    assert (1, ["example-failed"]) == (checked.status, [each["code"] for each in checked.json["findings"]])


def test_functions_and_schema_are_printed(tmp_path: Path) -> None:
    """At least sixty functions with examples, and a schema for each kind of file."""
    listed = treaty("functions", "--json").json
    assert len(listed) >= 60
    assert [] == [each["name"] for each in listed if not each["examples"]]
    assert treaty("schema", "--to", tmp_path / "schemas").status == 0
    written = {path.name for path in (tmp_path / "schemas").iterdir()}
    assert {f"{kind}.schema.json" for kind in ("treaty", "system", "model", "decision", "mapping", "flow")} <= written
    assert "object" == json.loads((tmp_path / "schemas/mapping.schema.json").read_text())["type"]


def test_doctor_and_stop(project: Path) -> None:
    """Doctor finds everything well; stop ends the database, and a second stop has nothing to end."""
    write_small_project(project)
    write_things(project, CSV)
    answer = treaty("doctor", "--json", "--project", project)
    assert answer.status == 0, answer.output
    assert {"Python", "project", "database", "lake", "main: store (source)"} == {each["name"] for each in answer.json["checks"]}
    assert treaty("stop", "--json", "--project", project).json["stopped"]
    assert not treaty("stop", "--json", "--project", project).json["stopped"]


def test_reading_before_anything_ran_says_what_to_do(small: Path) -> None:
    """Without a run there is nothing to read, and the remedy is to run."""
    for verb in (("records", "thing"), ("verify",), ("quarantine", "list"), ("explain", "thing", "A-1")):
        answer = treaty(*verb, "--project", small)
        assert (2, True) == (answer.status, "treaty run" in answer.errors), verb
