"""Plans over public invoices of several clients: what they count equals the comparison of two full runs, and what is applied equals the second."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from packs_bench import SHARED

import treaty
from treaty.project.files import catalog_folder

TYPES = ("380", "389", "384")
MATCHED_BY_AMOUNT = '  - {parts: ["amount_due"], strength: strong}\n'
Edit = Callable[[str], str]
pytestmark = pytest.mark.skipif(not (SHARED / "pairs.jsonl").is_file(), reason="the public e-invoicing documents are not beside this checkout")


@dataclass(frozen=True)
class FullRun:
    """What one project made of everything, in a lake of its own: golden records by client and id, quarantined records by client."""

    records: dict[str, dict[str, dict[str, Any]]]
    quarantined: Counter[str]


@dataclass(frozen=True)
class Standing:
    """A project that has run: a copy of its folder, the database of its lake, and what it made of everything."""

    folder: Path
    database: str
    run: FullRun


Lakes = Callable[[str | None], None]


@pytest.fixture
def lakes(make_new_database: Callable[[str | None], str], monkeypatch: pytest.MonkeyPatch) -> Lakes:
    """Give a function that turns to a new database: a copy of another, or an empty one where none is named."""
    return lambda copied_from: monkeypatch.setenv("TREATY_DATABASE", make_new_database(copied_from))


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, make_new_database: Callable[[str | None], str]) -> Callable[[int, int | None], Standing]:
    """Give a function that makes and runs the project of so many clients and invoices; once for all changes."""
    known: dict[tuple[int, int | None], Standing] = {}

    def make(clients: int, count: int | None) -> Standing:
        if (clients, count) not in known:
            folder = tmp_path_factory.mktemp("standing") / "project"
            write_invoices(folder, clients, count)
            database = make_new_database(None)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TREATY_DATABASE", database)
                assert treaty.run(folder).ok
                known[(clients, count)] = Standing(folder, database, look(folder))
        return known[(clients, count)]

    return make


def rounded(text: str) -> str:
    """Round amounts to cents."""
    text = replaced(text, "expression: plain_decimal(text)", "expression: to_decimal_rounded(text, 18, 2)")
    return replaced(text, '{text: "10.00005", fails: too-many-digits}', '{text: "10.00005", returns: 10}')


def other_codes(text: str) -> str:
    """Take self-billed invoices for plain ones, and know corrected ones no more."""
    return replaced(replaced(text, '  "389": "389"\n', '  "389": "380"\n'), '  "384": "384"\n', "")


def ubl_first(text: str) -> str:
    """Prefer what UBL says, whichever came last."""
    return replaced(text, "prefer: [latest]", "prefer: [ubl]")


def by_amount(text: str) -> str:
    """Take invoices of one amount for one: it splits and merges."""
    head, _, rest = text.partition("keys:\n")
    return head + "keys:\n" + MATCHED_BY_AMOUNT + rest[rest.index("review-by") :]


CHANGES: dict[str, Edit] = {"invoice-amounts-are-exact": rounded, "invoice-type-codes": other_codes, "latest-document-wins": ubl_first, "same-invoice": by_amount}


def replaced(text: str, old: str, new: str) -> str:
    """Return a text with another part; fail where it has not the old one."""
    assert old in text
    return text.replace(old, new)


def put(root: etree._Element, path: tuple[str, ...], change: Callable[[str], str]) -> None:
    """Change the text of the elements at a path of local names below the root."""
    for each in root.xpath("./" + "/".join(f"*[local-name()='{name}']" for name in path)):
        each.text = change(each.text)


def write_invoices(root: Path, clients: int, count: int | None) -> None:
    """Make a project of the pack; give each client the same invoices in its syntax, every fifth in both, with numbers and amounts of its own.

    The third invoice asks for what the first does; of every second one the two documents differ in the amount.
    """
    treaty.init(root, packs=["einvoice"])
    (root / "treaty.yaml").write_text("name: invoices\npacks: [einvoice]\nenvironments:\n  local: {deliver: false, database: env:TREATY_DATABASE}\n", encoding="utf-8")
    flow = "mappings: [ubl.invoices, cii.invoices]\ntrigger: manual\nowner: invoice-integration\nreason: two syntaxes are enough\n"
    (root / "flows/invoices.yaml").write_text(flow, encoding="utf-8")
    pairs = [json.loads(line) for line in (SHARED / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    due = str(Decimal(pairs[0]["golden"]["BT-115 due"]))
    for client in range(clients):
        for syntax in ("ubl", "cii"):
            mine = pairs[:count] if client % 5 == 0 or (client % 2 == 0) == (syntax == "ubl") else []
            inbox = root / f"inbox/c{client:02}/{syntax}"
            inbox.mkdir(parents=True)
            system = root / f"clients/c{client:02}/systems/{syntax}.yaml"
            system.parent.mkdir(parents=True, exist_ok=True)
            system.write_text(f"connection: {{folder: inbox/c{client:02}/{syntax}}}\nreason: this client's own inbox\n", encoding="utf-8")
            for place, pair in enumerate(mine):
                (inbox / f"{place:03}.xml").write_bytes(copied(SHARED / pair[syntax], client, place, syntax, due))


def copied(path: Path, client: int, place: int, syntax: str, due: str) -> bytes:
    """Return a document with a number, a type and an amount due of this client's own."""
    document = etree.parse(str(path)).getroot()
    extra = Decimal("0.0051") * (client + 1) + (Decimal("1.5") if syntax == "cii" and place % 2 else 0)
    start = {0: due, 2: due}.get(place)
    settlement = ("SupplyChainTradeTransaction", "ApplicableHeaderTradeSettlement")
    number, kind, amount = {
        "ubl": (("ID",), ("InvoiceTypeCode",), ("LegalMonetaryTotal", "PayableAmount")),
        "cii": (
            ("ExchangedDocument", "ID"), ("ExchangedDocument", "TypeCode"),
            (*settlement, "SpecifiedTradeSettlementHeaderMonetarySummation", "DuePayableAmount"),
        ),
    }[syntax]  # fmt: skip
    put(document, number, lambda text: f"{text}-{client}-{place}")
    put(document, kind, lambda text: TYPES[(place + client) % 3] if text in TYPES else text)
    put(document, amount, lambda text: str(Decimal(start or text) + extra))
    return etree.tostring(document)


