"""A world whose records go to JSON APIs, one for each delivery mode; each API is a process of its own, and its log is the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.acceptance.small_project import SYSTEM, write_small_project
from tests.chaos.world import SETTINGS, World

from treaty.testing.api import FakeApi, run_api

FIND = 'find_path: "things?reference={reference}"'
MODES = {  # API → the delivery mode of its mapping, and what its stream says more of writing
    "put": ("upsert", "version_field: version"),
    "keyed": ("idempotency-key", ""),
    "found": ("read-back", FIND),
    "doubled": ("at-least-once", ""),
    "batched": ("at-least-once", "batch_path: things/batch, batch_size: 3"),
}
ONCE = ("put", "keyed", "found")  # where each version has one effect
DAYS = {
    "day1": "id;name;size\nA-1;ball;3\nA-2;box;4\nA-3;bad;5\nA-4;crate;many\nA-5;ring;6\n",  # the batched API refuses what is called bad
    "day2": "id;name;size\nA-1;globe;3\nA-2;box;5\nA-3;bad;5\nA-6;bell;7\nA-7;coin;8\n",  # A-5 is gone, A-2 has changed in what no API takes
}


class ApiWorld(World):
    """A small project that tells five APIs of its records. Putting it back puts the APIs back."""

    scenarios = ("first", "second")
    databases = ("treaty",)
    sources = ()
    settings: ClassVar[Mapping[str, str]] = {**SETTINGS, "TREATY_EGRESS_PRIVATE": "127.0.0.1"}
    doubling = frozenset({"doubled/things", "batched/things"})

    def __init__(self, folder: Path, apis: Mapping[str, FakeApi]) -> None:
        self.apis = apis
        self._effects: dict[str, Mapping[str, list[dict[str, Any]]]] = {"first": {name: [] for name in apis}}
        super().__init__(folder)

    def write_project(self, inboxes: Path) -> None:
        """Write the project with a mapping to each API."""
        write_small_project(self.root)
        deliver = "name: small\nowners: {tests: tests@example.com}\nenvironments:\n  local: {deliver: true}\n"
        written = {
            "treaty.yaml": deliver,
            "systems/store.yaml": SYSTEM.replace("FOLDER", "store") + "    deletes: {snapshot: {guard: 100%}}\n",
        }
        for name, api in self.apis.items():
            mode, more = MODES[name]
            connection = f"{{url: {api.address}, attempts: 3, wait_seconds: 0}}"
            stream = f"{{format: json, write: {{path: things, {more}}}}}"
            written[f"systems/{name}.yaml"] = f"connector: rest\nconnection: {connection}\nowner: tests\nstreams:\n  things: {stream}\n"
            delete = "" if mode == "at-least-once" else "delete: send\n"
            fields = "fields: {code: code, text: name}\n"
            written[f"mappings/thing.{name}.yaml"] = f"from: thing\nto: {name}/things\nkey: [code]\nmode: {mode}\n{delete}{fields}"
        mappings = ", ".join(["store.things", *(f"thing.{name}" for name in self.apis)])
        written["flows/things.yaml"] = f"mappings: [{mappings}]\nowner: tests\n"
        for path, text in written.items():
            (self.root / path).write_text(text, encoding="utf-8")
        for day, text in DAYS.items():
            (inboxes / day / "store").mkdir(parents=True)
            (inboxes / day / "store/things.csv").write_text(text, encoding="utf-8")

    def begin(self, scenario: str) -> None:
        """Put everything to where a scenario begins, the APIs too."""
        super().begin(scenario)
        for name, api in self.apis.items():
            api.restore(self._effects[scenario][name])

    def save(self, scenario: str) -> None:
        """Keep the present state as where a scenario begins."""
        super().save(scenario)
        self._effects[scenario] = self.effects()

    def effects(self) -> Mapping[str, list[dict[str, Any]]]:
        """Return what each API says was done to it, in order."""
        return {name: api.effects() for name, api in self.apis.items()}


@contextmanager
def run_apis(folder: Path) -> Iterator[Mapping[str, FakeApi]]:
    """Run an API for each mode."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(run_api(folder / f"{name}.log")) for name in MODES}


def judge(api: str, undisturbed: list[dict[str, Any]], disturbed: list[dict[str, Any]]) -> list[str]:
    """Return how an API's log breaks what its mode promises: each effect once, or at least once; never one that nobody wanted (I4)."""
    wanted, there = (Counter(_effect(api, each) for each in effects) for effects in (undisturbed, disturbed))
    found = [f"{api} lacks {each}" for each in sorted(wanted.keys() - there.keys())]
    found += [f"{api} has {each}, which nobody wanted" for each in sorted(there.keys() - wanted.keys())]
    if api in ONCE:
        found += [f"{api} has {count} times {each}" for each, count in sorted(there.items()) if count != wanted[each] > 0]
    return found


def doubles(effects: list[dict[str, Any]]) -> int:
    """Return how many effects came again: the same message as one before."""
    return len(effects) - len({_effect("doubled", each) for each in effects})


def _effect(api: str, told: dict[str, Any]) -> str:
    """Return an effect as text; the API's own id only where doubles cannot move it."""
    thing = {name: value for name, value in told["thing"].items() if name != "id" or api in ONCE}
    return f"{told['kind']} {told['key'] or ''} {sorted(thing.items())}"
