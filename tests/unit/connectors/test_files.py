"""The folder: no way out of it, a stable order, whole files only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from treaty.connectors.folders import ChangedWhileRead, Folder, FoundFile, glob_expression
from treaty.errors import StopError
from treaty.project.declarations import Deletes, Limits


def _names(inbox: Any) -> list[str]:
    return [arrival.origin for arrival, _ in inbox.arrivals()]


def test_files_come_in_the_order_of_their_names(inbox: Any) -> None:
    """Below folders too, whatever the file system's order."""
    inbox.read = {"files": "**/*.csv"}
    for name in ("b.csv", "a/2.csv", "a/10.csv", "c.csv", "a.csv", "z.txt"):
        inbox.write(name, f"id\n{name}\n")
    assert ["a.csv", "a/10.csv", "a/2.csv", "b.csv", "c.csv"] == _names(inbox)


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("*.csv", ["a.csv"], ["a/b.csv", "a.csv.part", "xcsv"]), ("**/*.csv", ["a.csv", "a/b/c.csv"], ["a.txt"]), ("20??/*.xml", ["2026/a.xml"], ["26/a.xml"]),
        ("[a].csv", ["[a].csv"], ["a.csv"]), ("../*", [], ["a"]),
    ],
)  # fmt: skip
def test_patterns(pattern: str, taken: list[str], left: list[str]) -> None:
    """`*` and `?` stay within a folder, `**/` is any folders, all else is itself."""
    import re

    assert [True] * len(taken) == [bool(re.fullmatch(glob_expression(pattern), name)) for name in taken]
    assert [False] * len(left) == [bool(re.fullmatch(glob_expression(pattern), name)) for name in left]


def test_links_are_not_followed(inbox: Any, tmp_path: Path) -> None:
    """A link to a file or folder outside is not even listed; pipes and unfinished files are left alone (E6)."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("canary\n1\n")
    (inbox.folder / "link.csv").symlink_to(outside / "secret.csv")
    (inbox.folder / "folder").symlink_to(outside)
    os.mkfifo(inbox.folder / "pipe.csv")
    for name in ("a.csv.part", ".hidden.csv", "b.csv.tmp", "c.csv~"):
        inbox.write(name, "id\n1\n")
    inbox.write("good.csv", "id\n1\n")
    inbox.read = {"files": "**/*"}
    assert ["good.csv"] == _names(inbox)


def test_a_link_put_in_the_way_is_not_followed(inbox: Any, tmp_path: Path) -> None:
    """Between listing and opening, neither the file nor a folder above it may become a link (E6)."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("canary\n")
    folder = Folder(inbox.folder)
    inbox.write("sub/a.csv", "id\n")
    (found,) = folder.find(("**/*.csv",))
    (inbox.folder / "sub/a.csv").unlink()
    (inbox.folder / "sub/a.csv").symlink_to(outside / "a.csv")
    with pytest.raises(ChangedWhileRead):
        folder.take(found, tmp_path)
    (inbox.folder / "sub/a.csv").unlink()
    (inbox.folder / "sub").rmdir()
    (inbox.folder / "sub").symlink_to(outside)
    with pytest.raises(ChangedWhileRead):
        folder.take(found, tmp_path)


def test_names_cannot_climb(inbox: Any, tmp_path: Path) -> None:
    """A name with `..`, an absolute one or one with a NUL is not opened."""
    (tmp_path / "secret").write_text("canary")
    inbox.write("a/b", "x")
    for name in ("../secret", "a/../../secret", f"{tmp_path}/secret", "a/./b", "a\0"):
        with pytest.raises((ChangedWhileRead, ValueError)):
            Folder(inbox.folder).take(FoundFile(name, 1, 0, ""), tmp_path)


