"""Takes what a client gave: files are copied into the client's inbox, and everything is read into samples."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from treaty.errors import UsageError
from treaty.onboarding.earlier import looked_up, read_paths
from treaty.onboarding.encodings import guess_encoding
from treaty.onboarding.samples import SampleStream
from treaty.operations.onboarding.recording import GivenSample
from treaty.operations.onboarding.tables import find_tables
from treaty.operations.reading import Event, ReadArrival, ReadRefusal, read_file
from treaty.operations.sampling import Sample, collect_sample
from treaty.project.declarations import EntityMapping, Stream
from treaty.project.formats import shape_of_format
from treaty.project.loading import Project

SAMPLE_RECORDS = 1000
REHEARSED_BYTES = 4_000_000
RECOGNISED_RECORDS = 100
RECOGNISED_SHARE = 0.6
"""So much of what a mapping reads must be in a file that is taken for its stream's."""
LEAST_PATHS = 5
ENCODED_BYTES = 1_000_000
DEFAULTS = {"delimiter": ",", "quote": '"', "encoding": "utf-8"}
DATED = re.compile(r"(?:[-_. ]*\d+)+\Z")


@dataclass(frozen=True, slots=True)
class ReadSample:
    """A stream with the contents that the dry run reads, and what could not be read."""

    stream: SampleStream
    contents: tuple[bytes, ...]
    refused: tuple[str, ...] = ()


def take_files(root: Path, client: str, system: str | None, place: Path, project: Project, at: datetime) -> Iterator[GivenSample]:
    """Copy a file, or the files of a folder, into the client's inbox, and yield each.

    Raises:
        UsageError: there is nothing of the kind, or the folder is empty.
    """
    files = sorted(each for each in place.iterdir() if each.is_file() and not each.name.startswith(".")) if place.is_dir() else [place]
    if not files:
        raise UsageError(f"{place} holds no files.", remedy="Name a folder with files in it, or a file.")
    for file in files:
        shipped = _shipped(file, project)
        name = shipped.partition("/")[0] or system or "files"
        target = _within(root, file) or root / "inbox" / client / name / file.name
        if target != file.resolve():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        yield GivenSample(name, "file", target.relative_to(root).as_posix(), at, {"shipped": shipped} if shipped else {})


def _within(root: Path, file: Path) -> Path | None:
    resolved = file.resolve()
    inside = resolved.is_relative_to(root) and len(resolved.relative_to(root).parts) > 2
    return resolved if inside else None


def read_files(root: Path, samples: Iterable[GivenSample], project: Project) -> Iterator[ReadSample]:
    """Read the files that were given as streams: those of one system whose names differ by a date or a number are one."""
    groups: dict[tuple[str, str], list[GivenSample]] = {}
    for each in samples:
        name = str(each.settings.get("shipped", "")) or f"{each.system}/{_stream_name(Path(each.place))}"
        groups.setdefault((each.system, name), []).append(each)
    bases = [_base(Path(each[0].place)) for each in groups.values()]
    for (system, name), given in groups.items():
        files = [root / each.place for each in given]
        folder = Path(given[0].place).parent.as_posix()
        if given[0].settings.get("shipped"):
            yield _read_shipped(system, name, folder, files, project)
        else:
            base = _base(files[0])
            alone = sum(other.startswith(base) for other in bases) == 1
            pattern: Any = f"{base}*{_suffix(files[0])}" if alone else [each.name for each in files]
            for table in find_tables(files[0]):
                yield _read_group(system, name.partition("/")[2] + table.suffix, folder, files, {"files": pattern, **table.settings})


def _read_shipped(system: str, name: str, folder: str, files: list[Path], project: Project) -> ReadSample:
    declared = project.systems[system].streams[name.partition("/")[2]].read.get("files", ())
    patterns = [declared] if isinstance(declared, str) else list(declared)
    unnamed = [each.name for each in files if not any(fnmatchcase(each.name, pattern) for pattern in patterns)]
    settings = {"read": {"files": [*patterns, *unnamed]}} if unnamed else {}
    sample = collect_sample(event for file in files[:SAMPLE_RECORDS] for event in read_file(file, limit=SAMPLE_RECORDS))
    profile = sample.profile(name)
    stream = SampleStream(system, name.partition("/")[2], "files", {"folder": folder}, settings, profile, {}, frozenset(), shipped=name)
    return ReadSample(stream, tuple(_head(file) for file in files[:SAMPLE_RECORDS]), tuple(sample.refused))


def _read_group(system: str, name: str, folder: str, files: list[Path], told: Mapping[str, Any]) -> ReadSample:
    events, encoding = _events(files, {name: value for name, value in told.items() if name != "files"})
    sample = collect_sample(events)
    if not sample.columns:
        refused = f": {sample.refused[0]}" if sample.refused else ""
        raise UsageError(f"Nothing can be read of {files[0]}{refused}", remedy="`treaty read` shows how a file is read; --system and a name of its own keep it apart.")
    arrival = sample.arrivals[0]
    settings: dict[str, Any] = {"format": arrival.format}
    if arrival.record:
        settings["record"] = arrival.record
    if arrival.namespaces and arrival.format == "xml":
        settings["namespaces"] = dict(arrival.namespaces)
    read = {key: value for key, value in arrival.details.items() if key in DEFAULTS and value != DEFAULTS[key] and arrival.format == "csv"}
    if encoding:
        read["encoding"] = encoding
    settings["read"] = {**told, **read}
    return ReadSample(_stream(system, name, "files", {"folder": folder}, settings, sample), tuple(_head(each) for each in files), tuple(sample.refused))


