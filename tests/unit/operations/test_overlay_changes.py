"""What a plan can say of a client's own system without a look at any record."""

from __future__ import annotations

import pytest

from treaty.operations.planning.changes import find_changes
from treaty.project.files import catalog_folder
from treaty.project.loading import Project, load_project, load_project_files

SYSTEM = """reason: its own
connector: files
connection: {{folder: inbox}}
streams:
  people: {{format: csv, {people}read: {{files: p*.csv}}}}
  others: {{format: csv, {others}read: {{files: o*.csv}}}}
"""
BESIDE = {
    "clients/abel/mappings/crm.people.yaml": b"reason: its own\nfrom: crm/people\nto: contact\nfields: {email: contact_email(courriel)}\n",
    "clients/abel/flows/abel.yaml": b"reason: its own\nmappings: [crm.people]\n",
}


def project(people: str = "", others: str = "") -> Project:
    """Return a project whose client abel reads people, and has another stream that nothing reads."""
    system = {"clients/abel/systems/crm.yaml": SYSTEM.format(people=people, others=others).encode()}
    return load_project_files({**load_project(catalog_folder() / "party").files, **BESIDE, **system})


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (project(people="key: [id], "), "the stream crm/people has a key now"),
        (project(people="version: changed, "), "the stream crm/people is declared otherwise"),
        (project(others="key: [id], "), ""),
    ],
)
def test_a_clients_own_stream_that_is_declared_otherwise(after: Project, told: str) -> None:
    """What it reads was landed as it was declared then; what nothing reads has not landed."""
    (change,) = find_changes(project(), after)
    assert ("overlay", "abel/systems/crm") == (change.what, change.id)
    assert ([told] if told else []) == [each[: len(told)] for each in change.undecided]
