"""A client that is left behind: clients are added to a project that ran without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import treaty
from small_project import write_small_project


def test_main_is_not_left_behind_silently(tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan calls it breaking, every run says so, and the remedy brings the client back."""
    monkeypatch.setenv("TREATY_DATABASE", new_database())
    folder = tmp_path / "small"
    write_small_project(folder, database="env:TREATY_DATABASE")
    (folder / "inbox/store").mkdir(parents=True)
    (folder / "inbox/store/things.csv").write_text("id;name;size\nA-1;ball;3\n", encoding="utf-8")
    assert treaty("run", "--project", folder).status == 0
    (folder / "clients/acme").mkdir(parents=True)
    (folder / "clients/acme/.gitkeep").touch()
    plan = treaty("plan", "--json", "--project", folder).json
    assert [("client", "main", "breaking")] == [(each["what"], each["id"], each["class"]) for each in plan["changes"] if each["what"] == "client"]
    answer = treaty("run", "--apply", "--json", "--project", folder)
    (left,) = answer.json["flows"]
    assert (0, "clients", "main", "orphaned-client") == (answer.status, left["flow"], left["client"], left["issues"][0]["kind"])
    assert "clients/main/systems/" in left["issues"][0]["remedy"]
    (folder / "clients/main/systems").mkdir(parents=True)
    (folder / "systems/store.yaml").rename(folder / "clients/main/systems/store.yaml")
    again = treaty("run", "--apply", "--json", "--project", folder)
    (flow,) = again.json["flows"]
    assert (0, "things", "main", None) == (again.status, flow["flow"], flow["client"], flow.get("issues"))
