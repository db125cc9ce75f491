"""Everything that can be listed is documented, and the pages made from the code are up to date."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import treaty
from treaty.cli.verbs import VERBS
from treaty.compiler.functions import standard_functions
from treaty.connectors.registry import list_connectors, load_connector
from treaty.lake.dispositions import STATES
from treaty.project.declarations import DecisionKind
from treaty.project.files import shipped_packs
from treaty.project.schemas import reference
from treaty.rules.checking import RULES

DOCS = Path(__file__).parents[2] / "docs"


def read(name: str) -> str:
    """Return a page of the manual."""
    return (DOCS / name).read_text(encoding="utf-8")


def load_generator() -> ModuleType:
    """Import ``docs/generate.py``, which is no package."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    """A page made from the code equals what `make docs` would write now."""
    assert GENERATOR.PAGES[name]() == read(f"reference/{name}.md"), "run `make docs`"


@pytest.mark.parametrize("verb", VERBS)
def test_verb_is_documented(verb: str) -> None:
    """A verb has its arguments in the reference and its JSON shape on the page of shapes."""
    assert f"### `treaty {verb}`" in read("reference/verbs.md")
    assert f"### `{verb}`" in read("json-shapes.md")


def test_functions_are_documented() -> None:
    """Every standard function is listed with its signature."""
    page = read("reference/functions.md")
    assert [each.name for each in standard_functions() if f"### `{each.signature}`" not in page] == []


def test_settings_are_documented() -> None:
    """Every setting of every kind of file is listed, and says what it is for."""
    page = read("reference/settings.md")
    settings = [setting for file in reference() for setting in file.settings]
    assert [each.path for each in settings if f"`{each.path}`" not in page or not each.help] == []


def test_findings_are_documented() -> None:
    """Every rule's code is listed."""
    page = read("reference/findings.md")
    assert [rule.code for rule in RULES if f"`{rule.code}`" not in page] == []


@pytest.mark.parametrize("kind", get_args(DecisionKind))
def test_decision_kind_is_documented(kind: str) -> None:
    """A kind of decision has a chapter with an example."""
    chapters = re.split(r"^## ", read("decision-kinds.md"), flags=re.MULTILINE)
    assert any(chapter.startswith(f"{kind}\n") and f"kind: {kind}" in chapter for chapter in chapters)


@pytest.mark.parametrize("kind", list_connectors())
def test_connector_is_documented(kind: str) -> None:
    """A connector is listed, and the delivery modes that it keeps are explained."""
    assert f"## `{kind}`" in read("reference/connectors.md")
    assert [mode for mode in load_connector(kind).modes if f"| `{mode}` |" not in read("reliability.md")] == []


@pytest.mark.parametrize("pack", shipped_packs())
def test_pack_is_documented(pack: str) -> None:
    """A pack is listed."""
    assert f"## `{pack}`" in read("reference/packs.md")


@pytest.mark.parametrize("name", treaty.__all__)
def test_public_name_is_documented(name: str) -> None:
    """A name of the public API is on the page of Python."""
    assert re.search(rf"\b{name}\b", read("python.md"))


@pytest.mark.parametrize("state", STATES)
def test_disposition_is_documented(state: str) -> None:
    """A state of a landed record is explained."""
    assert f"| `{state}` |" in read("concepts.md")


def test_our_decisions_are_listed() -> None:
    """Every decision of ours is listed with its title, and has a status."""
    listed = read("decisions/README.md")
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in listed
        assert "- Status: " in text


@pytest.mark.parametrize(
    "page", [*DOCS.rglob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the project names one that is there."""
    if "examples" in page.parts:
        return
    text = re.sub(r"`[^`]*`|^    .*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []
