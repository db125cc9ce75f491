"""Loading a project: packs, overlays, hooks, stored files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from treaty.errors import UsageError
from treaty.project.files import catalog_folder
from treaty.project.findings import Position
from treaty.project.loading import Project, load_project, load_project_files
from treaty.project.overlays import client_project, clients, running_mappings

LEDGER = Path(__file__).parents[2] / "cases" / "projects" / "ledger"


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below ``root``."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def codes(project: Project) -> list[str]:
    """Return the codes of a project's findings."""
    return [each.code for each in project.findings]


SYSTEM = "connector: files\nconnection: {folder: inbox}\nstreams:\n  rows: {format: csv}\n"
MAPPING = "from: a/rows\nto: thing\nfields: {id: ID, name: NAME}\n"
DECISION = """---
id: units
title: Units
status: accepted
date: 2026-01-01
kind: value-map
function: unit_code(text: string) -> string
map: {kg: KGM, g: GRM}
otherwise: quarantine
---
## Outcome
Units are mapped.
"""


def test_good_project_has_no_findings() -> None:
    """The design's own examples load as they are written."""
    project = load_project(LEDGER)
    assert () == project.findings
    record = project.decisions["how-legacy-amounts-are-written"]
    assert ({"text": "1.234,50", "returns": Decimal("1234.50")}, {"text": "(12,00)", "returns": Decimal("-12.00")}) == record.examples
    assert record.applies is not None
    assert ("2026-01-01", None, "invoice.issue_date") == (record.applies.from_, record.applies.to, record.applies.by)
    assert "Chosen: read commas as decimals." == record.sections["outcome"]
    assert ("Read commas as decimals", "Ask the client to change the export, which takes a quarter") == record.options
    assert "snapshot" == project.systems["erp"].streams["invoices"].deletes.mode
    assert ("none", 20) == (
        project.systems["ubl"].streams["invoices"].deletes.mode,
        project.systems["erp"].streams["invoices"].deletes.guard_percent,
    )


def test_stored_files_load_to_the_same() -> None:
    """A project read from its stored files equals the one read from the folder."""
    project = load_project(LEDGER)
    stored = load_project_files(dict(project.files))
    assert project.content_hash == stored.content_hash
    for part in ("settings", "systems", "models", "decisions", "mappings", "flows", "overlays", "hooks", "findings"):
        assert getattr(project, part) == getattr(stored, part)


def test_places_name_line_and_column() -> None:
    """Each key path of a mapping has the place where its value begins."""
    mapping = load_project(LEDGER).mappings["erp.invoices"]
    assert Position("mappings/erp.invoices.yaml", 6, 15) == mapping.at("fields.amount_due.cell")
    assert Position("mappings/erp.invoices.yaml", 14, 19) == mapping.at("fields.lines.fields.net_amount.cell")
    assert mapping.position == mapping.at("nothing")


def test_contract_is_read() -> None:
    """A contract's types, terms, currencies, rules and edge cases are read."""
    model = load_project(LEDGER).models["invoice"]
    amount, net = model.find("amount_due"), model.find("lines.net_amount")
    assert amount is not None
    assert net is not None
    assert ("decimal(18,2)", "currency", False) == (amount.type, amount.currency, amount.required)
    assert ("decimal(18,2)", "currency") == (net.type, net.currency)
    assert [("BR-16", "list_count(lines.line_id) >= 1")] == [(each.id, each.expression) for each in model.quality]
    assert ("invoices-without-a-number",) == model.edge_cases
    assert model.find("lines.nothing") is None


def test_hooks_are_found_without_running_them() -> None:
    """A decorated function is a hook, with its source."""
    hook = load_project(LEDGER).hooks["vat_check"]
    assert ("vat_check(vat: string) -> boolean", True, "hooks/checks.py") == (hook.signature, hook.pure, hook.file)
    assert "def vat_check" in hook.code


def test_clients_and_what_runs_for_them() -> None:
    """A client runs the mappings of the systems that it has: its own, and those with {client} in them."""
    project = load_project(LEDGER)
    assert ("acme", "borealis") == clients(project)
    acme, borealis = client_project(project, "acme"), client_project(project, "borealis")
    assert ("ubl.invoices", "invoice.ledger") == running_mappings(acme)
    assert ("ubl.invoices", "erp.invoices", "invoice.ledger") == running_mappings(borealis)
    assert {"folder": "inbox/acme/ubl"} == acme.systems["ubl"].connection
    assert {"folder": "inbox/borealis"} == borealis.systems["erp"].connection
    assert {"invoices", "invoice_lines"} == set(borealis.systems["erp"].streams)
    assert "steward" in acme.systems
    with pytest.raises(KeyError):
        client_project(project, "corva")


def test_project_without_clients_has_main(tmp_path: Path) -> None:
    """A project without clients has the one client main, which runs every flow."""
    write(tmp_path, {"treaty.yaml": "name: x\n", "systems/a.yaml": SYSTEM, "mappings/m.yaml": MAPPING, "flows/f.yaml": "mappings: [m]\n"})
    project = load_project(tmp_path)
    assert ("main",) == clients(project)
    assert ("m",) == running_mappings(client_project(project, "main"))


