"""xml2arrow parses the whole XML document into Arrow tables; the rest is the SQL of the DuckDB peer."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb
from xml2arrow import XmlToArrowParser

from generate import COLUMNS
from peers.commands import answer
from peers.duckdb_sql import PLACES, PLAIN, export, load

LINE = {"sku": "@sku", "desc": "desc", "qty": "qty", "unit_price": "unit_price"}


def configuration() -> dict[str, object]:
    """Return what xml2arrow is told: a table of invoices and one of their lines."""

    def text(name: str, path: str) -> dict[str, object]:
        return {"name": name, "xml_path": path, "data_type": "Utf8", "nullable": True}

    invoice, line = "/invoices/invoice", "/invoices/invoice/lines/line"
    return {
        "tables": [
            {"name": "invoices", "xml_path": "/invoices", "levels": ["invoice"],
             "fields": [text(name, f"{invoice}/{PLACES[name].replace('.', '/')}") for name in PLAIN]},
            {"name": "lines", "xml_path": f"{invoice}/lines", "levels": ["invoice", "line"],
             "fields": [text(name, f"{line}/{path}") for name, path in LINE.items()]},
        ]
    }  # fmt: skip


def xml_source(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """Return the relation of an XML file: its invoices, each with its lines as JSON text."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as told:
        json.dump(configuration(), told)  # JSON is YAML
        told.flush()
        tables = XmlToArrowParser(told.name).parse(str(file))
    for name, batch in tables.items():
        connection.register(f"xml_{name}", batch)
    whole = ", ".join(f'"{name}" := "{name}"' for name in LINE)
    names = ", ".join("case when complete then items end as line_items" if name == "line_items" else f"i.{name}" for name in COLUMNS)
    return f"""(select {names} from xml_invoices i left join (
        select "<invoice>", to_json(list(struct_pack({whole})))::varchar as items, count(unit_price) = count(*) as complete
        from xml_lines group by "<invoice>") l using ("<invoice>"))"""


if __name__ == "__main__":
    answer(lambda file, store: load(file, store, xml_source), export)
