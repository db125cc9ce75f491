"""The workflows that ``treaty init --ci`` writes: valid in shape, and what they run reviews a change as it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from small_project import write_small_project
from test_plan import THINGS, edit, land

import treaty
from treaty.operations.planning.markdown import MARK

STEP = {
    "type": "object", "properties": {"name": {"type": "string"}, "uses": {"pattern": "^[^@]+@v[0-9]+$"}, "run": {"type": "string"}, "if": {}, "with": {}, "env": {}},
    "additionalProperties": False, "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
}  # fmt: skip
WORKFLOW = {  # of https://json.schemastore.org/github-workflow.json, what is used here
    "type": "object", "required": ["on", "jobs"], "additionalProperties": False,
    "properties": {
        "name": {"type": "string"}, "on": {"required": ["pull_request"]}, "concurrency": {"required": ["group"]},
        "permissions": {"additionalProperties": {"enum": ["read", "write", "none"]}},
        "jobs": {"additionalProperties": {
            "required": ["runs-on", "steps"], "additionalProperties": False,
            "properties": {"if": {}, "runs-on": {"type": "string"}, "defaults": {}, "env": {"additionalProperties": {"type": "string"}}, "steps": {"items": STEP, "minItems": 1}},
        }},
    },
}  # fmt: skip
PIPELINE = {  # of GitLab's schema of .gitlab-ci.yml, what is used here
    "type": "object", "additionalProperties": {
        "required": ["script"], "additionalProperties": False,
        "properties": {
            "image": {"type": "string"}, "interruptible": {"type": "boolean"}, "rules": {"items": {"properties": {"if": {"type": "string"}}}},
            "script": {"items": {"type": "string"}, "minItems": 1},
        },
    },
}  # fmt: skip


class Comments(BaseHTTPRequestHandler):
    """The comments of one request, as both services list, add and change them."""

    kept: dict[int, str]

    def do_GET(self) -> None:
        """List them."""
        self._answer([{"id": key, "body": body, "url": f"{self._root}/{key}"} for key, body in self.kept.items()])

    def do_POST(self) -> None:
        """Add one."""
        self.kept[len(self.kept) + 1] = self._body()
        self._answer({})

    def do_PATCH(self) -> None:
        """Change one."""
        self.kept[int(self.path.rpartition("/")[2])] = self._body()
        self._answer({})

    do_PUT = do_PATCH

    @property
    def _root(self) -> str:
        return f"http://{self.headers['Host']}{self.path.partition('?')[0]}"

    def _body(self) -> str:
        assert self.headers["Authorization"] == "Bearer secret"
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

    def _answer(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[tuple[str, dict[int, str]]]:
    """A service that keeps comments; its address, and what it has. Somebody has written one already."""
    kept = {1: "Looks good."}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Comments,), {"kept": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def repository(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose folder ``our things`` is the small project, run once."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "our things"
    write_small_project(folder, database="env:TREATY_DATABASE")
    land(folder, THINGS)
    assert treaty.run(folder).ok
    return tmp_path


def run(script: str, folder: Path, **variables: str) -> int:
    """Run a part of a workflow as its runner would; installing was done."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | variables
    done = subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def test_github(repository: Path, service: tuple[str, dict[int, str]]) -> None:
    """The workflow is one of GitHub; a sound change passes with its comment, a breaking one fails and changes that comment."""
    url, kept = service
    folder = repository / "our things"
    made = treaty.init(folder, ci="github")
    assert made.workflow is not None
    assert ((".github/workflows/treaty.yml",), ("TREATY_DATABASE",)) == (made.workflow.files, made.workflow.secrets)
    workflow = parsed(repository / ".github/workflows/treaty.yml")
    jsonschema.validate(workflow, WORKFLOW)
    job = workflow["jobs"]["review"]
    assert "our things" == job["defaults"]["run"]["working-directory"]
    assert {"TREATY_DATABASE": "${{ secrets.TREATY_DATABASE }}"} == job["env"]
    steps = {each["name"]: each["run"] for each in job["steps"] if "run" in each}
    assert ["Install", "Check", "Test", "Plan", "Comment"] == list(steps)

    def review() -> dict[str, int]:
        done = {name: run(steps[name], folder) for name in ("Check", "Test", "Plan")}
        return done | {"Comment": run(steps["Comment"], folder, TOKEN="secret", COMMENTS=f"{url}/issues/7/comments")}

    edit(folder, "decisions/names-are-trimmed.md", "Trimmed, with slashes.", "Trimmed, and with slashes.")
    assert {"Check": 0, "Test": 0, "Plan": 0, "Comment": 0} == review()
    assert ["Looks good.", "cosmetic"] == [kept[1], kept[2].partition("plan: ")[2].partition("*")[0]]
    edit(folder, "models/thing.yaml", "      - {name: name, logicalType: string, physicalType: string}\n", "")
    edit(folder, "mappings/store.things.yaml", "  name: thing_name(name)\n", "")
    (folder / "decisions/names-are-trimmed.md").unlink()
    assert {"Check": 0, "Test": 0, "Plan": 1, "Comment": 0} == review()
    assert 2 == len(kept)
    assert kept[2].startswith(f"{MARK}\n**Treaty plan: breaking**")