def _stream(system: str, name: str, connector: str, connection: Mapping[str, Any], settings: Mapping[str, Any], sample: Sample) -> SampleStream:
    return SampleStream(system, name, connector, connection, settings, sample.profile(name), sample.values(), frozenset(sample.lists))


def _events(files: list[Path], told: Mapping[str, Any]) -> tuple[list[Event], str]:
    """Read the files; where they are no UTF-8, as Windows writes the text of some country. Return the encoding where it must be told."""
    events = _read(files, told)
    if any(isinstance(each, ReadRefusal) and each.reason == "bad-encoding" for each in events):
        guess = guess_encoding(b"".join(_start(each) for each in files[:SAMPLE_RECORDS]))
        again = _read(files, {**told, "encoding": guess})
        if not any(isinstance(each, ReadRefusal) and each.reason == "bad-encoding" for each in again):
            return again, guess
    return events, ""


def _read(files: list[Path], settings: Mapping[str, Any]) -> list[Event]:
    left, found = SAMPLE_RECORDS, []
    for file in files:
        events = list(read_file(file, limit=left, **settings))
        found += events
        left -= sum((isinstance(each, ReadArrival) and each.records) or 0 for each in events)
        if left <= 0:
            break
    return found


def _start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(ENCODED_BYTES)


def _head(file: Path) -> bytes:
    """Return the content for the dry run: whole records of a large file of lines."""
    with file.open("rb") as opened:
        content = opened.read(REHEARSED_BYTES + 1)
    if len(content) <= REHEARSED_BYTES or file.suffix.lower() not in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson"):
        return content if len(content) <= REHEARSED_BYTES else file.read_bytes()
    return content[: content.rindex(b"\n") + 1]


# ---- documents that a pack reads


def _shipped(file: Path, project: Project) -> str:
    """Return the stream ``system/stream`` of the project's standard that reads a document; empty where none does.

    XML is known by its root element, EDIFACT and X12 by their format, JSON and tables by the paths that the standard's mapping reads.
    """
    mapped = _mapped(project)
    known = _known_streams(project)
    if not known:
        return ""
    sample = collect_sample(read_file(file, limit=RECOGNISED_RECORDS))
    arrival = sample.arrivals[0] if sample.arrivals else None
    alike = [(place, stream) for place, stream in known if arrival is not None and stream.format == arrival.format]
    for place, stream in alike:
        if stream.format in ("edifact", "x12") or _expanded(stream.record, stream.namespaces) == _expanded(arrival.record, arrival.namespaces) != ("", ""):  # type: ignore[union-attr]
            return place
    return _most_alike([place for place, stream in alike if stream.format not in ("xml", "edifact", "x12")], mapped, sample)


def shipped_list(sample: Sample, project: Project) -> str:
    """Return the stream of the project's standard whose objects a list of an API has, by the paths that its mapping reads; empty where none is.

    What a mapping looks up in other lists of the same system would have to be given too, so such a mapping reads none.
    """
    mapped = _mapped(project)
    known = [place for place, stream in _known_streams(project) if stream.format is not None and shape_of_format(stream.format) == "json"]
    alone = [place for place in known if not any(each.startswith(f"{place.partition('/')[0]}/") for each in looked_up(mapped[place]))]
    return _most_alike(alone, mapped, sample)


def _mapped(project: Project) -> Mapping[str, EntityMapping]:
    return {each.from_: each for each in project.mappings.values() if each.inbound}


def _known_streams(project: Project) -> list[tuple[str, Stream]]:
    """Return the streams of files that a mapping of the standard reads, by ``system/stream``."""
    mapped = _mapped(project)
    return [
        (f"{system.name}/{name}", stream) for system in project.systems.values() if system.connector == "files" for name, stream in system.streams.items()
        if f"{system.name}/{name}" in mapped
    ]  # fmt: skip


def _most_alike(places: Iterable[str], mapped: Mapping[str, EntityMapping], sample: Sample) -> str:
    best = max(((_share(read_paths(mapped[place]), sample.columns), place) for place in places), default=(0.0, ""))
    return best[1] if best[0] >= RECOGNISED_SHARE else ""


def _share(paths: frozenset[str], columns: Mapping[str, Any]) -> float:
    """Return how much of what a mapping reads is in a sample; nothing where that is too little to tell one stream from another."""
    common = sum(path in columns for path in paths)
    return common / len(paths) if common >= LEAST_PATHS else 0.0


def _expanded(name: str | None, namespaces: Mapping[str, str]) -> tuple[str, str]:
    """Return the namespace and the local name of an element; nothing where it has no namespace."""
    prefix, _, local = (name or "").rpartition(":")
    namespace = namespaces.get(prefix, "")
    return (namespace, local) if namespace else ("", "")


# ---- names


def _suffix(file: Path) -> str:
    suffixes = file.suffixes[-2:] if file.suffix.lower() in (".gz", ".zst") else file.suffixes[-1:]
    return "".join(suffixes)


def _base(file: Path) -> str:
    stem = file.name.removesuffix(_suffix(file))
    return DATED.sub("", stem) or stem


def _stream_name(file: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _base(file).lower()).strip("_") or "records"
