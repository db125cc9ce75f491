"""Descriptions of other systems (OpenAPI, JSON Schema): read within their own limit, and written as a system file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.errors import UsageError

if TYPE_CHECKING:
    from treaty.connectors.rest.openapi import DescribedApi, DescribedStream, Line

MOST_BYTES = 32_000_000
"""Of a description. Project files are written by people and have a smaller limit."""
MOST_NODES = 2_000_000
"""Of a description whose aliases are written out: few lines of them can stand for a flood."""
ANCHOR = re.compile(r"(?m)(^|[\s\[{,])&[^\s,\[\]{}]+")
SYSTEM_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*\Z")
WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


@dataclass(frozen=True, slots=True)
class DescribedSystem:
    """A system file that is not written yet: its name and text, its streams, and what was left out."""

    name: str
    text: str
    streams: tuple[str, ...]
    left_out: tuple[str, ...]


def read_description(file: Path) -> Any:
    """Read a JSON or YAML document that others wrote. Raises UsageError where it is too large, or neither."""
    import yaml

    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file} is larger than {MOST_BYTES:,} bytes.", remedy="Cut out what is not needed.")
        text = file.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("{"):
            try:
                return json.loads(text)
            except ValueError:
                if file.suffix.lower() == ".json":
                    raise
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if ANCHOR.search(text) and is_flood(yaml.parse(text, Loader=loader)):
            raise UsageError(
                f"{file} has aliases (*NAME) that stand for themselves, or for more than {MOST_NODES:,} values in all.", remedy="Write the values out, or use $ref."
            )
        return yaml.load(text, Loader=loader)  # noqa: S506  a safe loader
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}).", remedy="Name a file that is there.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        kind = "JSON" if file.suffix.lower() == ".json" else "YAML"
        raise UsageError(f"{file} cannot be read as {kind}: {' '.join(str(error).split())[:200]}.", remedy="Mend it, or name another file.") from None


def is_flood(events: Iterable[Any]) -> bool:
    """Whether the aliases of a YAML document, each written out, come to more than ``MOST_NODES`` values, or one holds itself."""
    import yaml

    sizes: dict[str, int] = {}
    around: list[tuple[str | None, int]] = []  # the anchor of each list or object that is open, and the values before it
    count = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                return True
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            around.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent):
            anchor, before = around.pop() if isinstance(event, yaml.CollectionEndEvent) else (event.anchor, count)
            count += isinstance(event, yaml.ScalarEvent)
            if anchor is not None:
                sizes[anchor] = count - before
        if count > MOST_NODES:
            return True
    return False


def describe_system(file: Path, name: str | None) -> DescribedSystem:
    """Return the REST system that an OpenAPI description tells of. Raises UsageError where it is none, or offers no list."""
    chosen, content, api = describe_document(file, name)
    info = content.get("info")
    title = str(info.get("title", "")) if isinstance(info, Mapping) else ""
    return DescribedSystem(chosen, _render(api, title or file.name), tuple(each.name for each in api.streams), api.left_out)


def describe_document(file: Path, name: str | None) -> tuple[str, Mapping[str, Any], DescribedApi]:
    """Return a system's name, the parsed OpenAPI document, and what it offers. Raises UsageError where it is none, or offers no list."""
    from treaty.connectors.rest.openapi import describe_api, snake

    content = read_description(file)
    if not isinstance(content, Mapping) or not str(content.get("openapi", "")).startswith("3."):
        older = isinstance(content, Mapping) and "swagger" in content
        remedy = "Convert it from Swagger 2 to OpenAPI 3 first." if older else "It begins with `openapi: 3.`."
        raise UsageError(f"{file} is no OpenAPI 3 description.", remedy=remedy)
    info = content.get("info")
    title = str(info.get("title", "")) if isinstance(info, Mapping) else ""
    chosen = name or snake(re.sub(r"(?i)\bapi\b", "", title)) or snake(file.stem) or "api"
    if not SYSTEM_NAME.match(chosen):
        raise UsageError(f"{chosen!r} is no name of a system.", remedy="Write --system with a small letter first, then small letters, digits, _ and -.")
    api = describe_api(content, chosen)
    if not api.streams:
        told = f" Left out: {'; '.join(api.left_out[:5])}." if api.left_out else ""
        raise UsageError(f"{file} describes no GET that answers with a list of objects.{told}", remedy="Write the system by hand: docs/rest.md.")
    return chosen, content, api


def _render(api: DescribedApi, title: str) -> str:
    lines = [f"# {_one_line(title)}: written by `treaty init --from-openapi`. What is guessed says so; mend it, for it is yours now.", "connector: rest", "connection:"]
    lines += _lines(api.connection, 2)
    lines.append("streams:")
    for stream in api.streams:
        lines += _stream(stream)
    lines += [f"# Left out: {_one_line(each)}" for each in api.left_out]
    return "\n".join(lines) + "\n"


def _stream(stream: DescribedStream) -> Iterator[str]:
    yield f"  {stream.name}:"
    yield f"    # {_one_line(stream.about)}"
    yield from (f"    # {_one_line(note)}" for note in stream.notes)
    yield from _lines(stream.settings, 4)
    for place, settings in (("read", stream.read), ("write", stream.write)):
        if settings:
            yield f"    {place}:"
            yield from _lines(settings, 6)


def _lines(settings: Iterable[Line], indent: int) -> Iterator[str]:
    for each in settings:
        note = f"  # {_one_line(each.note)}" if each.note else ""
        yield f"{' ' * indent}{each.key}: {_flow(each.value)}{note}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if PLAIN.match(text) and text.lower() not in WORDS:
        return text
    return json.dumps("".join(each if each.isprintable() else " " for each in text), ensure_ascii=False)


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in " ".join(text.split()))[:240]