def test_overlay_overrides_fields_and_expressions() -> None:
    """An overlay's field takes the place of the standard's; what it does not name stays."""
    acme = client_project(load_project(LEDGER), "acme")
    mapping = acme.mappings["ubl.invoices"]
    assert ("cbc:Note", "overlay") == (mapping.fields["number"].cell, mapping.fields["number"].origin)
    assert ("iso_date(cbc:IssueDate)", "standard") == (mapping.fields["issue_date"].cell, mapping.fields["issue_date"].origin)
    record = acme.decisions["how-legacy-amounts-are-written"]
    assert "to_decimal(text, 18, 2)" == record.expression
    assert ({"text": "12.00", "returns": Decimal("12.00")},) == record.examples
    assert ("overlay", "Acme writes plain amounts.") == (record.origin, record.reason)
    assert "Acme's amounts are plain." == record.sections["outcome"]


def test_an_override_of_nothing_names_the_nearest(tmp_path: Path) -> None:
    """A client's override whose name is mistyped is one finding, with the name that was meant; what it lacks is not counted up."""
    mistyped = {"clients/acme/mappings/mm.yaml": "reason: other field\nfields: {a: b}\n", "clients/acme/systems/zzz.yaml": "reason: no idea\n"}
    write(tmp_path, {"treaty.yaml": "name: x\n", "systems/a.yaml": SYSTEM, "mappings/m.yaml": MAPPING, **mistyped})
    first, second = load_project(tmp_path).findings
    assert ("unknown-override", "clients/acme/mappings/mm.yaml", "Did you mean 'm'? Name the file so too.") == (first.code, first.position.file, first.remedy)
    assert ("unknown-override", True) == (second.code, "declare a whole system" in second.remedy)


def test_tables_merge_by_key_or_are_replaced(tmp_path: Path) -> None:
    """An overlay's table adds to the standard's and overrides by key; ``replace: true`` takes its place."""
    over = "---\nreason: ours\nmap: {kg: KG, t: TNE}\n---\n"
    files = {"treaty.yaml": "name: x\n", "decisions/units.md": DECISION, "clients/a/decisions/units.md": over}
    files["clients/b/decisions/units.md"] = over.replace("reason: ours", "reason: ours\nreplace: true")
    project = load_project(write(tmp_path, files))
    assert () == project.findings
    assert {"kg": "KG", "g": "GRM", "t": "TNE"} == client_project(project, "a").decisions["units"].map
    assert {"kg": "KG", "t": "TNE"} == client_project(project, "b").decisions["units"].map
    assert {"kg": "KGM", "g": "GRM"} == project.decisions["units"].map


def test_cases_merge_by_condition(tmp_path: Path) -> None:
    """An overlay's cases come first; the standard's of the same condition give way."""
    head = "---\nid: d\ntitle: t\nstatus: accepted\ndate: 2026-01-01\nkind: transformation\nfunction: f(x: string) -> string\n"
    base = head + "cases:\n  - {when: x is null, then: \"'a'\"}\n  - {when: x = 'b', then: \"'b'\"}\notherwise: x\n---\n"
    over = "---\nreason: r\ncases:\n  - {when: \"x = 'b'\", then: \"'c'\"}\n---\n"
    project = load_project(write(tmp_path, {"treaty.yaml": "name: x\n", "decisions/d.md": base, "clients/a/decisions/d.md": over}))
    assert () == project.findings
    assert [("x = 'b'", "'c'"), ("x is null", "'a'")] == [(row.when, row.then) for row in client_project(project, "a").decisions["d"].cases]


def test_word_null_is_a_choice_of_otherwise(tmp_path: Path) -> None:
    """``otherwise: null`` is the choice null, not a missing setting."""
    text = DECISION.replace("otherwise: quarantine", "otherwise: null\nnull: null")
    project = load_project(write(tmp_path, {"treaty.yaml": "name: x\n", "decisions/units.md": text}))
    assert ("null", None) == (project.decisions["units"].otherwise, project.decisions["units"].null)


def test_pack_by_folder_and_override(tmp_path: Path) -> None:
    """A project builds on a pack, which builds on another, and overrides one of its files with a reason."""
    write(tmp_path / "base", {"treaty.yaml": "name: base\n", "decisions/units.md": DECISION})
    write(tmp_path / "pack", {"treaty.yaml": "name: pack\npacks: ['../base']\n", "systems/a.yaml": SYSTEM})
    over = "reason: another folder\nconnection: {folder: other}\n"
    project = load_project(write(tmp_path / "p", {"treaty.yaml": "name: p\npacks: ['../pack']\n", "systems/a.yaml": over}))
    assert () == project.findings
    assert ("base", "pack") == project.packs
    assert {"folder": "other"} == project.systems["a"].connection
    assert "packs/base/decisions/units.md" == project.decisions["units"].position.file
    assert "packs/pack/systems/a.yaml" in project.files
    assert project.systems == load_project_files(project.files).systems
    write(tmp_path / "p", {"systems/a.yaml": "connection: {folder: other}\n"})
    assert ["override-without-reason"] == codes(load_project(tmp_path / "p"))


