"""Apideck's unified CRM resources against the models of the pack ``party``: descriptions alone on both sides.

The truth was written by hand, from what the properties of both sides are documented to mean; a source property that is not named here has no
counterpart. It is small: read it as a check, not as a measure.
"""

from __future__ import annotations

from pathlib import Path

from bench.matching.scores import score
from bench.matching.truth import Pair

from treaty.matching.matcher import Correspondence, match_profiles
from treaty.operations.sides import read_side

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "canonical-models" / "apideck"
ADDRESS = {
    "addresses/line1": "street", "addresses/line2": "street_2", "addresses/city": "city", "addresses/postal_code": "postal_code",
    "addresses/state": "region", "addresses/country": "country",
}  # fmt: skip
REACH = {"emails/email": "email", "phone_numbers/number": "phone", "status": "status", "updated_at": "updated_at"}
TRUTH = {
    ("crm.yml#Contact", "party/contact"): {
        **ADDRESS, **REACH, "name": "full_name", "first_name": "given_name", "last_name": "family_name", "title": "job_title",
        "company_name": "company_name", "language": "language",
    },
    ("crm.yml#Company", "party/company"): {
        **ADDRESS, **REACH, "name": "name", "vat_number": "vat_id", "number_of_employees": "employees", "websites/url": "domain",
    },
    ("accounting.yml#Supplier", "party/company"): {**ADDRESS, **REACH, "company_name": "name", "display_name": "trading_name", "tax_number": "vat_id", "websites/url": "domain"},
}  # fmt: skip


def measure_apideck() -> str:
    """Return the part of the page, or that the material is not there."""
    if not FOLDER.is_dir():
        return "### Apideck\n\nNot measured: the material is not here.\n"
    lines = ["### Apideck's resources against the pack `party`", "", "Schemas alone, truth written by hand.", ""]
    lines += ["| Resource | Model | F1 | Precision | Recall | Recall at 3 |", "|---|---|---|---|---|---|"]
    for (source, target), truth in TRUTH.items():
        left, right = read_side(f"{FOLDER}/{source}").profile, read_side(target).profile
        whole = {each.path: truth.get(each.path) for each in left.fields}
        pair = Pair("apideck", source, {each.path: () for each in left.fields}, {each.path: () for each in right.fields}, whole)
        answers: tuple[Correspondence, ...] = match_profiles(left, right)
        found = score([pair], lambda _pair, answers=answers: answers)
        lines.append(f"| {source.replace('.yml#', ' ')} | {target} | {found.f1:.2f} | {found.precision:.2f} | {found.recall:.2f} | {found.recall_at_3:.2f} |")
    return "\n".join([*lines, ""])
