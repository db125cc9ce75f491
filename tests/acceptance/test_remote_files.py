"""A project whose inbox is on S3, over several runs of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project
from tests.servers import run_s3

SYSTEM = """\
connector: files
connection: {{folder: "s3://inbox/{{client}}/things", endpoint: {address}, user: key, secret: env:TREATY_TEST_SECRET}}
owner: tests
streams:
  things:
    format: csv
    key: [id]
    read: {{files: "*.csv", delimiter: ";"}}
"""


@pytest.mark.slow
def test_an_inbox_on_s3_is_read_as_a_local_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies there becomes records, a replaced object replaces them, an unchanged one costs nothing; doctor proves that it is reached."""
    s3fs = pytest.importorskip("s3fs", reason="treaty[s3] is not installed")
    monkeypatch.setenv("TREATY_EGRESS_PRIVATE", "127.0.0.0/8")
    monkeypatch.setenv("TREATY_TEST_SECRET", "canary-2f9d41c7")
    with run_s3() as address:
        bucket = s3fs.S3FileSystem(key="other", secret="other-secret", endpoint_url=address)
        bucket.mkdir("inbox")
        bucket.pipe_file("inbox/main/things/a.csv", b"id;name;size\nA-1;ball;3\nA-2;box;4\n")
        write_small_project(project)
        (project / "systems/store.yaml").write_text(SYSTEM.format(address=address), encoding="utf-8")
        (project / "flows/things.yaml").write_text("mappings: [store.things]\nowner: tests\n", encoding="utf-8")
        assert ["ball", "box"] == names(project)
        bucket.pipe_file("inbox/main/things/a.csv", b"id;name;size\nA-1;ball;3\nA-2;cube;4\n")
        assert ["ball", "cube"] == names(project)
        assert ["ball", "cube"] == names(project)
        doctor = treaty("doctor", "--project", project)
        assert (0, True) == (doctor.status, "store (source)" in doctor.output), doctor.output


def names(project: Path) -> list[str]:
    """Run the project; return the names of its things."""
    answer = treaty("run", "--project", project)
    assert answer.status == 0, answer.errors + answer.output
    return sorted(each["name"] for each in treaty("records", "thing", "--json", "--project", project).lines)