@pytest.mark.parametrize("size", [8_000_000, 100])
def test_a_file_that_changes_while_it_is_read_is_left_for_later(size: int, inbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of one version and half of another never arrive together (C11)."""
    path = inbox.write("a.csv", b"a" * size)
    folder = Folder(inbox.folder)
    (found,) = folder.find(("*",))
    read = os.read

    def read_and_change(handle: int, count: int) -> bytes:
        data = read(handle, count)
        with path.open("r+b") as file:
            file.seek(50)
            file.write(b"b")
        return data

    monkeypatch.setattr(os, "read", read_and_change)
    with pytest.raises(ChangedWhileRead):
        folder.take(found, tmp_path)
    assert [] == [each for each in tmp_path.iterdir() if each.is_file()]
    monkeypatch.undo()
    assert size == folder.take(found, tmp_path).size_bytes


def test_a_deleted_file_is_left_out(inbox: Any, tmp_path: Path) -> None:
    """A file that is gone when its turn comes is no error (C11)."""
    inbox.write("a.csv", "id\n1\n")
    inbox.write("b.csv", "id\n2\n")
    found = inbox.arrivals(lambda arrival: (inbox.folder / "b.csv").unlink(missing_ok=True))
    assert ["a.csv"] == [arrival.origin for arrival, _ in found]


def test_a_file_that_may_not_be_read_costs_no_other_and_is_told(inbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others arrive, and then reading stops with its name and what to do: it is not left out run after run without a word."""
    opened = os.open

    def denied(path: Any, *arguments: Any, **more: Any) -> int:
        if path == "b.csv":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", denied)
    for name in ("a.csv", "b.csv", "c.csv"):
        inbox.write(name, "id\n1\n")
    read: list[str] = []
    with pytest.raises(StopError, match="b.csv may not be read"):
        inbox.arrivals(on=lambda arrival: read.append(arrival.origin))
    assert ["a.csv", "c.csv"] == read


def test_a_b_a_arrives_three_times(inbox: Any) -> None:
    """Only a file that equals its own last arrival is left out."""
    for content in ("id\nA\n", "id\nB\n", "id\nA\n"):
        inbox.write("x.csv", content)
        assert ["x.csv"] == _names(inbox)
        assert [] == _names(inbox)


def test_a_large_file_that_holds_what_it_held_is_not_copied(inbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash is taken where it lies; other bytes of the same length arrive."""
    inbox.write("a.csv", "id\n" + "A\n" * 1_000_000)
    assert ["a.csv"] == _names(inbox)
    inbox.write("a.csv", "id\n" + "A\n" * 1_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "take", lambda folder, file, spool: pytest.fail(f"{file.name} was copied"))
        assert [] == _names(inbox)
    inbox.write("a.csv", "id\n" + "A\n" * 999_999 + "B\n")
    assert ["a.csv"] == _names(inbox)


def test_an_old_file_with_an_equal_stamp_is_not_read(inbox: Any) -> None:
    """The stamp is given for files old enough to be trusted by it, and then spares the hash."""
    path = inbox.write("a.csv", "id\n1\n")
    ((young, _),) = inbox.arrivals()
    assert "stamp" not in young.details
    os.utime(path, (1_000_000_000, 1_000_000_000))
    (found,) = Folder(inbox.folder).find(("*",))
    inbox.known, inbox.stamps = {}, {"a.csv": found.stamp}
    assert [] == _names(inbox)
    inbox.stamps = {"a.csv": "other"}
    assert ["a.csv"] == _names(inbox)


def test_a_file_beyond_the_limit_is_refused_unread(inbox: Any) -> None:
    """It is told once, and the setting is named."""
    inbox.limits = Limits(file_bytes=100)
    inbox.write("a.csv", "id\n" + "1\n" * 100)
    ((arrival, records),) = inbox.arrivals()
    assert ([], "file-too-large") == (records, arrival.refusals[0].reason)
    assert "limits.file_bytes (100)" in arrival.refusals[0].message
    assert [] == _names(inbox)


def test_a_refusal_ends_completeness(inbox: Any) -> None:
    """A snapshot with a refused record must not delete what could not be read."""
    inbox.deletes = Deletes(mode="snapshot")
    _, refusals, arrival = inbox.one("a,b\n1,2\n3\n")
    assert refusals
    assert not (arrival.complete_snapshot and not arrival.refusals)


def test_a_missing_folder_stops_with_a_remedy(inbox: Any) -> None:
    """It is not an empty one."""
    inbox.folder.rmdir()
    with pytest.raises(StopError, match="Create it"):
        inbox.arrivals()


def test_ten_thousand_files(inbox: Any) -> None:
    """Many small files are read one by one, in order."""
    for number in range(10_000):
        (inbox.folder / f"{number:05}.csv").write_bytes(b"a,b\n1,2\n")
    assert 10_000 == len(_names(inbox))
