"""Landing: what arrives becomes rows, once, in order, with its bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.integration.lake.landings import MAIN, Identity, csv_arrival, csv_request, document_arrival, land_all, landed

from treaty.connectors.interface import Arrival, Refusal
from treaty.lake.cursors import read_cursor
from treaty.lake.landing import LandingRequest
from treaty.lake.objects import read_object
from treaty.lake.refusals import ReadingMapping
from treaty.lake.scope import OneClient
from treaty.sessions import Session

FIRST = "id,amount\n1,10\n2,20\n3,\n"


def test_first_landing_keeps_every_row_with_its_place_and_bytes(session: Session, tmp_path: Path) -> None:
    """A first file lands whole: text as it is, ordinals from 1, bytes by hash, cursor and receipt in the same commit."""
    result = land_all(session, csv_request(), csv_arrival(tmp_path, FIRST))
    assert (3, 0, 1) == (result.landed, result.unchanged, result.arrivals)
    assert [(1, "1", "1", "10"), (2, "2", "2", "20"), (3, "3", "3", "")] == landed(session, "_locator, _source_key, c_id, c_amount")
    assert {"at": "a.csv"} == read_cursor(session, MAIN, "erp", "invoices").position
    receipt = session.duck.execute("select origin, arrival, object_hash, columns, records, skipped from lake.receipt").fetchall()
    assert [("a.csv", 1, receipt[0][2], '["id", "amount"]', 3, 0)] == receipt
    assert FIRST.encode() == read_object(session, MAIN, receipt[0][2])


def test_same_bytes_again_commit_nothing(session: Session, tmp_path: Path) -> None:
    """An arrival that equals the last of its origin is skipped, and nothing at all is committed (second run)."""
    land_all(session, csv_request(), csv_arrival(tmp_path, FIRST))
    before = session.duck.execute("select max(snapshot_id) from lake.snapshots()").fetchall()
    result = land_all(session, csv_request(), csv_arrival(tmp_path, FIRST))
    assert (0, 1, []) == (result.landed, result.skipped_arrivals, result.batches)
    assert before == session.duck.execute("select max(snapshot_id) from lake.snapshots()").fetchall()


def test_a_b_a_lands_three_versions_and_ends_at_a(session: Session, tmp_path: Path) -> None:
    """A record that goes A, B, A over three files of one name has three landed versions; the last is the newest (I1)."""
    for amount in ("10", "11", "10"):
        land_all(session, csv_request(), csv_arrival(tmp_path, f"id,amount\n1,{amount}\n"))
    rows = landed(session, "_landed_id, c_amount, _supersedes")
    assert ["10", "11", "10"] == [row[1] for row in rows]
    assert [None, rows[0][0], rows[1][0]] == [row[2] for row in rows]
    assert [(1,), (2,), (3,)] == session.duck.execute("select arrival from lake.receipt order by arrival").fetchall()


def test_rewritten_file_lands_only_what_changed(session: Session, tmp_path: Path) -> None:
    """Rows in another order are the same rows; only a changed and a new one land, and the receipt counts the rest as skipped."""
    land_all(session, csv_request(), csv_arrival(tmp_path, FIRST))
    result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n3,\n2,21\n1,10\n4,40\n"))
    assert (2, 2) == (result.landed, result.unchanged)
    assert [("2", "21"), ("4", "40")] == landed(session, "c_id, c_amount", f"_batch = {result.batches[0]}")
    assert [(4, 2)] == session.duck.execute(f"select records, skipped from lake.receipt where _batch = {result.batches[0]}").fetchall()


def test_a_key_several_times_in_one_file_is_a_chain(session: Session, tmp_path: Path) -> None:
    """Of a key that one file holds several times each differing row supersedes the one before; a repeated row is skipped."""
    result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,a\n2,x\n1,a\n1,b\n1,a\n"))
    rows = landed(session, "_landed_id, c_amount, _supersedes", "c_id = '1'")
    assert ["a", "b", "a"] == [row[1] for row in rows]
    assert [None, rows[0][0], rows[1][0]] == [row[2] for row in rows]
    assert (4, 1) == (result.landed, result.unchanged)


def test_files_of_one_commit_are_received_one_after_the_other(session: Session, tmp_path: Path) -> None:
    """Of versions that land in one commit the newest by time is the newest that landing knows: what stands behind landing goes by time."""
    arrivals = [csv_arrival(tmp_path, f"id,name\n1,{number}\n2,{number}\n", f"{number}.csv") for number in range(8)]
    assert 16 == land_all(session, csv_request(), *arrivals).landed
    newest = session.duck.execute("select c_id, arg_max(c_name, _received_at), count(distinct _received_at) from lake.landed_erp__invoices group by 1 order by 1")
    assert [("1", "7", 8), ("2", "7", 8)] == newest.fetchall()


def test_a_known_row_repeated_is_nothing_new(session: Session, tmp_path: Path) -> None:
    """With A in the lake, a file that holds A twice lands neither."""
    land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,a\n2,x\n"))
    result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,a\n1,a\n2,y\n"))
    assert (1, 2) == (result.landed, result.unchanged)
    assert [("1", "a"), ("2", "x"), ("2", "y")] == landed(session, "c_id, c_amount")


def test_b_then_a_in_one_file_after_a_ends_at_a(session: Session, tmp_path: Path) -> None:
    """With A in the lake, a file that holds B and then A lands both, A with its content again."""
    land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,a\n2,x\n"))
    result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,b\n1,a\n2,x\n"))
    rows = landed(session, "_landed_id, c_amount, _supersedes, _op", "c_id = '1'")
    assert ["a", "b", "a"] == [row[1] for row in rows]
    assert [None, rows[0][0], rows[1][0]] == [row[2] for row in rows]
    assert {"upsert"} == {row[3] for row in rows}
    assert (2, 1) == (result.landed, result.unchanged)


def test_many_rows_with_a_few_repeats_keep_their_file(session: Session, tmp_path: Path) -> None:
    """In a large file with few repeated keys the repeats are put in order without writing the file again."""
    lines = [f"{number},{number * 7}" for number in range(30_000)] + ["5,35", "6,new", "6,newer"]
    result = land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n" + "\n".join(lines) + "\n"))
    assert (30_002, 1) == (result.landed, result.unchanged)
    assert [(30_002, 30_002)] == session.duck.execute("select count(*), count(distinct _landed_id) from lake.landed_erp__invoices").fetchall()
    rows = landed(session, "_landed_id, c_amount, _supersedes", "c_id = '6'")
    assert [("42", None), ("new", rows[0][0]), ("newer", rows[1][0])] == [(row[1], row[2]) for row in rows]
    assert [(0,)] == session.duck.execute("select count(*) from lake.landed_erp__invoices where _op not in ('upsert')").fetchall()


def test_an_older_version_is_late(session: Session, tmp_path: Path) -> None:
    """A row whose version is older than the newest of its key is landed as late, supersedes nothing, and lands once only."""
    request = csv_request(version="try_cast(c_v as bigint)")
    land_all(session, request, csv_arrival(tmp_path, "id,v\n1,5\n"))
    land_all(session, request, csv_arrival(tmp_path, "id,v\n1,3\n"))
    land_all(session, request, csv_arrival(tmp_path, "id,v\n1,3\n1,5\n"))
    assert [("5", False, None), ("3", True, None)] == landed(session, "c_v, _late, _supersedes")


def test_versions_out_of_order_in_one_file(session: Session, tmp_path: Path) -> None:
    """In one file the highest version of a key is the newest, wherever it stands."""
    request = csv_request(version="try_cast(c_v as bigint)")
    land_all(session, request, csv_arrival(tmp_path, "id,v\n1,5\n1,3\n1,7\n1,3\n"))
    rows = landed(session, "_landed_id, c_v, _late, _supersedes")
    assert [("5", False, None), ("3", True, None), ("7", False, rows[0][0])] == [row[1:] for row in rows]


def test_without_a_key_equal_content_lands_once(session: Session, tmp_path: Path) -> None:
    """A stream without a key has content only: nothing is superseded, equal rows land once."""
    request = csv_request(key="")
    land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,a\n1,a\n1,b\n"))
    result = land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,b\n1,c\n"))
    assert [("a", None), ("b", None), ("c", None)] == landed(session, "c_amount, _supersedes")
    assert (1, 1) == (result.landed, result.unchanged)


def test_null_and_empty_and_neighbours_differ(session: Session) -> None:
    """Content is compared by column: a missing value, an empty one, and one that moved to the next column are changes."""
    import pyarrow as pa

    from treaty.connectors.interface import Rows

    request = csv_request()
    for place, (a, b) in enumerate([("x", None), (None, "x"), ("", "x"), ("x", "")]):
        batch = pa.RecordBatch.from_pydict(
            {"_locator": pa.array([1], pa.int64()), "id": pa.array(["1"]), "a": pa.array([a], pa.string()), "b": pa.array([b], pa.string())}
        )
        land_all(session, request, Arrival("q", b"%d" % place, str(place), 1, Rows(iter([batch]), ("id", "a", "b")), {"n": place}))
    assert [("x", None), (None, "x"), ("", "x"), ("x", "")] == landed(session, "c_a, c_b")


def test_a_new_column_widens_the_table(session: Session, tmp_path: Path) -> None:
    """A column that appears later is added; rows from before have none."""
    land_all(session, csv_request(), csv_arrival(tmp_path, "id,amount\n1,10\n"))
    land_all(session, csv_request(), csv_arrival(tmp_path, "id,Note No.\n1,hello\n"))
    columns = [row[0] for row in session.duck.execute("describe lake.landed_erp__invoices").fetchall()]
    assert ["c_id", "c_amount"] == columns[12:14]
    assert [("10", None), (None, "hello")] == landed(session, f'c_amount, "{columns[14]}"')
    assert [(1,)] == session.duck.execute("select count(*) from lake.landed_erp__invoices where c_amount is null").fetchall()


def test_many_small_documents_land_in_one_commit(session: Session) -> None:
    """Small arrivals share a commit and a pack file, each with its receipt; equal bytes are stored once."""
    request = LandingRequest("ubl", "docs", lambda columns: Identity(key="json_extract_string(payload, '$.id')"))
    arrivals = [document_arrival([f'{{"id": "{n}", "n": {n}}}'], f"{n}.xml") for n in range(300)]
    twin = document_arrival(['{"id": "0", "n": 0}'], "twin.xml")
    result = land_all(session, request, *arrivals, twin)
    assert (300, 1, 301, 1) == (result.landed, result.unchanged, result.arrivals, len(result.batches))
    assert [(301, 301, 1)] == session.duck.execute("select count(*), sum(records), sum(skipped) from lake.receipt").fetchall()
    assert [(300, 1)] == session.duck.execute("select count(*), count(distinct path) from lake.object").fetchall()
    assert arrivals[17].content == read_object(session, MAIN, arrivals[17].sha256)
    joined = """select count(*) from lake.landed_ubl__docs l join lake.receipt r using (_receipt_id)
        where r.origin = json_extract_string(payload, '$.id') || '.xml' and _locator = 1"""
    assert [(300,)] == session.duck.execute(joined).fetchall()


def test_a_tombstone_is_a_change_and_a_return_another(session: Session) -> None:
    """A delete with the same content is not the same; the record returns under its key."""
    request = LandingRequest("crm", "people", lambda columns: Identity(key="json_extract_string(payload, '$.id')"))
    for place, op in enumerate(["upsert", "delete", "delete", "upsert"]):
        land_all(session, request, document_arrival(['{"id": "1"}'], "feed", [op], cursor={"n": place}))
    assert ["upsert", "delete", "upsert"] == [row[0] for row in landed(session, "_op", table="landed_crm__people")]


def test_snapshot_deletes_and_guard(session: Session, tmp_path: Path) -> None:
    """What a complete snapshot lacks is deleted, unless that is more than the guard: then an issue says so and nothing is."""
    request = csv_request(snapshot_deletes=True, guard_percent=20)
    ten = "id,amount\n" + "".join(f"{n},{n}\n" for n in range(10))
    land_all(session, request, csv_arrival(tmp_path, ten, complete_snapshot=True))
    result = land_all(session, request, csv_arrival(tmp_path, ten.replace("7,7\n", ""), complete_snapshot=True))
    assert (1, 1, 0) == (result.landed, result.deleted, result.held_deletes)
    assert [("7", "delete", True)] == landed(session, "_source_key, _op, _supersedes is not null", f"_batch = {result.batches[0]}")
    result = land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,one\n", complete_snapshot=True))
    assert (1, 0, 8) == (result.landed, result.deleted, result.held_deletes)
    issues = session.as_client("main").execute("select kind, subject from treaty.issue").fetchall()
    assert [("snapshot-guard", "erp/invoices")] == issues
    accepted = csv_request(snapshot_deletes=True, accept_deletes=True)
    assert 8 == land_all(session, accepted, csv_arrival(tmp_path, "id,amount\n1,uno\n", complete_snapshot=True)).deleted


def test_a_snapshot_that_was_held_is_read_again_once_its_guard_is_raised(session: Session, tmp_path: Path) -> None:
    """Its deletes are applied then, and the issue is closed; so it is by a later snapshot that its guard lets pass."""
    open_now = "select count(*) from treaty.issue where closed_at is null"
    request = csv_request(snapshot_deletes=True, guard_percent=20, read_as="20")
    land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,1\n2,2\n3,3\n", complete_snapshot=True))
    few = csv_arrival(tmp_path, "id,amount\n1,1\n", complete_snapshot=True)
    assert (2, 0) == (land_all(session, request, few).held_deletes, land_all(session, request, few).arrivals)
    assert 1 == session.as_client("main").execute(open_now).fetchall()[0][0]
    raised = replace(request, guard_percent=90, read_as="90")
    assert (2, 0) == ((result := land_all(session, raised, few)).deleted, result.held_deletes)
    assert 0 == session.as_client("main").execute(open_now).fetchall()[0][0]
    assert 0 == land_all(session, raised, few).arrivals


def test_refused_records_are_landed_and_quarantined(session: Session, tmp_path: Path) -> None:
    """A ragged row is refused with its place, quarantined under the stream's mapping, once; the rest passes."""
    request = csv_request(mappings=(ReadingMapping("erp.invoices", 1, "invoice"),))
    result = land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,10\n2\n3,30\n"))
    assert (3, 1) == (result.landed, result.refused)
    assert [(1, "upsert"), (2, "refused"), (3, "upsert")] == landed(session, "_locator, _op")
    assert [("quarantined", "bad-csv")] == session.duck.execute("select state, reason from lake.disposition").fetchall()
    assert [("invoice", "bad-csv", "2")] == session.duck.execute("select model, rule, value from lake.quarantine").fetchall()
    again = land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,10\n2\n3,31\n"))
    assert (1, 0) == (again.landed, again.refused)


