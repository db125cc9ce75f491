"""A project's own edge cases over the models of packs."""

from __future__ import annotations

from pathlib import Path

import treaty
from treaty.compiler.mapping import compile_mapping
from treaty.project.loading import load_project
from treaty.project.overlays import client_project

CASE = """---
id: {id}
title: What becomes of a currency that is none
status: accepted
date: 2026-11-27
decision-makers: [ops]
kind: edge-case
governs: [{governs}]
when: failed({field})
treatment: reject
review-by: 2099-01-01
---

## Outcome

It is left out.
"""


def test_an_own_edge_case_is_of_the_model_that_it_governs_alone(tmp_path: Path) -> None:
    """A case on a field of an invoice is none of orders, whether these have a field of that name or not."""
    root = tmp_path / "p"
    treaty.init(root, packs=["einvoice", "order"])
    (root / "decisions").mkdir(exist_ok=True)
    (root / "decisions/currency-of-an-invoice.md").write_text(CASE.format(id="currency-of-an-invoice", governs="invoice.currency", field="currency"), encoding="utf-8")
    (root / "decisions/vat-date-of-an-invoice.md").write_text(CASE.format(id="vat-date-of-an-invoice", governs="invoice.vat_point_date", field="vat_point_date"), encoding="utf-8")
    assert () == treaty.check(root).findings
    project = client_project(load_project(root), "main")
    cases = {name: {each.decision for each in compile_mapping(project, name).edge_cases} for name in ("ubl.invoices", "ubl.orders")}
    own = {"currency-of-an-invoice", "vat-date-of-an-invoice"}
    assert (own, set()) == (own & cases["ubl.invoices"], own & cases["ubl.orders"])