def look(root: Path) -> FullRun:
    """Read everything that the lake of a project has."""
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for row in treaty.records("invoice", root).to_pylist():
        records.setdefault(row["_client"], {})[row["_id"]] = row
    verified = treaty.verify(root)
    assert verified.ok, verified.problems
    quarantined: Counter[str] = Counter()
    for each in verified.streams:
        quarantined[each.client] += each.dispositions.get("quarantined", 0)
    return FullRun(records, quarantined)


def compare(before: FullRun, after: FullRun) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Compare two full runs by brute force: by client the counts of records and fields as a plan has them."""
    found = {}
    for client in sorted(before.records.keys() | after.records.keys()):
        old, new = before.records.get(client, {}), after.records.get(client, {})
        was, now = ({source(each) for row in rows.values() for each in row["_sources"]} for rows in (old, new))
        fields: Counter[str] = Counter()
        changed = 0
        for key in old.keys() & new.keys():
            differing = [name for name in old[key] if not name.startswith("_") and old[key][name] != new[key][name]]
            fields.update(differing)
            changed += bool(differing)
        gone = [any(source(each) in now for each in old[key]["_sources"]) for key in old.keys() - new.keys()]
        come = [any(source(each) in was for each in new[key]["_sources"]) for key in new.keys() - old.keys()]
        counts = {
            "changed": changed, "merged": sum(gone), "removed": len(gone) - sum(gone), "split": sum(come), "added": len(come) - sum(come),
            "quarantine": after.quarantined[client] - before.quarantined[client],
        }  # fmt: skip
        if any(counts.values()):
            found[client] = (counts, dict(fields))
    return found


def source(member: dict[str, str]) -> tuple[str, ...]:
    """Return what names a member of a golden record."""
    return member["system"], member["stream"], member["source_key"]


def told(plan: treaty.PlanResult, decision: str) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Return what a plan says of its one change, as :func:`compare` does."""
    (change,) = plan.changes
    assert ("decision", decision) == (change.what, change.id)
    found = {}
    for each in change.differences:
        counts = dict(each.records)
        counts["quarantine"] = counts.pop("into_quarantine") - counts.pop("out_of_quarantine")
        found[each.client] = (counts, dict(each.fields))
    return found


def prove(root: Path, lakes: Lakes, standing: Standing, decision: str) -> Counter[str]:
    """Plan and apply one change; hold it against full runs of both projects. Return what it counted in all."""
    folder, other = root / "standing", root / "other"
    shutil.copytree(standing.folder, folder)
    lakes(standing.database)
    text = (catalog_folder() / f"einvoice/decisions/{decision}.md").read_text(encoding="utf-8")
    (folder / f"decisions/{decision}.md").write_text(replaced(CHANGES[decision](text), "title: ", "reason: on trial\ntitle: "), encoding="utf-8")
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".treaty"))
    plan = treaty.plan(folder)
    said = told(plan, decision)
    applied = treaty.apply(plan.plan_id, folder)
    now = look(folder)
    assert applied.changed
    lakes(None)
    assert treaty.run(other).ok
    after = look(other)
    assert compare(standing.run, after) == said
    assert after == now
    sums: Counter[str] = Counter()
    for counts, _ in said.values():
        sums.update(counts)
    return sums


@pytest.mark.slow
def test_survivorship_equals_two_full_runs(tmp_path: Path, lakes: Lakes, standing: Callable[[int, int | None], Standing]) -> None:
    """Another order of survivorship, over two invoices of three clients, changes the one in which the documents of the first differ."""
    assert 1 <= prove(tmp_path, lakes, standing(3, 2), "latest-document-wins")["changed"]


@pytest.mark.slow
@pytest.mark.parametrize("decision", list(CHANGES))
def test_plans_equal_two_full_runs(tmp_path: Path, lakes: Lakes, standing: Callable[[int, int | None], Standing], decision: str) -> None:
    """Rounding, a code list, survivorship and match keys over four invoices of three clients, one of which has them in two syntaxes."""
    assert any(prove(tmp_path, lakes, standing(3, 4), decision).values())


@pytest.mark.slow
@pytest.mark.parametrize("decision", list(CHANGES))
def test_plans_equal_two_full_runs_of_fifty_clients(
    tmp_path: Path, lakes: Lakes, standing: Callable[[int, int | None], Standing], decision: str
) -> None:
    """The same over all 76 invoices of fifty clients."""
    assert any(prove(tmp_path, lakes, standing(50, None), decision).values())