def test_a_refused_file_is_kept(session: Session) -> None:
    """A file that cannot be read at all is one refused row, its bytes are kept, and its cursor moves on."""
    arrival = Arrival("bad.xml", b"<!DOCTYPE x>", "ab", 12, None, {"n": 1}, [Refusal(0, "doctype", "DOCTYPE", "<!DOCTYPE x>")])
    request = LandingRequest("ubl", "docs", lambda columns: Identity(), mappings=(ReadingMapping("m", 1, "invoice"),))
    assert (1, 1) == (land_all(session, request, arrival).refused, read_cursor(session, MAIN, "ubl", "docs").seq)
    assert [(0, "refused", "<!DOCTYPE x>")] == landed(session, "_locator, _op, payload", table="landed_ubl__docs")


def test_a_file_that_two_streams_refuse_is_in_quarantine_once(session: Session) -> None:
    """Where two streams of a system read one file and neither can, the second has a duplicate; another file, or another system, is its own."""

    def refuse(system: str, stream: str, origin: str) -> tuple[int, int]:
        arrival = Arrival(origin, b"<a><b>", "ab", 6, None, {"n": origin}, [Refusal(0, "bad-xml", "not closed", "<a><b>")])
        request = LandingRequest(system, stream, lambda columns: Identity(), mappings=(ReadingMapping(f"{system}.{stream}", 1, "invoice"),))
        result = land_all(session, request, arrival)
        return result.refused, result.repeated

    places = (("ubl", "notes", "a.xml"), ("ubl", "invoices", "a.xml"), ("ubl", "invoices", "b.xml"), ("other", "invoices", "a.xml"))
    assert [(1, 0), (0, 1), (1, 0), (1, 0)] == [refuse(*each) for each in places]
    assert [("ubl", "invoices", "refused in ubl/notes")] == session.duck.execute(
        "select _system, _stream, reason from lake.disposition where state = 'duplicate'"
    ).fetchall()
    assert 3 == session.duck.execute("select count(*) from lake.quarantine").fetchall()[0][0]


