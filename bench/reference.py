"""The rules of the workload in plain Python: what every implementation is checked against, and nobody's idea of speed.

``convert`` gives a canonical invoice for one source row, or raises :class:`Rejected` with a reason.
``Book`` keeps the newest version of each invoice over the files that came in.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

AS_OF = date(2026, 11, 1)
CENT = Decimal("0.01")
TOLERANCE = Decimal("0.02")
UNSTATED = {"", "n/a", "-", "null", "none", "0000-00-00"}
COUNTRIES = {
    "DE": ("de", "germany", "deutschland", "deu"),
    "FR": ("fr", "france", "fra"),
    "GB": ("gb", "uk", "united kingdom", "great britain", "gbr"),
    "US": ("us", "usa", "united states", "u.s.a."),
    "PL": ("pl", "poland", "polska", "pol"),
    "ES": ("es", "spain", "españa", "esp"),
    "IT": ("it", "italy", "italia", "ita"),
    "NL": ("nl", "netherlands", "the netherlands", "holland", "nld"),
    "CH": ("ch", "switzerland", "schweiz", "suisse", "che"),
    "SE": ("se", "sweden", "sverige", "swe"),
}
COUNTRY_CODES = {spelling: code for code, spellings in COUNTRIES.items() for spelling in spellings}
DIALLING_CODES = {"DE": "49", "FR": "33", "GB": "44", "US": "1", "PL": "48", "ES": "34", "IT": "39", "NL": "31", "CH": "41", "SE": "46"}
CURRENCY_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
CURRENCIES = {"EUR", "USD", "GBP", "PLN", "CHF", "SEK"}
STATUSES = {
    "paid": "paid", "pd": "paid", "settled": "paid",
    "open": "open", "unpaid": "open", "outstanding": "open",
    "overdue": "overdue", "past due": "overdue",
    "void": "void", "cancelled": "void", "canceled": "void",
    "draft": "draft",
    "disputed": "disputed", "in dispute": "disputed",
}  # fmt: skip
FIELDS = (
    "invoice_id", "customer_id", "customer_name", "customer_email", "email_valid", "customer_phone", "country_code", "street", "city", "postal_code",
    "invoice_date", "due_date", "paid_date", "currency", "net_amount", "tax_rate", "tax_amount", "gross_amount", "gross_fixed", "discount_pct", "status",
    "po_number", "sales_rep", "terms_days", "line_items", "line_count", "line_total", "notes", "customer_segment", "updated_at",
)  # fmt: skip

Invoice = dict[str, Any]


class Rejected(Exception):
    """A source row that has no canonical invoice; its argument is the reason."""


def stated(text: str) -> str | None:
    """Return the trimmed text, or None where it says in some way that there is no value."""
    text = text.strip()
    return None if text.lower() in UNSTATED else text


def squeeze(text: str) -> str:
    """Return the text with every run of white space as one blank."""
    return " ".join(text.split())


def given_name_first(text: str) -> str:
    """Turn ``Kaya, Björn`` into ``Björn Kaya``."""
    parts = squeeze(text).split(", ")
    return f"{parts[1]} {parts[0]}" if len(parts) == 2 else squeeze(text)


def email(text: str) -> str | None:
    """Return a usable address in lower case, or None."""
    found = (stated(text) or "").lower().removeprefix("mailto:")
    return found if re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", found) else None


def phone(text: str, country: str) -> str | None:
    """Return a number in international form, or None where that cannot be made of it."""
    written = stated(text)
    if written is None:
        return None
    digits = re.sub(r"[^0-9+]", "", written.replace("(0)", ""))
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif not digits.startswith("+"):
        if country not in DIALLING_CODES:
            return None
        digits = "+" + DIALLING_CODES[country] + digits.lstrip("0")
    return digits if 9 <= len(digits) <= 16 else None


def day(text: str) -> date:
    """Read 2024-01-31, 31.01.2024 or 01/31/2024; the third character tells which."""
    form = {".": "%d.%m.%Y", "/": "%m/%d/%Y"}.get(text[2:3], "%Y-%m-%d")
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        raise Rejected("bad_date") from None


def amount(text: str) -> Decimal:
    """Read 1,234.50, 1.234,50, $1,234.50, (12.00) or -12.00."""
    text = text.strip()
    negative = text.startswith("-") or (text.startswith("(") and text.endswith(")"))
    text = text.strip("()") if text.startswith("(") else text.removeprefix("-")
    text = text.lstrip("$€£")
    if len(text) > 3 and text[-3] == ",":
        text = text.replace(".", "").replace(",", ".")
    text = text.replace(",", "")
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise Rejected("bad_amount")
    found = Decimal(text).quantize(CENT, ROUND_HALF_UP)
    return -found if negative else found


def tax_rate(text: str) -> Decimal:
    """Read 19%, 0.19 or 19 as 0.1900; no rate is 0."""
    written = stated(text)
    if written is None:
        return Decimal("0.0000")
    rate = Decimal(written.removesuffix("%"))
    return (rate / 100 if written.endswith("%") or rate > 1 else rate).quantize(Decimal("0.0001"))


def terms(text: str) -> int:
    """Read the days of ``Net 30``, ``2/10 net 30`` or ``30 days``; 30 where nothing else is said."""
    written = (stated(text) or "").lower()
    found = re.search(r"(\d+)(\s*days)?$", written)
    return 0 if written == "due on receipt" else int(found.group(1)) if found else 30


def instant(text: str) -> datetime:
    """Read seconds since 1970, or ISO 8601 with its offset."""
    try:
        return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise Rejected("bad_timestamp") from None


def lines(text: str) -> list[Invoice]:
    """Read the lines out of their JSON text."""
    try:
        found = json.loads(text)
    except ValueError:
        raise Rejected("bad_line_items") from None
    return [
        {
            "sku": line["sku"].upper(), "desc": line["desc"].strip(), "qty": line["qty"],
            "unit_price": Decimal(line["unit_price"]), "amount": Decimal(line["unit_price"]) * line["qty"],
        }
        for line in found
    ]  # fmt: skip


def identifier(text: str, form: str, reason: str) -> str:
    """Return an identifier in upper case; Rejected where it has not its form."""
    found = text.strip().upper()
    if not re.fullmatch(form, found):
        raise Rejected(reason)
    return found


def convert(row: dict[str, str], segments: dict[str, str]) -> Invoice:
    """Return the canonical invoice of a source row."""
    invoice_id = identifier(row["invoice_id"], r"INV-\d{8}", "bad_invoice_id")
    customer_id = identifier(row["customer_id"].replace("-", ""), r"C\d{6}", "bad_customer_id")
    country = COUNTRY_CODES.get(row["country"].strip().lower(), "ZZ")
    days, issued = terms(row["payment_terms"]), day(row["invoice_date"].strip())
    due, paid = stated(row["due_date"]), stated(row["paid_date"])
    due_date = day(due) if due else issued + timedelta(days=days)
    currency = row["currency"].strip().upper()
    currency = CURRENCY_SIGNS.get(currency, currency)
    if currency not in CURRENCIES:
        raise Rejected("bad_currency")
    net, rate = amount(row["net_amount"]), tax_rate(row["tax_rate"])
    tax = amount(row["tax_amount"]) if stated(row["tax_amount"]) else (net * rate).quantize(CENT, ROUND_HALF_UP)
    gross = amount(row["gross_amount"]) if stated(row["gross_amount"]) else None
    repaired = gross is None or abs(net + tax - gross) > TOLERANCE
    status = STATUSES.get(row["status"].strip().lower().replace("-", " "), "unknown")
    found = lines(row["line_items"])
    discount, order = stated(row["discount"]), stated(row["po_number"])
    address = email(row["customer_email"])
    return {
        "invoice_id": invoice_id,
        "customer_id": customer_id,
        "customer_name": given_name_first(row["customer_name"]),
        "customer_email": address,
        "email_valid": address is not None,
        "customer_phone": phone(row["customer_phone"], country),
        "country_code": country,
        "street": squeeze(row["billing_street"]),
        "city": squeeze(row["billing_city"]),
        "postal_code": row["billing_zip"].strip().upper(),
        "invoice_date": issued,
        "due_date": due_date,
        "paid_date": day(paid) if paid else None,
        "currency": currency,
        "net_amount": net,
        "tax_rate": rate,
        "tax_amount": tax,
        "gross_amount": net + tax if repaired else gross,
        "gross_fixed": repaired,
        "discount_pct": Decimal((discount or "0").removesuffix("%")).quantize(CENT),
        "status": "overdue" if status == "open" and due_date < AS_OF else status,
        "po_number": order.upper() if order else None,
        "sales_rep": squeeze(row["sales_rep"]),
        "terms_days": days,
        "line_items": found,
        "line_count": len(found),
        "line_total": sum((line["amount"] for line in found), Decimal(0)).quantize(CENT),
        "notes": stated(row["notes"]),
        "customer_segment": segments.get(customer_id, "unknown"),
        "updated_at": instant(row["updated_at"].strip()),
    }


def load_segments(path: Path) -> dict[str, str]:
    """Read the segment of each customer."""
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["customer_id"]: row["segment"] for row in csv.DictReader(stream)}


@dataclass
class Book:
    """The newest valid version of each invoice, and what was rejected, over all files read."""

    segments: dict[str, str]
    invoices: dict[str, Invoice] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def read(self, path: Path) -> None:
        """Take the rows of a file; of two versions the one updated later stands, and the later row of two equal ones."""
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                try:
                    invoice = convert(row, self.segments)
                except Rejected as reason:
                    self.rejected[str(reason)] += 1
                    continue
                known = self.invoices.get(invoice["invoice_id"])
                if known is None or invoice["updated_at"] >= known["updated_at"]:
                    self.invoices[invoice["invoice_id"]] = invoice
