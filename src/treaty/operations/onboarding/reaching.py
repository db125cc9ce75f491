"""Takes what is not a file: a REST endpoint, a database table behind a URL reference, an OpenAPI description.

What was read of them is kept in the state folder, so that answering a question does not ask the system again.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from treaty.connectors.interface import Site, StreamRequest
from treaty.connectors.registry import open_source
from treaty.connectors.rest.looking import look_at_answer
from treaty.connectors.rest.openapi import DescribedApi, Line, snake
from treaty.connectors.tables.reference import connector_of
from treaty.connectors.tables.source import TableSource
from treaty.errors import RetryError, StopError, TreatyError, UsageError
from treaty.matching.schemas import profile_schema
from treaty.onboarding.samples import SampleStream
from treaty.operations.descriptions import describe_document
from treaty.operations.onboarding.recording import GivenSample
from treaty.operations.onboarding.taking import SAMPLE_RECORDS, ReadSample, shipped_list
from treaty.operations.reading import Event, ReadRecord, read_events
from treaty.operations.sampling import collect_sample
from treaty.project.declarations import Limits, Stream, System
from treaty.project.findings import suggest
from treaty.project.loading import Project

HOSTS = frozenset({"api", "www", "rest", "data", "app"})
Descriptions: TypeAlias = dict[str, tuple[Mapping[str, Any], DescribedApi]]
"""Parsed descriptions by the file that is kept of each."""
DEEPEST = 2
"""Names in a path of a description: what an object holds deeper belongs to records of other lists."""
ADDRESS = re.compile(r"[0-9.]+\Z")


def is_endpoint(sample: str) -> bool:
    """Whether a sample is the address of an API."""
    return sample.startswith(("https://", "http://"))


def is_reference(sample: str) -> bool:
    """Whether a sample is a secret reference that holds a database's URL."""
    return sample.startswith(("env:", "keyring:"))


def is_description(sample: str) -> bool:
    """Whether a sample is a file with an OpenAPI description."""
    file = Path(sample.partition("#")[0]).expanduser()
    if file.suffix.lower() not in (".json", ".yaml", ".yml") or not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(4096)
    return re.search(rb"""(?m)^\s*\{?\s*["']?openapi["']?\s*:""", head) is not None


# ---- a REST endpoint


def take_endpoint(
    root: Path, state: Path, client: str, system: str | None, address: str, secret: str | None, at: datetime, project: Project
) -> GivenSample:  # fmt: skip
    """Ask an API once how it answers, and then for its first records; objects that a pack maps are of the pack's own system.

    Raises:
        UsageError: it cannot be reached, or its answer holds no list of objects.
    """
    parts = urlsplit(address)
    above, _, path = parts.path.rstrip("/").rpartition("/")
    if not path or not parts.hostname:
        raise UsageError(f"{address} is no address of a list.", remedy="Name the whole address of a list, as https://api.example.com/v1/customers.")
    name = system or _system_name(parts.hostname)
    connection: dict[str, Any] = {"url": f"{parts.scheme}://{parts.netloc}{above}"}
    if secret:
        connection |= {"auth": "bearer", "secret": secret}
    read: dict[str, Any] = {"path": path}
    if parts.query:
        read["parameters"] = dict(parse_qsl(parts.query))
    whole = _read(root, name, "rest", connection, {"format": "json", "read": read}, limit=1)
    answer = json.loads(whole[0].text) if whole else None
    seen = look_at_answer(answer, path)
    if seen is None:
        raise UsageError(f"{address} answers with no list of objects.", remedy="Name the address of a list; `treaty init --from-openapi` reads a description.")
    settings: dict[str, Any] = {"format": "json", **({"record": seen.record} if seen.record else {}), "read": {**read, **seen.pages}}
    stream = snake(path) or "records"
    records = _read(root, name, "rest", connection, settings)
    shipped = shipped_list(collect_sample(records), project)
    if shipped:
        name, _, stream = shipped.partition("/")
    return _given(state, client, name, stream, address, "rest", connection, settings, records, at, shipped)


def _system_name(host: str) -> str:
    if ADDRESS.match(host):
        return "api"
    names = [each for each in host.split(".")[:-1] if each not in HOSTS]
    return snake(names[-1]) if names else snake(host.split(".")[0]) or "api"


# ---- a table


def take_tables(root: Path, state: Path, client: str, system: str | None, sample: str, at: datetime) -> Iterator[GivenSample]:
    """Read the table that ``env:URL#schema.table`` names, or each table of ``env:URL``, and yield it.

    Raises:
        UsageError: the database cannot be reached, or has no such table.
    """
    reference, _, table = sample.partition("#")
    name = system or "database"
    connection = {"url": reference}
    connector = connector_of(reference)
    source = open_source(System(name=name, connector=connector, connection=connection, streams={}), Site(root))
    assert isinstance(source, TableSource), connector
    there = [each.name for each in source.discover()] if not table or "." not in table else []
    tables = [each for each in there if table in ("", *each.split("."))] if there else [table] if table else []
    if not tables:
        told = f"{table!r} among the tables" if table else "tables"
        raise UsageError(f"{reference} has no {told} that this user may read.", remedy=suggest(table, there, "Name one: env:URL#schema.table."))
    for each in tables:
        settings: dict[str, Any] = {"format": "table", "read": {"table": each}}
        records = _read(root, name, connector, connection, {**settings, "read": {"table": each, "page_rows": SAMPLE_RECORDS}})
        settings["key"] = list(source.describe(each).key)
        yield _given(state, client, name, snake(each.rpartition(".")[2]) or "records", f"{reference}#{each}", "table", connection, settings, records, at)