def test_large_and_small_paths_land_the_same(session: Session, tmp_path: Path) -> None:
    """Streaming a large file and reading a small one give the same rows and hashes, repeats and quotes included."""
    text = "id,amount\n" + "".join(f'{n % 400},"a ""{n % 3}"""\n' for n in range(1000))
    land_all(session, csv_request(), csv_arrival(tmp_path, text))
    session.settings = replace(session.settings, land_batch_bytes=4)
    land_all(session, csv_request(), csv_arrival(tmp_path, text), scope=OneClient("other"))
    columns = "_locator, _source_key, _hash, c_amount, _late, _supersedes is null"
    assert landed(session, columns, "_client = 'main'") == landed(session, columns, "_client = 'other'")
    assert [(2000, 2000)] == session.duck.execute("select count(*), count(distinct _landed_id) from lake.landed_erp__invoices").fetchall()


def test_clients_do_not_see_each_other(session: Session, tmp_path: Path) -> None:
    """The same file for two clients lands twice, under different ids, and neither supersedes the other (I8)."""
    land_all(session, csv_request(), csv_arrival(tmp_path, FIRST))
    land_all(session, csv_request(), csv_arrival(tmp_path, FIRST), scope=OneClient("acme"))
    rows = landed(session, "_client, _landed_id, _supersedes")
    assert (6, 6, {None}) == (len(rows), len({row[1] for row in rows}), {row[2] for row in rows})


