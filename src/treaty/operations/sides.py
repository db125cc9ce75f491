"""A side of a match: what a file, a model, a schema, a stream or a table says of its fields, as one profile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.errors import UsageError
from treaty.matching.contracts import profile_properties
from treaty.matching.profiles import StreamProfile
from treaty.operations.descriptions import read_description
from treaty.operations.onboarding.tables import SUFFIXES, TEXTS, find_tables
from treaty.operations.reading import Event, read_file, read_stream
from treaty.operations.sampling import collect_sample
from treaty.operations.workspace import Folder, find_root
from treaty.project.files import catalog_folder, shipped_packs
from treaty.project.findings import nearest

if TYPE_CHECKING:
    from treaty.project.loading import Project

SAMPLE_RECORDS = 1000
HEAD_BYTES = 65_536
SCHEMA_SUFFIXES = (".json", ".yaml", ".yml")
FORMS = "Name a file, a model, PACK/MODEL, SYSTEM/STREAM of a project, or env:URL#schema.table."


@dataclass(frozen=True, slots=True)
class Side:
    """One side with how it was understood: ``sample``, ``contract``, ``schema``, ``xsd``, ``stream`` or ``table``, and what could not be read."""

    kind: str
    profile: StreamProfile
    refused: tuple[str, ...] = ()


def read_side(
    name: str, part: str = "", *, project: Folder = None, client: str | None = None, environment: str | None = None, records: int = SAMPLE_RECORDS
) -> Side:
    """Read one side. ``part`` names what is meant within it: a schema, a root element, a table; ``#`` in the name does the same.

    Raises:
        UsageError: there is no such thing, or it says nothing of fields.
    """
    place, _, pointer = name.partition("#")
    part = part or (f"#{pointer}" if pointer.startswith("/") else pointer)
    if place.startswith(("env:", "keyring:")):
        return _table(place, part, records)
    file = Path(place)
    if file.is_file():
        return _file(file, part, project, records)
    root = _root(project)
    model = _model(place, root)
    if model is not None:
        return model
    if root is not None and "/" in place and not place.startswith((".", "/")):
        events = read_stream(place, project=root, client=client, environment=environment, limit=records)
        return _sampled("stream", place.rpartition("/")[2], events)
    raise UsageError(f"There is nothing called {place!r}.", remedy=FORMS)


def _root(project: Folder) -> Path | None:
    try:
        return find_root(project)
    except UsageError:
        if project is not None:
            raise
        return None


# ---- files


def _file(file: Path, part: str, project: Folder, records: int) -> Side:
    suffix = file.suffix.lower()
    if suffix == ".xsd":
        from treaty.connectors.xsd import read_xsd

        return Side("xsd", read_xsd(file, part.lstrip("#/")))
    if suffix in SCHEMA_SUFFIXES:
        content = _parsed(file, suffix)
        if isinstance(content, Mapping) and content.get("kind") == "DataContract":
            return _contract(file)
        found = _schema(file, content, part)
        if found is not None:
            return found
        if suffix != ".json":
            raise UsageError(f"{file} is neither a data contract nor a schema.", remedy="Contracts have `kind: DataContract`; OpenAPI has `openapi`.")
    settings = _table_of(file, part.lstrip("#/")) if suffix in (*SUFFIXES, *TEXTS) else {}
    return _sampled("sample", str(settings.get("sheet") or file.stem), read_file(file, project=project, limit=records, **settings))


def _table_of(file: Path, wanted: str) -> dict[str, Any]:
    """Return how the table of a file is read: of a workbook the first, or the sheet that is named."""
    tables = find_tables(file)
    if not wanted or file.suffix.lower() in TEXTS:
        return tables[0].settings
    named = next((each.settings for each in tables if each.sheet.casefold() == wanted.casefold()), None)
    return named or {"sheet": wanted}


def _parsed(file: Path, suffix: str) -> Any:
    if suffix == ".json":
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES).lstrip(b"\xef\xbb\xbf \r\n\t")
        if not head.startswith(b"{"):
            return None
        try:
            return read_description(file)
        except UsageError:
            return None  # its reader says what is wrong with it
    return read_description(file)


def _schema(file: Path, content: Any, part: str) -> Side | None:
    from treaty.matching.schemas import find_part, is_schema, list_parts, profile_schema

    if not is_schema(content):
        return None
    parts = list_parts(content)
    described = isinstance(content.get("properties"), Mapping) or "allOf" in content or "$ref" in content or "items" in content
    chosen = part or ("" if described else parts[0] if len(parts) == 1 else None)
    found = find_part(content, chosen) if chosen is not None else None
    if found is None:
        names = [each.rpartition("/")[2] for each in parts]
        close = nearest(part.rpartition("/")[2], names) if part else None
        listed = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
        remedy = f"Did you mean {file.name}#{close}?" if close else f"Write {file.name}#NAME with one of its {len(names)} schemas: {listed or 'none'}."
        raise UsageError(f"{file} {f'has no schema {part!r}' if part else 'does not say which of its schemas is meant'}.", remedy=remedy)
    name, schema = found
    profile = profile_schema(content, name or file.stem, schema)
    if not profile.fields:
        raise UsageError(f"{file}, {name or 'the document'}: the schema has no properties.", remedy="Name a schema of an object.")
    return Side("schema", profile)


# ---- samples


def _sampled(kind: str, name: str, events: Iterable[Event]) -> Side:
    sample = collect_sample(events)
    if not sample.columns:
        raise UsageError(f"Nothing can be read of {name}{f': {sample.refused[0]}' if sample.refused else ''}.", remedy="`treaty read` shows how a file is read.")
    return Side(kind, sample.profile(name), tuple(sample.refused))


def _table(reference: str, table: str, records: int) -> Side:
    from treaty.connectors.interface import Site, StreamRequest
    from treaty.connectors.registry import open_source
    from treaty.connectors.tables.reference import connector_of
    from treaty.operations.reading import read_events
    from treaty.project.declarations import Limits, Stream, System

    if not table:
        raise UsageError(f"{reference} does not say which table is meant.", remedy=f"Write {reference}#schema.table.")
    source = open_source(System(name="reference", connector=connector_of(reference), connection={"url": reference}, streams={}), Site(Path.cwd()))
    stream = Stream(format="table", read={"table": table, "page_rows": records})
    with tempfile.TemporaryDirectory(prefix="treaty-") as spool:
        request = StreamRequest("reference", table, "main", stream, {}, {}, Limits(), {}, Path(spool))
        return _sampled("table", table.rpartition(".")[2], read_events(source.read(request), stream, records))


# ---- models


def _model(name: str, root: Path | None) -> Side | None:
    """Return a model of the project, of one of its packs, or of a shipped pack (``PACK/MODEL``, or MODEL where one pack alone has it)."""
    if root is not None and (found := _project(root).models.get(name)) is not None:
        return Side("contract", profile_properties(found.name, found.properties, found.description))
    pack, _, model = name.rpartition("/")
    packs = [pack] if pack in shipped_packs() else [] if pack else list(shipped_packs())
    files = [file for each in packs if (file := catalog_folder() / each / "models" / f"{model}.yaml").is_file()]
    if len(files) > 1:
        choices = ", ".join(f"{each.parents[1].name}/{model}" for each in files)
        raise UsageError(f"Several packs have a model {model!r}.", remedy=f"Write one of: {choices}.")
    return _contract(files[0]) if files else None


def _project(root: Path) -> Project:
    from treaty.project.loading import load_project

    return load_project(root)


def _contract(file: Path) -> Side:
    from treaty.project.contracts import read_contract
    from treaty.project.findings import Findings
    from treaty.project.yaml import parse_yaml

    findings = Findings()
    node = parse_yaml(file.read_bytes(), str(file), findings)
    contract = read_contract(node, str(file), findings) if node is not None else None
    if contract is None:
        first = next(iter(findings))
        raise UsageError(f"{first.position}: {first.message}.", remedy=first.remedy)
    return Side("contract", profile_properties(contract.name, contract.properties, contract.description))
