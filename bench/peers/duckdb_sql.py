"""Hand-written DuckDB SQL: read the file, convert it in one query, merge it into a table of a DuckDB file.

XML is read by lxml's iterparse, element by element, into Arrow batches that the same query takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import duckdb

import reference
from generate import COLUMNS
from peers.commands import answer

if TYPE_CHECKING:
    import pyarrow as pa

Source: TypeAlias = Callable[[duckdb.DuckDBPyConnection, Path], str]  # makes a file a relation with the columns of the CSV

MACROS = r"""
create temp macro stated(text) as
    case when lower(trim(text)) in ('', 'n/a', '-', 'null', 'none', '0000-00-00') then null else trim(text) end;
create temp macro squeeze(text) as trim(regexp_replace(text, '\s+', ' ', 'g'));
create temp macro day(text) as
    case substr(text, 3, 1)
        when '.' then try_strptime(text, '%d.%m.%Y')::date
        when '/' then try_strptime(text, '%m/%d/%Y')::date
        else try_cast(text as date) end;
create temp macro bare_amount(text) as ltrim(replace(replace(replace(text, '(', ''), ')', ''), '-', ''), '$€£');
create temp macro points(text) as
    case when length(text) > 3 and text[-3] = ',' then replace(replace(text, '.', ''), ',', '.') else replace(text, ',', '') end;
create temp macro amount(text) as
    (case when text[1] in ('(', '-') then -1 else 1 end)::decimal(1, 0) * try_cast(points(bare_amount(text)) as decimal(14, 2));