# ---- an OpenAPI description


def take_description(root: Path, client: str, system: str | None, sample: str, at: datetime, known: Descriptions) -> Iterator[GivenSample]:
    """Copy a description beside the client's record, and yield each of its lists, or the one that ``FILE#LIST`` names; it is among the ``known`` then.

    Raises:
        UsageError: it describes no lists, or none of that name.
    """
    place, _, wanted = sample.partition("#")
    file = Path(place).expanduser()
    name, content, api = describe_document(file, system)
    kept = root / "clients" / client / f"{name}.openapi{file.suffix.lower()}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(file.read_bytes())
    known[kept.relative_to(root).as_posix()] = (content, api)
    names = [each.name for each in api.streams if wanted in ("", each.name)]
    if not names:
        raise UsageError(f"{file} has no list {wanted!r}.", remedy=suggest(wanted, [each.name for each in api.streams], "Name one of its lists."))
    for each in names:
        yield GivenSample(name, "openapi", f"{kept.relative_to(root).as_posix()}#{each}", at)


def read_described(root: Path, samples: list[GivenSample], known: Descriptions) -> Iterator[ReadSample]:
    """Read the lists of descriptions that were kept; what is known of their fields is what the description says.

    ``known`` are those that were read already, and gets those that are read now.
    """
    for each in samples:
        file, _, stream = each.place.partition("#")
        if file not in known:
            _, content, api = describe_document(root / file, each.system)
            known[file] = (content, api)
        content, api = known[file]
        described = next(one for one in api.streams if one.name == stream)
        settings = {**_settings(described.settings), "read": _settings(described.read)}
        key = settings.pop("key", ())
        seen = profile_schema(content, stream, described.items)
        profile = replace(seen, fields=tuple(replace(one, key=one.path in key) for one in seen.fields if one.path.count("/") < DEEPEST))
        lists = frozenset(path for path in (one.path.rpartition("/")[0] for one in profile.fields if one.repeated) if path)
        yield ReadSample(SampleStream(each.system, stream, "rest", _settings(api.connection), settings, profile, {}, lists), ())


def _settings(lines: Any) -> dict[str, Any]:
    told: list[Line] = list(lines)
    return {each.key: each.value for each in told}


# ---- records that were read


def _given(
    state: Path, client: str, system: str, stream: str, place: str, kind: str, connection: Mapping[str, Any], settings: Mapping[str, Any],
    records: list[ReadRecord], at: datetime, shipped: str = "",
) -> GivenSample:  # fmt: skip
    file = _kept(state, client, system, stream)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{each.text}\n" for each in records), encoding="utf-8")
    known = {"shipped": shipped} if shipped else {}
    return GivenSample(system, kind, place, at, {"stream": stream, "connection": dict(connection), "settings": dict(settings), **known})


def read_reached(root: Path, state: Path, client: str, samples: list[GivenSample]) -> Iterator[ReadSample]:
    """Read what was kept of APIs and tables; what is not kept here is asked for again."""
    for each in samples:
        stream, connection = each.settings["stream"], each.settings["connection"]
        settings = {name: value for name, value in each.settings["settings"].items() if name != "key"}
        key = tuple(each.settings["settings"].get("key") or ())
        connector = "rest" if each.kind == "rest" else connector_of(connection["url"])
        file = _kept(state, client, each.system, stream)
        if not file.is_file():
            records = _read(root, each.system, connector, connection, settings)
            _given(state, client, each.system, stream, each.place, each.kind, connection, settings, records, each.at)
        lines = file.read_text(encoding="utf-8").splitlines()
        sample = collect_sample(ReadRecord(each.place, number, line) for number, line in enumerate(lines, 1))
        profile = sample.profile(stream)
        shipped = str(each.settings.get("shipped") or "")
        taken = SampleStream(each.system, stream, connector, connection, settings, profile, sample.values(), frozenset(sample.lists), shipped, key)
        yield ReadSample(taken, (_content(lines, settings),))


def _content(lines: list[str], settings: Mapping[str, Any]) -> bytes:
    """Return records as the dry run pastes them: rows of a table one a line, records of an API in its own envelope."""
    if settings["format"] == "table":
        return "\n".join(lines).encode()
    document: Any = [json.loads(each) for each in lines]
    for name in reversed(str(settings.get("record") or "").split("/")):
        document = {name: document} if name else document
    return json.dumps(document, ensure_ascii=False).encode()


def _kept(state: Path, client: str, system: str, stream: str) -> Path:
    return state / "onboarding" / client / f"{system}.{stream}.jsonl"


def _read(root: Path, system: str, connector: str, connection: Mapping[str, Any], settings: Mapping[str, Any], limit: int = SAMPLE_RECORDS) -> list[ReadRecord]:
    stream = Stream(**settings)
    place = System(name=system, connector=connector, connection=connection, streams={"sample": stream})
    with tempfile.TemporaryDirectory(prefix="treaty-") as spool:
        request = StreamRequest(system, "sample", "main", stream, {}, {}, Limits(), {}, Path(spool))
        try:
            events: list[Event] = list(read_events(open_source(place, Site(root)).read(request), stream, limit))
        except (StopError, RetryError) as error:
            raise _unreachable(system, error) from error
    return [each for each in events if isinstance(each, ReadRecord)]


def _unreachable(system: str, error: TreatyError) -> UsageError:
    return UsageError(f"Nothing can be read of {system}: {error.message}", remedy=error.remedy or "Mend what it says, and onboard again.")