def test_packs_beside_each_other(tmp_path: Path) -> None:
    """Packs that do not build on each other may add streams to one system, and a project too; what else differs is told with both places."""
    write(tmp_path / "a", {"treaty.yaml": "name: a\n", "systems/a.yaml": SYSTEM, "decisions/units.md": DECISION})
    write(tmp_path / "b", {"treaty.yaml": "name: b\n", "systems/a.yaml": SYSTEM.replace("rows:", "lines:"), "decisions/units.md": DECISION})
    files = {"treaty.yaml": "name: p\npacks: ['../a', '../b']\n", "systems/a.yaml": "streams: {heads: {format: csv}}\n"}
    project = load_project(write(tmp_path / "p", files))
    assert () == project.findings
    assert ["rows", "lines", "heads"] == list(project.systems["a"].streams)
    write(tmp_path / "b", {"systems/a.yaml": SYSTEM.replace("csv", "json") + "owner: b\n", "decisions/units.md": DECISION.replace("accepted", "deprecated")})
    found = load_project(tmp_path / "p").findings
    assert ["packs-disagree"] * 3 == [each.code for each in found]
    assert ["packs/b/decisions/units.md", "packs/b/systems/a.yaml", "packs/b/systems/a.yaml"] == [each.position.file for each in found]
    assert ["'owner'", "'streams.rows.format'"] == sorted(each.message.partition(" of ")[0] for each in found[1:])
    assert all(f"packs/a/{each.position.file[8:]}:" in each.message for each in found)


def test_a_system_may_be_reached_by_another_connector(tmp_path: Path) -> None:
    """A project that reads a pack's streams by another connector keeps their keys, and nothing of how the pack reached them."""
    system = SYSTEM.replace("{format: csv}", "{format: csv, key: [ID], read: {files: '*.csv'}}")
    write(tmp_path / "pack", {"treaty.yaml": "name: pack\n", "systems/a.yaml": system})
    over = "reason: the API is read\nconnector: rest\nconnection: {url: https://api.example.com}\nstreams: {rows: {format: json, read: {path: rows}}}\n"
    project = load_project(write(tmp_path / "p", {"treaty.yaml": "name: p\npacks: ['../pack']\n", "systems/a.yaml": over}))
    found = project.systems["a"]
    assert ({"url": "https://api.example.com"}, {"path": "rows"}) == (found.connection, found.streams["rows"].read)
    assert ("json", ("ID",)) == (found.streams["rows"].format, found.streams["rows"].key)


def test_pack_problems(tmp_path: Path) -> None:
    """A pack that is not there is named with the nearest that ships; packs may not depend on each other in a ring."""
    project = load_project(write(tmp_path / "p", {"treaty.yaml": "name: p\npacks:\n  - nothing-like-it\n"}))
    assert [("unknown-pack", Position("treaty.yaml", 3, 5))] == [(each.code, each.position) for each in project.findings]
    write(tmp_path / "a", {"treaty.yaml": "name: a\npacks: ['../b']\n"})
    write(tmp_path / "b", {"treaty.yaml": "name: b\npacks: ['../a']\n"})
    project = load_project(write(tmp_path / "q", {"treaty.yaml": "name: q\npacks: ['../a']\n"}))
    assert ["pack-cycle"] == codes(project)


def test_what_is_broken_is_known(tmp_path: Path) -> None:
    """A file that cannot be read is a finding and is remembered by name, and the rest loads."""
    project = load_project(write(tmp_path, {"treaty.yaml": "name: p\n", "mappings/m.yaml": "from: [\n", "systems/a.yaml": SYSTEM}))
    assert ["yaml-syntax"] == codes(project)
    assert {"mappings/m"} == project.broken
    assert ["a"] == list(project.systems)


def test_names_and_folders(tmp_path: Path) -> None:
    """Misnamed files and folders are found."""
    files = {
        "treaty.yaml": "name: p\n",
        "decisions/other.md": DECISION,
        "mapping/m.yaml": MAPPING,
        "systems/a.yml": SYSTEM,
        "clients/c/models/m.yaml": "",
    }
    files |= {"systems/b.yaml": f"name: c\n{SYSTEM}", "systems/c.yaml": SYSTEM}
    project = load_project(write(tmp_path, files))
    assert {"name-mismatch", "unknown-folder", "unknown-file", "duplicate-id"} == set(codes(project))
    assert 5 == len(project.findings)


def test_no_project(tmp_path: Path) -> None:
    """A folder without treaty.yaml is wrong use, and the message says what to do."""
    with pytest.raises(UsageError, match="treaty init"):
        load_project(tmp_path)


def test_catalog_is_part_of_the_package() -> None:
    """The shipped packs are found in the package."""
    assert catalog_folder().is_dir()