"""

ROWS = """
with source as (
    select
        upper(trim(invoice_id)) as invoice_id, replace(upper(trim(customer_id)), '-', '') as customer_id,
        squeeze(customer_name) as name, replace(lower(stated(customer_email)), 'mailto:', '') as address,
        coalesce(map_extract_value({countries}, lower(trim(country))), 'ZZ') as country_code, stated(customer_phone) as written_phone,
        squeeze(billing_street) as street, squeeze(billing_city) as city, upper(trim(billing_zip)) as postal_code,
        day(trim(invoice_date)) as invoice_date, stated(due_date) as written_due, stated(paid_date) as written_paid,
        lower(stated(payment_terms)) as written_terms, upper(trim(currency)) as written_currency, amount(trim(net_amount)) as net_amount,
        stated(tax_rate) as written_rate, stated(tax_amount) as written_tax, stated(gross_amount) as written_gross,
        stated(discount) as written_discount, replace(lower(trim(status)), '-', ' ') as written_status,
        upper(stated(po_number)) as po_number, squeeze(sales_rep) as sales_rep, stated(notes) as notes,
        case when json_valid(line_items) then
            from_json(line_items, '[{{"sku":"VARCHAR","desc":"VARCHAR","qty":"INTEGER","unit_price":"DECIMAL(12,2)"}}]') end as items,
        case when regexp_full_match(trim(updated_at), '\\d+') then to_timestamp(try_cast(updated_at as bigint))
            else try_cast(trim(updated_at) as timestamptz) end as updated_at
    from {source}
), parsed as (
    select *,
        regexp_replace(replace(written_phone, '(0)', ''), '[^0-9+]', '', 'g') as digits,
        case when written_terms = 'due on receipt' then 0
            else coalesce(try_cast(nullif(regexp_extract(written_terms, '(\\d+)(\\s*days)?$', 1), '') as integer), 30) end as terms_days,
        case written_currency when '€' then 'EUR' when '$' then 'USD' when '£' then 'GBP' else written_currency end as currency,
        try_cast(replace(written_rate, '%', '') as decimal(10, 4)) as rate_number,
        coalesce(map_extract_value({statuses}, written_status), 'unknown') as plain_status
    from source
), derived as (
    select *,
        (case when rate_number is null then 0 when written_rate[-1] = '%' or rate_number > 1 then rate_number / 100 else rate_number end)::decimal(6, 4) as tax_rate,
        case when written_due is null then invoice_date + terms_days else day(written_due) end as due_date,
        amount(written_gross) as gross,
        case when digits[1] = '+' then digits when digits[1:2] = '00' then '+' || digits[3:]
            else '+' || map_extract_value({dials}, country_code) || ltrim(digits, '0') end as phone
    from parsed
), summed as (
    select *, case when written_tax is null then round(net_amount * tax_rate, 2)::decimal(14, 2) else amount(written_tax) end as tax_amount from derived
), judged as (
    select *, gross is null or abs(net_amount + tax_amount - gross) > 0.02 as gross_fixed,
        case when not regexp_full_match(invoice_id, 'INV-\\d{{8}}') then 'bad_invoice_id'
            when not regexp_full_match(customer_id, 'C\\d{{6}}') then 'bad_customer_id'
            when invoice_date is null or due_date is null or (written_paid is not null and day(written_paid) is null) then 'bad_date'
            when currency not in ('EUR', 'USD', 'GBP', 'PLN', 'CHF', 'SEK') then 'bad_currency'
            when net_amount is null or tax_amount is null or (written_gross is not null and gross is null) then 'bad_amount'
            when items is null then 'bad_line_items'
            when updated_at is null then 'bad_timestamp' end as reason
    from summed
), invoices as (
    select
        reason, invoice_id, customer_id,
        case when len(string_split(name, ', ')) = 2 then split_part(name, ', ', 2) || ' ' || split_part(name, ', ', 1) else name end as customer_name,
        case when regexp_full_match(address, '[^@\\s]+@[^@\\s]+\\.[a-z]{{2,}}') then address end as customer_email,
        coalesce(regexp_full_match(address, '[^@\\s]+@[^@\\s]+\\.[a-z]{{2,}}'), false) as email_valid,
        case when length(phone) between 9 and 16 then phone end as customer_phone,
        country_code, street, city, postal_code, invoice_date, due_date, day(written_paid) as paid_date, currency,
        net_amount::decimal(14, 2) as net_amount, tax_rate, tax_amount,
        (case when gross_fixed then net_amount + tax_amount else gross end)::decimal(14, 2) as gross_amount, gross_fixed,
        coalesce(try_cast(replace(written_discount, '%', '') as decimal(6, 2)), 0) as discount_pct,
        case when plain_status = 'open' and due_date < date '2026-11-01' then 'overdue' else plain_status end as status,
        po_number, sales_rep, terms_days,
        list_transform(items, lambda x: {{'sku': upper(x.sku), 'desc': trim(x."desc"), 'qty': x.qty, 'unit_price': x.unit_price,
            'amount': (x.qty * x.unit_price)::decimal(14, 2)}}) as line_items,
        len(items) as line_count, list_sum(list_transform(items, lambda x: x.qty * x.unit_price))::decimal(14, 2) as line_total,
        notes, coalesce(segment, 'unknown') as customer_segment, updated_at
    from judged left join read_csv({segments}, header = true, all_varchar = true) as customers using (customer_id)
    qualify reason is not null or row_number() over (partition by reason, invoice_id order by updated_at desc) = 1
)
select *, hash(invoices)::varchar as row_hash from invoices
"""


def sql_map(entries: dict[str, str]) -> str:
    """Write a dictionary as a DuckDB map."""
    return "map {" + ", ".join(f"'{key}': '{value}'" for key, value in entries.items()) + "}"


# Where each column of the CSV is in a nested record, and what such a record is made of.
PLACES = {name: name for name in COLUMNS} | {
    **{f"customer_{name}": f"customer.{name}" for name in ("id", "name", "email", "phone")},
    "country": "customer.country",
    **{f"billing_{name}": f"billing.{name}" for name in ("street", "city", "zip")},
    **{f"{name}_date": f"dates.{name}" for name in ("invoice", "due", "paid")},
    "currency": "amounts.currency", "net_amount": "amounts.net", "tax_rate": "amounts.tax_rate", "tax_amount": "amounts.tax",
    "gross_amount": "amounts.gross", "discount": "amounts.discount", "line_items": "lines",
}  # fmt: skip
PLAIN = [name for name in COLUMNS if name != "line_items"]
BATCH = 20_000


def csv_source(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """Return the relation of a CSV file."""
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS) + "}"
    return f"read_csv('{file}', header = true, columns = {columns}, quote = '\"', escape = '\"', nullstr = '\x01', parallel = true)"


def json_source(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """Return the relation of a JSON Lines file, flat."""
    groups: dict[str, list[str]] = {}
    for place in PLACES.values():
        group, _, member = place.partition(".")
        groups.setdefault(group, []).extend([member] if member else [])
    types = {group: f"STRUCT({', '.join(f'{name} VARCHAR' for name in members)})" if members else "VARCHAR" for group, members in groups.items()}
    columns = "{" + ", ".join(f"'{group}': '{kind}'" for group, kind in (types | {"lines": "JSON"}).items()) + "}"
    flat = ", ".join(f"{place}::varchar as {name}" for name, place in PLACES.items())
    return f"(select {flat} from read_json('{file}', format = 'newline_delimited', columns = {columns}))"


def xml_source(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """Return the relation of an XML file, streamed."""
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    connection.register("parsed_xml", pa.RecordBatchReader.from_batches(schema, xml_batches(file, schema)))
    return "parsed_xml"


def xml_batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Parse the elements one by one."""
    import pyarrow as pa
    from lxml import etree

    paths = [(name, PLACES[name].replace(".", "/")) for name in PLAIN]
    columns: dict[str, list[str | None]] = {name: [] for name in COLUMNS}
    for _, element in etree.iterparse(str(file), tag="invoice"):
        if element.getparent().tag != "invoices":  # a date is called so too
            continue
        for name, path in paths:
            columns[name].append(element.findtext(path))
        lines = [{"sku": line.get("sku")} | {each.tag: each.text for each in line} for line in element.iterfind("lines/line")]
        complete = all("unit_price" in line for line in lines)
        columns["line_items"].append(json.dumps(lines) if complete else None)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
        if len(columns["line_items"]) == BATCH:
            yield pa.RecordBatch.from_pydict(columns, schema)
            columns = {name: [] for name in COLUMNS}
    yield pa.RecordBatch.from_pydict(columns, schema)