def test_gitlab(repository: Path, service: tuple[str, dict[int, str]]) -> None:
    """The job is one of GitLab; what the project's policy names fails it, with the plan as its one note."""
    url, kept = service
    folder = repository / "our things"
    treaty.init(folder, ci="gitlab")
    assert {"include": [{"local": ".gitlab/treaty.yml"}]} == parsed(repository / ".gitlab-ci.yml")
    pipeline = parsed(repository / ".gitlab/treaty.yml")
    jsonschema.validate(pipeline, PIPELINE)
    script = [line for line in pipeline["treaty"]["script"] if not line.startswith("pip ")]
    assert len(script) == len(pipeline["treaty"]["script"]) - 1
    told = {"CI_API_V4_URL": url, "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "TREATY_GITLAB_TOKEN": "secret"}
    edit(folder, "mappings/store.things.yaml", "name: thing_name(name)", "name: name")
    assert 0 == run("\n".join(script), repository, **told)
    edit(folder, "treaty.yaml", "name: small\n", "name: small\nplan-fails-on: [value-changing, breaking, unknown]\n")
    assert 1 == run("\n".join(script), repository, **told)
    assert ["Looks good.", f"{MARK}\n**Treaty plan: value-changing**"] == [kept[1], kept[2].partition("\n\n")[0]]


def test_what_is_there_is_left(tmp_path: Path) -> None:
    """A new project gets its workflow at once; a workflow that is there is not written over; an unknown service or environment is named."""
    made = treaty.init(tmp_path / "own", ci="github")
    assert made.workflow is not None
    assert (tmp_path / "own/.github/workflows/treaty.yml").is_file()
    for service, environment, problem in (("github", None, "is there already"), ("gitlub", None, "Did you mean 'gitlab'"), ("gitlab", "far", "no environment 'far'")):
        with pytest.raises(treaty.UsageError) as refused:
            treaty.init(tmp_path / "own", ci=service, environment=environment)
        assert problem in f"{refused.value.message} {refused.value.remedy}"
    (tmp_path / "own/.gitlab-ci.yml").write_text("stages: [test]\n", encoding="utf-8")
    made = treaty.init(tmp_path / "own", ci="gitlab")
    assert made.workflow is not None
    assert ["include: [{local: .gitlab/treaty.yml}]", "database: env:NAME", "state: /srv/…"] == [
        each.partition("(`")[2].partition("`")[0] or each.partition("yml: ")[2] for each in made.workflow.left_to_do
    ]


def parsed(path: Path) -> Any:
    """Read YAML 1.2."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
