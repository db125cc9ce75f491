"""The workflow that reviews every change of a project: check, test, and a plan as the comment of the pull or merge request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import indent
from types import MappingProxyType

from treaty.errors import UsageError
from treaty.operations.planning.markdown import MARK
from treaty.operations.workspace import Workspace
from treaty.project.findings import nearest

PYTHON = "3.12"
HEAD = """\
# Written by `treaty init --ci {service}`; it is yours to change. It fails where `treaty check` or `treaty test` finds something, and where the plan
# is of a class that `plan-fails-on` of treaty.yaml names (breaking and unknown, if it says nothing). The plan is the comment of the request.
# It needs a runner that reaches the database and the lake's folder of the environment `{environment}`{secrets}; a plan compares the
# change with what has landed there, writes only itself there, and samples of values stand in the comment.
"""
COMMENT = f"""\
python - <<'END'
import json, os, urllib.request

def call(method, url, body=None):
    headers = {{"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
        return json.load(answer)

comments = os.environ["COMMENTS"]
body = {{"body": open("plan.md", encoding="utf-8").read()}}
ours = [each for each in call("GET", comments + "?per_page=100") if each["body"].startswith("{MARK}")]
call(AGAIN, body) if ours else call("POST", comments, body)
END
"""
GITHUB = """\
name: treaty
on:
  pull_request:
permissions:
  contents: read
  pull-requests: write
concurrency:
  group: treaty-${{{{ github.ref }}}}
  cancel-in-progress: true
jobs:
  review:
    # A plan runs the hooks of the change beside the database: never for a stranger's fork.
    if: github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    defaults:
      run:
        working-directory: {folder}
{variables}    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "{python}"
      - name: Install
        run: pip install {requirement}
      - name: Check
        run: treaty check
      - name: Test
        run: treaty test
      - name: Plan
        run: treaty plan --environment {environment} --markdown-to plan.md
      - name: Comment
        if: ${{{{ !cancelled() }}}}
        env:
          TOKEN: ${{{{ github.token }}}}
          COMMENTS: ${{{{ github.api_url }}}}/repos/${{{{ github.repository }}}}/issues/${{{{ github.event.pull_request.number }}}}/comments
        run: |
          if [ ! -f plan.md ]; then exit 0; fi
{comment}"""
GITLAB = """\
treaty:
  image: python:{python}
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  interruptible: true
  script:
    - cd {folder}
    - pip install {requirement}
    - treaty check
    - treaty test
    - status=0; treaty plan --environment {environment} --markdown-to plan.md || status=$?
    # A project access token of the scope `api`, as the masked variable TREATY_GITLAB_TOKEN: the token of a job may not write comments.
    - export TOKEN="$TREATY_GITLAB_TOKEN" COMMENTS="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
    - |
      if [ ! -f plan.md ] || [ -z "$TOKEN" ]; then exit $status; fi
{comment}      exit $status
"""
GITLAB_INCLUDE = "include:\n  - local: .gitlab/treaty.yml\n"


@dataclass(frozen=True, slots=True)
class WrittenWorkflow:
    """A workflow that was written: for which service, its files from the root of the repository, the secrets that it reads, and what is left to do."""

    service: str
    files: tuple[str, ...]
    secrets: tuple[str, ...]
    left_to_do: tuple[str, ...]


def ensure_service(service: str) -> None:
    """Raise UsageError where there is no workflow for a service."""
    if service not in _WRITERS:
        found = nearest(service, _WRITERS)
        raise UsageError(f"There is no workflow for {service!r}.", remedy=f"Did you mean {found!r}?" if found else f"There are: {', '.join(_WRITERS)}.")


def write_workflow(workspace: Workspace, service: str) -> WrittenWorkflow:
    """Write the workflow of a service for a project, below the root of its Git repository.

    Raises:
        UsageError: there is no such service or environment, or a file of that name is there already.
    """
    ensure_service(service)
    repository = next((each for each in (workspace.root, *workspace.root.parents) if (each / ".git").exists()), workspace.root)
    database, state = workspace.environment.database or "", workspace.environment.state
    secrets = (database.removeprefix("env:"),) if database.startswith("env:") else ()
    told = {
        "service": service, "environment": workspace.name, "secrets": f" (secret {', '.join(secrets)})" if secrets else "", "python": PYTHON,
        "folder": json.dumps(workspace.root.relative_to(repository).as_posix()), "requirement": _requirement(),
    }  # fmt: skip
    files, left = _WRITERS[service](repository, secrets, told)
    for path, _ in files:
        if path.exists():
            raise UsageError(f"{path} is there already.", remedy="Move it away, or change it by hand.")
    for path, text in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not database:
        left = (*left, f"The database of {workspace.name} is embedded: name a server in treaty.yaml (`database: env:NAME`), or plans find nothing applied.")
    if not Path(state).is_absolute():
        left = (*left, f"The state of {workspace.name}, {state}, is in the checkout: name a folder that the runner shares (`state: /srv/…`), or plans find nothing applied.")
    return WrittenWorkflow(service, tuple(path.relative_to(repository).as_posix() for path, _ in files), secrets, left)


Files = list[tuple[Path, str]]


def _github(repository: Path, secrets: tuple[str, ...], told: Mapping[str, str]) -> tuple[Files, tuple[str, ...]]:
    variables = "".join(["    env:\n", *(f"      {each}: ${{{{ secrets.{each} }}}}\n" for each in secrets)]) if secrets else ""
    comment = indent(COMMENT.replace("AGAIN", '"PATCH", ours[0]["url"]'), " " * 10)
    text = (HEAD + GITHUB).format(**told, variables=variables, comment=comment)
    return [(repository / ".github/workflows/treaty.yml", text)], ()


def _gitlab(repository: Path, secrets: tuple[str, ...], told: Mapping[str, str]) -> tuple[Files, tuple[str, ...]]:
    comment = indent(COMMENT.replace("AGAIN", '"PUT", comments + "/" + str(ours[0]["id"])'), " " * 6)
    files = [(repository / ".gitlab/treaty.yml", (HEAD + GITLAB).format(**told, comment=comment))]
    if (repository / ".gitlab-ci.yml").exists():
        return files, ("Add to .gitlab-ci.yml: include: [{local: .gitlab/treaty.yml}]",)
    return [*files, (repository / ".gitlab-ci.yml", GITLAB_INCLUDE)], ()


_WRITERS: Mapping[str, Callable[[Path, tuple[str, ...], Mapping[str, str]], tuple[Files, tuple[str, ...]]]] = MappingProxyType({"github": _github, "gitlab": _gitlab})


def _requirement() -> str:
    try:
        return f"treaty=={version('treaty')}"
    except PackageNotFoundError:
        return "treaty"
