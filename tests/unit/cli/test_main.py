"""The command line's frame: verbs, help, errors and exit statuses."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from treaty.cli.main import main, parse_arguments, render_help
from treaty.cli.verbs import GROUPS, VERBS


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Help lists each verb with what it is for, and is a good answer."""
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert [verb for verb in VERBS if f"  {verb} " not in told] == []


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a verb says what it does and shows an example that begins with it."""
    assert main([verb, "--help"]) == 0
    told = capsys.readouterr().out
    assert VERBS[verb].example in told
    assert VERBS[verb].example.startswith(f"treaty {verb}")


def test_no_verb_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a verb the help is shown, and the status says that nothing was done."""
    assert main([]) == 2
    assert capsys.readouterr().out.strip() == render_help()


def test_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped verb is answered with the one that was meant, without a traceback."""
    assert main(["explian"]) == 2
    assert capsys.readouterr().err == "There is no verb 'explian'.\nDid you mean `treaty explain`?\n"


def test_wrong_arguments_are_told_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """What argparse refuses becomes a sentence and where to look."""
    assert main(["run", "--aply"]) == 2
    assert capsys.readouterr().err == "Unrecognized arguments: --aply.\nSee `treaty run --help`.\n"


def test_a_day_is_written_in_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    """A date that is not ISO 8601 is refused with the way to write it."""
    assert main(["check", "--as-of", "21.11.2026"]) == 2
    assert "write it as 2026-11-21" in capsys.readouterr().err


def test_no_project_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a project the error names the folder and the three ways on."""
    monkeypatch.chdir(tmp_path)
    assert main(["stop"]) == 2
    told = capsys.readouterr().err
    assert f"Neither {tmp_path} nor a folder above it has a treaty.yaml." in told
    assert "treaty init DIR" in told


def test_global_options_stand_before_or_after_the_verb() -> None:
    """--project, --environment and --json mean the same on either side of the verb."""
    _, before = parse_arguments(["--project", "p", "--environment", "e", "--json", "stop"])
    _, after = parse_arguments(["stop", "--project", "p", "--environment", "e", "--json"])
    assert vars(before) == vars(after)
    _, quarantine = parse_arguments(["quarantine", "list", "--json", "--project", "p"])
    assert (quarantine.json, quarantine.project, quarantine.environment) == (True, "p", None)


def test_help_starts_fast() -> None:
    """``treaty --help`` takes under 0.3 seconds of a processor; the best of five counts. Waiting is not counted, since the machine is shared."""
    best = min(_processor_seconds([sys.executable, "-m", "treaty", "--help"]) for _ in range(5))
    assert best < 0.3


def test_help_imports_nothing_heavy() -> None:
    """Help loads no engine, no database driver, no table library and no terminal library."""
    code = "import sys; from treaty.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert loaded & {"duckdb", "psycopg", "pyarrow", "pandas", "sqlglot", "rich", "lxml", "yaml", "pydantic"} == set()


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints a document that a program can read."""
    assert main(["functions", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"name", "signature", "tag", "group", "help", "strict", "reasons", "examples"} == set(listed[0])


def test_a_reader_that_goes_away_is_no_error() -> None:
    """``treaty functions | head -1`` ends quietly."""
    done = subprocess.run(f"{sys.executable} -m treaty functions | head -1", shell=True, capture_output=True, text=True, check=True)
    assert "Error" not in done.stderr


def test_groups_hold_each_verb_once() -> None:
    """Help shows no verb twice."""
    assert sorted(VERBS) == sorted(verb.name for _, verbs in GROUPS for verb in verbs)


def _processor_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
