"""Make the workload: messy invoices, the same for everybody who asks for the same number of rows.

    python bench/generate.py FOLDER --rows 50000 [--format jsonl]

writes ``customers.csv`` (a reference file), ``day1.csv`` (0.5 % of its rows have an older copy), ``day1-rewritten.csv`` (its
halves swapped), ``day2.csv`` (the whole again: 5 % changed, 1 % new, 1 % newly malformed) and ``delta.csv`` (what changed on
day 3 alone). Row ``i`` of a day depends on nothing but ``i`` and the day, so a small set is a prefix of a large one.
With ``--format jsonl`` or ``xml`` the same invoices are written in that format beside the CSV, which the reference reads.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pool
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

SEED = 4_017_201
CUSTOMERS = 100_000
COLUMNS = (
    "invoice_id", "customer_id", "customer_name", "customer_email", "customer_phone", "country", "billing_street", "billing_city", "billing_zip",
    "invoice_date", "due_date", "paid_date", "currency", "net_amount", "tax_rate", "tax_amount", "gross_amount", "discount", "status", "po_number",
    "sales_rep", "payment_terms", "line_items", "notes", "updated_at",
)  # fmt: skip

FIRST_NAMES = [
    "Amélie", "Björn", "Chiara", "Dmitri", "Edith", "Fatima", "Gábor", "Heidi", "Ivo", "Jana",
    "Klaas", "Lucía", "Moritz", "Nadia", "Oskar", "Piotr", "Renata", "Stefan", "Ulla", "Yusuf",
]  # fmt: skip
LAST_NAMES = [
    "Andersson",
    "Becker",
    "Costa",
    "de Boer",
    "Esposito",
    "Fischer",
    "Görgülü",
    "Hughes",
    "Iwański",
    "Jansen",
    "Kaya",
    "Lefèvre",
    "O'Brien",
    "Ruiz",
]
COMPANIES = [
    f"{name} {form}"
    for name in ("Northwind", "Contoso", "Fabrikam", "Blue Yonder", "Tailspin")
    for form in ("GmbH", "Ltd.", "S.A.", "B.V.", "& Co. KG")
]
STREETS = ["Lindenstr.", "Station Road", "Rue des Lilas", "Calle Nueva", "Via Garibaldi", "Storgatan", "Kerkstraat"]
CITIES = ["Hamburg", "Bristol", "Lille", "Sevilla", "Torino", "Uppsala", "Den Haag", "Gdańsk", "Basel", "Portland"]
ARTICLES = ["Pump", "Hinge", "Licence", "Service hour", "Freight", "Control unit", "Hose", "Mounting kit", "Filter"]
UNSTATED = ["", "", "N/A", "-", "null", "NULL", "none"]
TERMS = ["Net 30", "net30", "30 days", "NET 14", "14 days", "Net 60", "2/10 net 30", "Due on receipt", "", ""]
NOTES = [
    "",
    "",
    "",
    "",
    'Leave at "Dock 4", ring twice',
    "Part two follows;\nplease wait",
    "  urgent ",
    "Nachlass gemäß Vertrag",
    "n/a",
    "see case #112, page 3",
]
STATUS_SPELLINGS = {
    "paid": ["PAID", "paid", "Paid ", "Pd", "settled"],
    "open": ["Open", "OPEN", "open ", "unpaid", "outstanding"],
    "overdue": ["overdue", "Past Due", "OVERDUE", "past-due"],
    "void": ["void", "VOID", "Cancelled", "canceled"],
    "draft": ["draft", "Draft"],
    "disputed": ["disputed", "In Dispute"],
}
STATUSES = ["paid"] * 5 + ["open"] * 3 + ["overdue", "void", "draft", "disputed"]


@dataclass(frozen=True)
class Country:
    """How people write a country, its dialling code, its tax in percent and its currency as written."""

    spellings: tuple[str, ...]
    dial: str
    tax_percent: int
    currencies: tuple[str, ...]


COUNTRIES = (
    Country(("DE", "Germany", "germany", "Deutschland", " de "), "49", 19, ("EUR", "eur", "Eur", "€")),
    Country(("FR", "France", "FRANCE", "FRA"), "33", 20, ("EUR", "eur", "€")),
    Country(("GB", "UK", "United Kingdom", "Great Britain"), "44", 20, ("GBP", "gbp", "£")),
    Country(("US", "USA", "United States", "U.S.A."), "1", 8, ("USD", "usd", "$")),
    Country(("PL", "Poland", "Polska"), "48", 23, ("PLN", "pln")),
    Country(("ES", "Spain", "España", "spain "), "34", 21, ("EUR", "€")),
    Country(("IT", "Italia", "ITA"), "39", 22, ("EUR", "eur")),
    Country(("NL", "The Netherlands", "Holland"), "31", 21, ("EUR", "Eur")),
    Country(("CH", "Schweiz", "Suisse", "CHE"), "41", 8, ("CHF", "chf")),
    Country(("SE", "Sverige", "SWE"), "46", 25, ("SEK", "sek")),
)
FIRST_DAY = 1_761_955_200  # 2025-11-01 in seconds since 1970
MONTH_SECONDS = 30 * 86_400


def write_amount(choose: random.Random, cents: int) -> str:
    """Write an amount in one of the ways that exports have: 1,234.50, 1.234,50, 1234.50, $1,234.50, (12.00), -12.00."""
    whole, rest = divmod(abs(cents), 100)
    style = choose.random()
    if style < 0.70:
        text = f"{whole:,}.{rest:02d}"
    elif style < 0.85:
        text = f"{whole:,}".replace(",", ".") + f",{rest:02d}"
    elif style < 0.93:
        text = f"{whole}.{rest:02d}"
    else:
        text = f"${whole:,}.{rest:02d}"
    if cents >= 0:
        return text
    return f"({text})" if choose.random() < 0.6 else f"-{text}"


def write_date(choose: random.Random, day: int) -> str:
    """Write a day (counted from 2024-01-01, in months of 28 days) as 2024-01-31, 31.01.2024 or 01/31/2024."""
    year, day = divmod(day, 336)
    month, day = divmod(day, 28)
    year, month, day = 2024 + year, month + 1, day + 1
    style = choose.random()
    if style < 0.60:
        return f"{year}-{month:02d}-{day:02d}"
    return f"{day:02d}.{month:02d}.{year}" if style < 0.85 else f"{month:02d}/{day:02d}/{year}"


def write_instant(choose: random.Random, seconds: int) -> str:
    """Write an instant as seconds since 1970 or in ISO 8601."""
    style = choose.random()
    if style < 0.2:
        return str(seconds)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if style < 0.7 else "+00:00")


def write_party(choose: random.Random, country: Country) -> dict[str, str]:
    """Write the name, address, e-mail, phone and country of a customer."""
    first, last = choose.choice(FIRST_NAMES), choose.choice(LAST_NAMES)
    style = choose.random()
    if style < 0.4:
        name = choose.choice(COMPANIES)
    else:
        name = f"{last}, {first}" if style < 0.6 else f"  {first}  {last} " if style < 0.8 else f"{first} {last}"
    email = f"{first}.{last}@{choose.choice(COMPANIES).split()[0]}.com".replace("'", "").replace(" ", "")
    style = choose.random()
    if style < 0.15:
        email = email.upper()
    elif style < 0.20:
        email = f" mailto:{email}"
    elif style < 0.22:
        email = email.replace("@", " at ")
    elif style < 0.25:
        email = choose.choice(UNSTATED)
    number = str(choose.randrange(10**7, 10**8))
    style = choose.random()
    if style < 0.30:
        phone = f"+{country.dial} {number[:2]} {number[2:5]} {number[5:]}"
    elif style < 0.50:
        phone = f"00{country.dial}-{number[:3]}-{number[3:]}"
    elif style < 0.70:
        phone = f"+{country.dial} (0) {number[:3]}/{number[3:]}"
    elif style < 0.95:
        phone = f"(0{number[:2]}) {number[2:5]}-{number[5:]}"
    else:
        phone = "12" if style < 0.97 else choose.choice(UNSTATED)
    return {
        "customer_name": name,
        "customer_email": email,
        "customer_phone": phone,
        "country": choose.choice(country.spellings) if choose.random() > 0.005 else "Atlantis",
        "billing_street": f"{choose.choice(STREETS)} {choose.randrange(1, 200)} ",
        "billing_city": choose.choice(CITIES),
        "billing_zip": str(choose.randrange(10_000, 100_000)),
    }


def write_amounts(choose: random.Random, country: Country) -> dict[str, str]:
    """Write the lines and the sums of an invoice; one gross amount in a hundred is off."""
    lines, net = [], 0
    for _ in range(choose.randrange(1, 5)):
        quantity, cents = choose.randrange(1, 21), choose.randrange(100, 50_100)
        prefix = "sku" if choose.random() < 0.5 else "SKU"
        price = f"{cents / 100:.2f}"
        lines.append(
            {"sku": f"{prefix}-{choose.randrange(1000, 10_000)}", "desc": choose.choice(ARTICLES), "qty": quantity, "unit_price": price}
        )
        net += quantity * cents
    sign = -1 if choose.random() < 0.04 else 1
    tax = (net * country.tax_percent + 50) // 100 * sign
    net *= sign
    gross = net + tax + (777 if choose.random() < 0.01 else 0)
    style = choose.random()
    rate = f"{country.tax_percent}%" if style < 0.5 else f"{country.tax_percent / 100}" if style < 0.8 else str(country.tax_percent)
    style = choose.random()
    return {
        "currency": choose.choice(country.currencies),
        "net_amount": write_amount(choose, net),
        "tax_rate": rate,
        "tax_amount": write_amount(choose, tax) if choose.random() < 0.7 else "",
        "gross_amount": write_amount(choose, gross),
        "discount": "" if style < 0.7 else f"{choose.randrange(20)}%" if style < 0.9 else f"{choose.randrange(2000) / 100:.2f}",
        "line_items": json.dumps(lines, separators=(",", ":")),
    }


def write_invoice(number: int, day: int) -> tuple[dict[str, str], str]:
    """Return the invoice as it stands on a day (1, 2 or 3), and what the day did to it: same, changed or bad."""
    choose = random.Random(SEED + number)
    country = choose.choice(COUNTRIES)
    identifier = f"INV-{number:08d}"
    style = choose.random()
    customer = choose.randrange(CUSTOMERS)
    issued = choose.randrange(940)
    status = choose.choice(STATUSES)
    row = {
        "invoice_id": identifier.lower() if style < 0.10 else f" {identifier} " if style < 0.15 else identifier,
        "customer_id": f"C{customer:06d}" if choose.random() < 0.8 else f"c-{customer:06d}",
        **write_party(choose, country),
        "invoice_date": write_date(choose, issued),
        "due_date": write_date(choose, issued + 30) if choose.random() < 0.8 else choose.choice(UNSTATED),
        "paid_date": write_date(choose, issued + choose.randrange(40))
        if status == "paid"
        else choose.choice([*UNSTATED, "0000-00-00", "0000-00-00"]),
        **write_amounts(choose, country),
        "status": choose.choice(STATUS_SPELLINGS[status]),
        "po_number": f"po-{choose.randrange(10**6)}" if choose.random() < 0.6 else choose.choice(UNSTATED),
        "sales_rep": f"{choose.choice(FIRST_NAMES)}  {choose.choice(LAST_NAMES)}",
        "payment_terms": choose.choice(TERMS),
        "notes": choose.choice(NOTES),
    }
    seconds, style = FIRST_DAY + choose.randrange(MONTH_SECONDS), random.Random(SEED * 3 + number)
    changes = {2: choose.random() < 0.05, 3: choose.random() < 0.05}
    spoilt = {1: choose.random() < 0.002, 2: choose.random() < 0.01, 3: choose.random() < 0.01}
    harm = choose.randrange(6)
    changed = [each for each in range(2, day + 1) if changes[each]]
    if changed:
        seconds += MONTH_SECONDS * changed[-1]
        row |= {"status": "PAID", "paid_date": f"2026-11-0{changed[-1]}", "notes": f"settled on day {changed[-1]}"}
    row["updated_at"] = write_instant(style, seconds)
    bad = spoilt[1] or (day > 1 and spoilt[day])
    if bad:
        spoil(row, harm)
    return row, "bad" if bad else "changed" if day in changed else "same"


def spoil(row: dict[str, str], harm: int) -> None:
    """Make a row such that no rule can save it."""
    spoilt = (
        ("invoice_date", "31.31.2025"), ("net_amount", "12,3x4"), ("invoice_id", "INV?"),
        ("line_items", row["line_items"][:-4]), ("currency", "???"), ("updated_at", "yesterday"),
    )  # fmt: skip
    column, value = spoilt[harm]
    row[column] = value


def nested(row: dict[str, str]) -> dict[str, Any]:
    """Return an invoice as an API would give it; lines that are no JSON stay the text they are."""
    try:
        lines = json.loads(row["line_items"])
    except ValueError:
        lines = row["line_items"]
    return {
        "invoice_id": row["invoice_id"],
        "customer": {name: row[f"customer_{name}"] for name in ("id", "name", "email", "phone")} | {"country": row["country"]},
        "billing": {name: row[f"billing_{name}"] for name in ("street", "city", "zip")},
        "dates": {name: row[f"{name}_date"] for name in ("invoice", "due", "paid")},
        "amounts": {
            "currency": row["currency"], "net": row["net_amount"], "tax_rate": row["tax_rate"], "tax": row["tax_amount"],
            "gross": row["gross_amount"], "discount": row["discount"],
        },
        **{name: row[name] for name in ("status", "po_number", "sales_rep", "payment_terms")},
        "lines": lines, "notes": row["notes"], "updated_at": row["updated_at"],
    }  # fmt: skip


def as_xml(invoice: dict[str, Any]) -> str:
    """Write an invoice as an element; lines that are no JSON become one line without its figures."""
    parts = []
    for name, value in invoice.items():
        if isinstance(value, dict):
            text = "".join(f"<{each}>{escape(inner)}</{each}>" for each, inner in value.items())
        elif name == "lines":
            lines = value if isinstance(value, list) else [{"sku": "?"}]
            text = "".join(
                f"<line sku={quoteattr(line['sku'])}>" + "".join(f"<{each}>{escape(str(inner))}</{each}>" for each, inner in line.items() if each != "sku") + "</line>"
                for line in lines
            )
        else:
            text = escape(value)
        parts.append(f"<{name}>{text}</{name}>")
    return f"<invoice>{''.join(parts)}</invoice>\n"


def rows_of(file: str, first: int, last: int, rows: int) -> Iterator[list[str]]:
    """Yield the rows of one file whose numbers are in ``[first, last)``; numbers from ``rows`` on are new on day 2."""
    day = {"day1": 1, "day2": 2, "delta": 3}[file]
    for number in range(first, min(last, rows) if day == 1 else last):
        row, kind = write_invoice(number, day)
        values = [row[column] for column in COLUMNS]
        if file != "delta" or kind != "same":
            yield values
        if file == "day1" and number % 200 == 7:
            values[COLUMNS.index("notes")] = "older copy"
            values[COLUMNS.index("updated_at")] = "2025-10-01T00:00:00Z"
            yield values


HEADS = {"csv": (",".join(COLUMNS) + "\n").encode(), "jsonl": b"", "xml": b'<?xml version="1.0" encoding="UTF-8"?>\n<invoices>\n'}
TAILS = {"csv": b"", "jsonl": b"", "xml": b"</invoices>\n"}


def write_part(job: tuple[Path, str, str, int, int, int]) -> Path:
    """Write a part of one file, without what is around the records."""
    folder, file, kind, first, last, rows = job
    path = folder / f"{file}.{kind}.{first:09d}.part"
    with path.open("w", newline="", encoding="utf-8") as stream:
        values = rows_of(file, first, last, rows)
        if kind == "csv":
            csv.writer(stream, lineterminator="\n").writerows(values)
            return path
        for each in values:
            invoice = nested(dict(zip(COLUMNS, each, strict=True)))
            stream.write(as_xml(invoice) if kind == "xml" else json.dumps(invoice, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def join(target: Path, parts: list[Path]) -> None:
    """Write the parts and what is around them."""
    kind = target.suffix[1:]
    with target.open("wb") as stream:
        stream.write(HEADS[kind])
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        stream.write(TAILS[kind])


def write_customers(path: Path) -> None:
    """Write the reference file; some customers are not in it."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("customer_id", "segment", "home_country"))
        for number in range(CUSTOMERS):
            if number % 200 == 3:
                continue
            choose = random.Random(SEED * 7 + number)
            writer.writerow((f"C{number:06d}", choose.choice(("gold", "silver", "bronze", "none")), choose.choice(COUNTRIES).spellings[0]))


def generate(folder: Path, rows: int, kind: str = "csv") -> None:
    """Write every file of the workload into a folder in one format, unless it is there already; in CSV too."""
    if kind != "csv":
        generate(folder, rows)
    done = folder / ("complete" if kind == "csv" else f"complete-{kind}")
    if done.exists() and done.read_text() == f"{SEED} {rows}\n":
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_customers(folder / "customers.csv")
    total = rows + rows // 100
    cuts = sorted({0, rows // 2, rows, total})
    with Pool(2) as pool:
        for file in ("day1", "day2", "delta"):
            jobs = [(folder, file, kind, first, last, rows) for first, last in itertools.pairwise(cuts)]
            parts = pool.map(write_part, jobs, chunksize=1)
            join(folder / f"{file}.{kind}", parts)
            if file == "day1":
                join(folder / f"day1-rewritten.{kind}", [parts[1], parts[0], *parts[2:]])
            for part in parts:
                part.unlink()
    done.write_text(f"{SEED} {rows}\n")


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--format", choices=tuple(HEADS), default="csv")
    arguments = parser.parse_args()
    generate(arguments.folder, arguments.rows, arguments.format)


if __name__ == "__main__":
    main()
