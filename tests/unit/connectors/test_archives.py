"""Archives: members within budgets, the source's own bytes kept, and nothing written where a member's name says (D10, D11)."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from treaty.project.declarations import Limits

ROWS = b"a,b\n1,2\n"
RECORDS = [{"a": "1", "b": "2"}]


def zipped(members: Mapping[str, bytes] | list[tuple[Any, bytes]]) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of double names
        for name, content in members.items() if isinstance(members, Mapping) else members:
            archive.writestr(name, content)
    return made.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted(data: bytes) -> bytes:
    """Mark the members of a zip as encrypted, in both of its directories."""
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(sign)
        data = data[: place + at] + b"\1\0" + data[place + at + 2 :]
    return data


def overlapping() -> bytes:
    """Let the second entry of the directory point at the first one's bytes."""
    data = zipped({"a.csv": ROWS * 100, "b.csv": ROWS * 100})
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    return data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :]


def wrong_size(data: bytes) -> bytes:
    place = data.index(b"PK\1\2") + 24
    return data[:place] + struct.pack("<L", 3) + data[place + 4 :]


def reasons_of(found: list[tuple[Any, Any]]) -> dict[str, list[str]]:
    return {arrival.origin: [each.reason for each in arrival.refusals] for arrival, _ in found if arrival.refusals}


def test_each_member_is_an_arrival(inbox: Any) -> None:
    """Members keep the archive's order and carry their unpacked bytes; the archive comes last, with its own, and is then known."""
    data = zipped({"x/b.csv": ROWS, "a.csv": ROWS, "a.csv.gz": gzip.compress(ROWS, mtime=0), "x/": b""})
    inbox.write("in.zip", data)
    found = inbox.arrivals()
    assert ["in.zip!x/b.csv", "in.zip!a.csv", "in.zip!a.csv.gz!a.csv", "in.zip"] == [each.origin for each, _ in found]
    assert [ROWS, ROWS, ROWS, data] == [each.content for each, _ in found]
    assert [1, 1, 1, 0] == [len(records) for _, records in found]
    assert [] == inbox.arrivals()


def test_what_has_not_changed_in_an_archive_is_not_read_again(inbox: Any) -> None:
    """Of a new archive under the same name, only members with other bytes arrive."""
    inbox.write("in.zip", zipped({"a.csv": ROWS, "b.csv": ROWS}))
    inbox.arrivals()
    inbox.write("in.zip", zipped({"a.csv": ROWS, "b.csv": b"a,b\n3,4\n"}))
    assert ["in.zip!b.csv", "in.zip"] == [each.origin for each, _ in inbox.arrivals()]


@pytest.mark.parametrize(("name", "pack"), [("r.csv.gz", gzip.compress), ("r.csv.zst", lambda data: pa.Codec("zstd").compress(data).to_pybytes())])
def test_single_files(name: str, pack: Any, inbox: Any) -> None:
    """Gzip and zstd hold one member, named after the file."""
    inbox.write(name, pack(ROWS))
    (member, records), _ = inbox.arrivals()
    assert (f"{name}!r.csv", "1", "2") == (member.origin, records[0]["a"], records[0]["b"])


def test_members_are_chosen(inbox: Any) -> None:
    """`members` says which are this stream's."""
    inbox.read = {"members": "orders/*.csv"}
    inbox.write("in.zip", zipped({"orders/a.csv": ROWS, "readme.txt": b"?", "orders/deep/a.csv": ROWS}))
    assert ["in.zip!orders/a.csv", "in.zip"] == [each.origin for each, _ in inbox.arrivals()]


HOSTILE: dict[str, tuple[Any, dict[str, list[str]]]] = {
    "bomb": (lambda: zipped({"z.csv": b"0" * 20_000_000}), {"in.zip!z.csv": ["archive-too-large"]}),
    "slip": (lambda: zipped({"../../z.csv": ROWS, "a.csv": ROWS}), {"in.zip!../../z.csv": ["bad-member-name"]}),
    "absolute": (lambda: zipped([(zipfile.ZipInfo("/z.csv"), ROWS)]), {"in.zip!/z.csv": ["bad-member-name"]}),
    "windows": (lambda: zipped({"C:z.csv": ROWS}), {"in.zip!C:z.csv": ["bad-member-name"]}),
    "link": (lambda: zipped([(link("z.csv"), b"/etc/passwd")]), {"in.zip!z.csv": ["no-file"]}),
    "double": (lambda: zipped([("z.csv", ROWS), ("z.csv", b"a\n")]), {"in.zip!z.csv": ["duplicate-member"]}),
    "encrypted": (lambda: encrypted(zipped({"z.csv": ROWS})), {"in.zip!z.csv": ["encrypted"]}),
    "overlapping": (overlapping, {"in.zip": ["bad-archive"]}),
    "wrong-size": (lambda: wrong_size(zipped({"z.csv": ROWS})), {"in.zip!z.csv": ["bad-archive"]}),
    "truncated": (lambda: zipped({"z.csv": ROWS})[:-10], {"in.zip": ["bad-archive"]}),
    "empty": (lambda: b"", {"in.zip": ["bad-archive"]}),
    "many": (lambda: zipped({f"{number}.csv": ROWS for number in range(60)}), {"in.zip": ["too-many-members"]}),
    "nested": (
        lambda: zipped({"1.zip": zipped({"2.zip": zipped({"z.csv": ROWS})})}),
        {"in.zip!1.zip!2.zip": ["too-deep"]},
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str, inbox: Any) -> None:
    """Each is refused with its reason at its place, names the limit it met, and nothing is left beside the inbox."""
    make, expected = HOSTILE[name]
    inbox.limits = Limits(archive_entries=50)
    inbox.write("in.zip", make())
    found = inbox.arrivals()
    assert expected == reasons_of(found)
    told = " ".join(each.message for arrival, _ in found for each in arrival.refusals)
    assert ("limits.archive_" in told) == (name in ("bomb", "many", "nested"))
    assert ["inbox"] == [each.name for each in inbox.root.iterdir()]


@pytest.mark.parametrize("name", ["bomb", "double", "slip"])
def test_double_names_differ_from_double_cases(name: str, inbox: Any) -> None:
    """Names that differ in case are two members: nothing is written under a name of the archive."""
    inbox.write("in.zip", zipped({f"{name}.csv": ROWS, f"{name.upper()}.csv": ROWS}))
    assert {} == reasons_of(inbox.arrivals())


@pytest.mark.parametrize(
    ("content", "reason"),
    [(gzip.compress(b"0" * 20_000_000, mtime=0), "archive-too-large"), (gzip.compress(ROWS, mtime=0)[:-6], "bad-archive"), (b"no gzip", "bad-archive")],
)
def test_hostile_gzip(content: bytes, reason: str, inbox: Any) -> None:
    """A bomb, a truncated file and none at all are refused."""
    inbox.write("r.csv.gz", content)
    assert {"r.csv.gz!r.csv": [reason]} == reasons_of(inbox.arrivals())


def test_output_is_counted_over_all_members(inbox: Any) -> None:
    """What comes out of all members together is what is limited."""
    inbox.limits = Limits(archive_bytes=len(ROWS) * 2)
    inbox.write("in.zip", zipped({f"{number}.csv": ROWS for number in range(4)}))
    found = inbox.arrivals()
    assert {"in.zip!2.csv": ["archive-too-large"]} == reasons_of(found)
    assert "limits.archive_bytes" in found[2][0].refusals[0].message
