"""What depends on one column with few values is computed once for each of them, and comes to the same."""

from __future__ import annotations

import dataclasses
import io
import itertools
from csv import writer
from pathlib import Path

import pytest

import treaty
from treaty.engines.duckdb.frames import Inputs
from treaty.engines.duckdb.repeated import once_a_value

WORKLOAD = Path(__file__).parents[3] / "bench" / "workload"
VALUES = {
    "invoice_id": ["INV-00000001", " inv-00000002 ", "", "INV-1", "null"],
    "customer_id": ["C000001", "c-000-002", "C1"],
    "customer_name": ["Ada Lovelace", "Lovelace,  Ada", "\u00a0Ada\t\tLovelace ", ""],
    "customer_email": ["a@b.co", "mailto:A@B.CO", "none", "nobody", ""],
    "customer_phone": ["+44 (0) 161/496-0000", "12", "0049 30 123456", "030 123456", "n/a"],
    "country": ["Germany", "xx", "", "España", "uk"],
    "invoice_date": ["2024-01-31", "31.01.2024", "01/31/2024", "31/01/2024", "2024-02-30", "soon"],
    "due_date": ["", "N/A", "2024-03-01", "05.02.2024", "0000-00-00", "99.99.2024"],
    "paid_date": ["", "-", "2024-03-01", "never"],
    "payment_terms": ["Net 14", "2/10 net 30", "due on receipt", "", "14 days", "99999999999999999999 days"],
    "currency": ["EUR", "€", "usd", "XXX", ""],
    "net_amount": ["1.234,50", "(12.00)", "-$7.10", "12,3x4", "", "1e5"],
    "tax_rate": ["19%", "0.19", "19", "", "19.12345%", "x%"],
    "tax_amount": ["", "11,50", "x"],
    "gross_amount": ["", "1.00", "1.469,06", "z"],
    "discount": ["5%", "", "abc", "5"],
    "status": ["paid", "PD", "", "in-dispute", "???"],
    "line_items": ['[{"sku": "a", "desc": "b", "qty": "2", "unit_price": "1.50"}]', "[]", "{", "", '[{"sku": "a", "qty": "x"}]'],
    "updated_at": ["1761955200", "2025-11-01T02:00:00+02:00", "yesterday"],
}  # fmt: skip
OTHERS = ["billing_street", "billing_city", "billing_zip", "po_number", "sales_rep", "notes"]
PLAIN = ["", " a  b ", "N/A", "x'y", '"v12" s3 select']
ROWS = 400


def written() -> bytes:
    """Return rows in which every value of a column stands beside many of the others."""
    text = io.StringIO()
    out = writer(text, lineterminator="\n")
    out.writerow([*VALUES, *OTHERS])
    turns = [itertools.cycle(values) for values in [*VALUES.values(), *([PLAIN] * len(OTHERS))]]
    for row in range(ROWS):
        for place, turn in enumerate(turns):
            if row % (place + 2) == 0:
                next(turn)
        out.writerow([next(turn) for turn in turns])
    return text.getvalue().encode()


def test_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, states, notes and decisions of the benchmark's mapping, failures of every kind included."""
    plain = treaty.try_mapping("billing.invoices", written(), project=WORKLOAD)

    def repeating(as_of: str, column: object, columns: frozenset[str], *rest: object) -> Inputs:
        inputs = Inputs(as_of, column, columns, *rest)  # type: ignore[arg-type]
        return dataclasses.replace(inputs, repeating=frozenset(each for each in columns if each.startswith("c_")))

    monkeypatch.setattr("treaty.operations.trying.Inputs", repeating)
    once = treaty.try_mapping("billing.invoices", written(), project=WORKLOAD)
    assert ROWS == len(plain.records)
    assert {"canonical", "quarantined"} <= {each.state for each in plain.records}
    assert plain.records == once.records


def test_what_is_moved_and_what_stays() -> None:
    """Of two columns, only that which depends on the repeating one alone moves, with its own names and no text of a literal."""
    layers = [
        [("s1", """nullif("c_a", '')"""), ("s2", """nullif("c_b", '')""")],
        [("v3", "lower(s1)"), ("v4", "upper(s2)")],
        [("w5", "v3 = 's1 \"c_b\"'"), ("v6", "v3 || v4")],
    ]
    first, second, third = once_a_value(layers, ["c_a"], ["w5", "v6", "s1"])
    assert [*layers[0], first[2]] == first
    assert "once_0" == first[2][0]
    once = """list_transform(list_transform(["c_a"], lambda x0: {v3: lower((nullif(x0, '')))}), lambda x0: {v3: x0.v3, w5: (x0.v3 = 's1 "c_b"')})"""
    assert f"list_extract({once}, 1)" == first[2][1]
    moved = [(name, f"struct_extract(once_0, '{name}')") for name in ("v3", "w5")]
    assert [("v4", "upper(s2)"), *moved] == second
    assert [("v6", "v3 || v4")] == third


def test_nothing_is_moved_where_nothing_repeats() -> None:
    """The layers stay as they are."""
    layers = [[("s1", '"c_a"')], [("v2", "lower(s1)")]]
    assert layers == once_a_value(layers, [], ["v2"])