SOURCES: dict[str, Source] = {".csv": csv_source, ".jsonl": json_source, ".xml": xml_source}


def query(source: str, segments: Path) -> str:
    """Return the one query, with the code lists written into it."""
    return ROWS.format(
        countries=sql_map(reference.COUNTRY_CODES),
        statuses=sql_map(reference.STATUSES),
        dials=sql_map(reference.DIALLING_CODES),
        source=source,
        segments=f"'{segments}'",
    )


def load(file: Path, store: Path, read: Source | None = None) -> dict[str, int]:
    """Convert the file and merge what is new or changed; a checkpoint makes it durable."""
    connection = duckdb.connect(str(store))
    connection.execute("set timezone = 'UTC'; set preserve_insertion_order = false;")
    connection.execute(MACROS)
    source = (read or SOURCES[file.suffix])(connection, file)
    connection.execute(f"create temp table staged as {query(source, file.parent / 'customers.csv')}")
    connection.execute("create table if not exists invoice as select * exclude reason from staged limit 0")
    connection.execute("create table if not exists rejected (reason varchar, invoice_id varchar)")
    connection.execute("begin")
    changed = connection.execute("""
        merge into invoice as known using (select * exclude reason from staged where reason is null) as fresh using (invoice_id)
        when matched and fresh.row_hash <> known.row_hash and fresh.updated_at >= known.updated_at then update
        when not matched then insert
    """).fetchone()
    connection.execute("insert into rejected select reason, invoice_id from staged where reason is not null")
    connection.execute("commit")
    connection.execute("checkpoint")
    return {"written": changed[0] if changed else 0}


def export(store: Path, target: Path) -> None:
    """Write the table as Parquet."""
    connection = duckdb.connect(str(store), read_only=True)
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"copy (select * exclude row_hash from invoice) to '{target}' (format parquet)")


if __name__ == "__main__":
    answer(load, export)
