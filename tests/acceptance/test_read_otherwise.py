"""A stream whose reading is mended after its files have landed: they are read again, and what only the wrong reading had goes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import write_small_project

import treaty

SYSTEM = "systems/store.yaml"
KEY = "    key: [id]\n"


@pytest.fixture
def project(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with an empty inbox."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    write_small_project(tmp_path, database="env:TREATY_DATABASE")
    (tmp_path / "inbox/store").mkdir(parents=True)
    return tmp_path


def run(project: Path, read: str, key: str = KEY, files: str = "*.csv") -> dict[str, str]:
    """Run with the stream read like that; return the names of the things by code. Everything must be accounted for."""
    system = project / SYSTEM
    text = system.read_text(encoding="utf-8")
    declared = text[: text.index("    key:")] if "    key:" in text else text[: text.index("    read:")]
    system.write_text(f'{declared}{key}    read: {{files: "{files}", {read}}}\n', encoding="utf-8")
    assert treaty.run(project, apply=True).ok
    assert () == treaty.verify(project).problems
    return {each["code"]: each["name"] for each in treaty.records("thing", project).to_pylist()}


def waiting(project: Path) -> list[tuple[str, int]]:
    """Return what is in quarantine: reasons and numbers."""
    return [(each.reason, each.records) for each in treaty.quarantine_groups(project)]


def write(project: Path, name: str, text: str, encoding: str = "utf-8") -> None:
    """Put a file into the inbox."""
    (project / "inbox/store" / name).write_text(text, encoding=encoding)


def test_a_wrong_delimiter_is_mended(project: Path) -> None:
    """Records without a key leave quarantine, those of the right reading are there; once, and no file is read a third time."""
    write(project, "1.csv", "id;name;size\nA;ball;3\nB;box;4\n")
    assert {} == run(project, 'delimiter: ","')
    assert [("required", 2)] == waiting(project)
    assert {"A": "ball", "B": "box"} == run(project, 'delimiter: ";"')
    assert [] == waiting(project)
    again = treaty.run(project)
    assert [(0, 0)] == [(stream.landed, stream.arrivals) for flow in again.flows for stream in flow.streams]
    write(project, "1.csv", "id;name;size\nA;globe;3\n")
    assert {"A": "globe", "B": "box"} == run(project, 'delimiter: ";"'), "a file that lacks a record deletes none"


def test_a_mistyped_delimiter_deletes_nothing(project: Path) -> None:
    """What was read well stays in use while nothing is found in its place, and is what it was once the mistake is mended."""
    write(project, "1.csv", "id;name;size\nA;ball;3\nB;box;4\n")
    well = {"A": "ball", "B": "box"}
    assert well == run(project, 'delimiter: ";"')
    assert well == run(project, 'delimiter: ","')
    assert [("required", 2)] == waiting(project)
    assert well == run(project, 'delimiter: ";"')
    assert [] == waiting(project)


def test_records_of_a_wrong_reading_are_deleted(project: Path) -> None:
    """A key that only the wrong reading had is gone; a later file's record stays the newer one."""
    write(project, "1.csv", "kept;by;1\nid;name;size\nA;ball;3\nB;box;4\n")
    write(project, "2.csv", "head;of;file\nid;name;size\nB;crate;5\n")
    read = 'delimiter: ";", columns: [id, name, size], header: false'
    assert {"A", "B", "kept"} <= run(project, f"{read}").keys()
    assert {"A": "ball", "B": "crate"} == run(project, f"{read}, skip_lines: 2")
    assert [] == waiting(project)


def test_a_wrong_encoding_is_mended(project: Path) -> None:
    """The same keys come with other names; a stream without a key does not keep the wrong ones either."""
    write(project, "1.csv", "id;name;size\nA;für;3\nB;box;4\n", "utf-8")
    assert {"A": "fÃ¼r", "B": "box"} == run(project, 'delimiter: ";", encoding: cp1252')
    assert {"A": "für", "B": "box"} == run(project, 'delimiter: ";", encoding: utf-8')


def test_a_stream_without_a_key_keeps_nothing_of_a_wrong_reading(project: Path) -> None:
    """What content alone identifies is deleted like what has a key."""
    write(project, "1.csv", "id;name;size\nA;für;3\nB;box;4\n;lamp;\n", "utf-8")
    assert {"A": "fÃ¼r", "B": "box"} == run(project, 'delimiter: ";", encoding: cp1252', key="")
    assert {"A": "für", "B": "box"} == run(project, 'delimiter: ";", encoding: utf-8', key="")
    assert 2 == len(treaty.records("thing", project))


@pytest.mark.parametrize("key", [KEY, KEY + "    deletes: {mode: snapshot, guard: 90%}\n"])
def test_members_of_archives_and_snapshots_are_read_again(project: Path, key: str) -> None:
    """An archive is opened again, and what a member only seemed to hold goes once, also where each file is a snapshot."""
    with zipfile.ZipFile(project / "inbox/store/all.zip", "w") as archive:
        archive.writestr("1.csv", "seen;by;1\nid;name;size\nA;ball;3\n")
    read = 'delimiter: ";", columns: [id, name, size], header: false'
    assert "seen" in run(project, read, key, "*.zip")
    assert {"A": "ball"} == run(project, f"{read}, skip_lines: 2", key, "*.zip")
    assert [] == waiting(project)
    assert [0] == [stream.landed for flow in treaty.run(project).flows for stream in flow.streams]


def test_another_format_is_read_again(project: Path) -> None:
    """What was taken for a table is read as documents."""
    write(project, "1.csv", '{"id": "A", "name": "ball", "size": "3"}\n{"id": "B", "name": "box", "size": "4"}\n')
    assert {} == run(project, 'delimiter: ";"')
    assert [("required", 1)] == waiting(project), "the first line was taken for names of columns"
    first = treaty.quarantine_records(treaty.quarantine_groups(project)[0].group, project)["landed_id"][0].as_py()
    system = project / SYSTEM
    system.write_text(system.read_text(encoding="utf-8").replace("format: csv", "format: jsonl").replace(', delimiter: ";"', ""), encoding="utf-8")
    treaty.apply(treaty.plan(project).plan_id, project=project)
    assert "quarantine" in treaty.explain("thing", source=f"store/things/{first}", project=project).ends
    assert treaty.run(project).ok
    assert ["ball", "box"] == sorted(treaty.records("thing", project).column("name").to_pylist())
    assert [] == waiting(project)
    assert () == treaty.verify(project).problems


def test_the_plan_says_that_files_are_read_again(project: Path) -> None:
    """Nobody can tell yet what they will say."""
    write(project, "1.csv", "id;name;size\nA;ball;3\n")
    run(project, 'delimiter: ","')
    system = project / SYSTEM
    system.write_text(system.read_text(encoding="utf-8").replace('","', '";"'), encoding="utf-8")
    told = [text for change in treaty.plan(project).changes for text in change.undecided]
    assert ["the stream store/things is read otherwise: the next run reads its files again, and what they do not say when read like that goes"] == told


def test_a_file_that_was_too_large_leaves_quarantine(project: Path) -> None:
    """Once the limit is raised it is read, and is refused no more."""
    write(project, "1.csv", "id;name;size\nA;ball;3\n")
    settings = project / "treaty.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + "limits: {file_bytes: 10}\n", encoding="utf-8")
    assert {} == run(project, 'delimiter: ";"')
    assert 1 == len(waiting(project))
    settings.write_text(text + "limits: {file_bytes: 1000}\n", encoding="utf-8")
    assert {"A": "ball"} == run(project, 'delimiter: ";"')
    assert [] == waiting(project)