def test_what_was_refused_is_read_again_once_the_stream_is_read_otherwise(session: Session, tmp_path: Path) -> None:
    """The same bytes land again, once; what is refused no more leaves quarantine in that commit, and what still is stays there as it was."""
    request = csv_request(mappings=(ReadingMapping("erp.invoices", 1, "invoice"),), read_as="one")
    refused = csv_arrival(tmp_path, "id,amount\n1,10\n2\n3\n")
    assert (2, 0) == (land_all(session, request, refused).refused, land_all(session, request, refused).arrivals)

    otherwise = replace(request, read_as="other")
    better = csv_arrival(tmp_path, "id,amount\n1,10\n2,20\n3\n")
    better.sha256 = refused.sha256  # the same bytes, read in another way
    result = land_all(session, otherwise, better)
    assert (1, 0, 1, 0) == (result.landed, result.refused, result.arrivals, land_all(session, otherwise, better).arrivals)
    newest = "select _locator, arg_max(state, d._batch) from lake.disposition d join lake.landed_erp__invoices using (_landed_id) group by _locator order by 1"
    assert [(2, "filtered"), (3, "quarantined")] == session.duck.execute(newest).fetchall()
    land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,10\n2\n3\n"))  # as it was before: what was refused then is refused anew
    assert 2 == session.duck.execute("select count(*) from lake.landed_erp__invoices where _op = 'refused' and _locator = 2").fetchall()[0][0]


def test_what_is_read_again_never_overtakes_what_came_meanwhile(session: Session, tmp_path: Path) -> None:
    """Rows of an old file that can be read at last are late where later files have their keys; a snapshot that is not the last deletes nothing."""
    wrong = [Refusal(0, "bad-encoding", "no", "")]
    request = csv_request(mappings=(ReadingMapping("erp.invoices", 1, "invoice"),), read_as="one", snapshot_deletes=True)
    land_all(session, request, Arrival("a.csv", b"old", "old", 3, None, {"at": "a"}, wrong))
    land_all(session, request, csv_arrival(tmp_path, "id,amount\n1,new\n3,new\n", "b.csv"))

    old = csv_arrival(tmp_path, "id,amount\n1,old\n2,old\n", "a.csv", complete_snapshot=True)
    old.sha256 = "old"
    assert (2, 0) == ((result := land_all(session, replace(request, read_as="other"), old)).landed, result.deleted)
    rows = landed(session, "c_id, c_amount, _late, _supersedes is null", "_op = 'upsert'")
    assert [("1", "new", False, True), ("3", "new", False, True), ("1", "old", True, True), ("2", "old", False, True)] == rows
