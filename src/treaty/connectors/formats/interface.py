"""What a format is: the settings it takes, and how its bytes become records.

A module of a format is light, since ``treaty check`` loads it for its settings; what parses is imported when something is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from treaty.connectors.interface import Connector, CsvScan, Refusal, Rows
from treaty.errors import StopError
from treaty.project.declarations import Limits, Stream, declared
from treaty.project.formats import FORMATS, StreamFormat

if TYPE_CHECKING:
    from treaty.connectors.folders import Copy


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another stream of the same system that reads the same file, in this format or one that shares files with it, and what it says of it."""

    stream: Stream
    settings: Any  # an instance of the format's declaration


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format may know while it reads one file, and where it says what it refused."""

    stream: Stream
    limits: Limits
    spool: Path  # a folder of this file's own for what is made beside it; removed when the next file is asked for
    refusals: list[Refusal]  # of single records, appended while the records are consumed
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)  # closed when the next file is asked for
    siblings: tuple[Sibling, ...] = ()  # what is theirs is left to them, not refused


Records: TypeAlias = tuple[CsvScan | Rows, Mapping[str, str]]  # and what was found out: encoding, dialect, sheet …


@dataclass(frozen=True, slots=True)
class FileFormat:
    """One format.

    ``read`` gets the bytes and its settings. It raises SetAsideError where the file as a whole cannot be read, and appends to
    ``reading.refusals`` what it refuses of it; it never lets another error of a parser out. ``check`` says what is wrong with a
    stream's settings before anything is read, as (message, remedy) pairs. ``complete`` is asked where a file is read without a
    project: it returns the stream with what the file itself tells of ``record`` and ``namespaces``; it raises as ``read`` does.
    ``shares`` names other formats whose streams may read the same files: those files are left to them that are theirs.
    """

    settings: type
    read: Callable[[Copy, Any, Reading], Records]
    check: Callable[[Any, Stream], Sequence[tuple[str, str]]] = lambda settings, stream: ()
    complete: Callable[[Copy, Stream], Stream] = lambda copy, stream: stream
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSettings:
    """Settings of formats that are text and nothing more."""

    encoding: str | None = declared("the text's encoding; else its byte order mark tells, else it is UTF-8", default=None, example="cp1252")


def check_encoding(encoding: str | None) -> list[tuple[str, str]]:
    """Return what is wrong with a declared encoding."""
    from treaty.connectors.encodings import known_encoding

    if encoding and known_encoding(encoding) is None:
        return [(f"there is no text encoding {encoding!r}.", "Write one as Python names it, such as cp1252 or utf-16.")]
    return []


def load_format(name: str, place: str) -> FileFormat:
    """Return a format by its name. Raises StopError where no file has it; ``place`` says who asked."""
    found = FORMATS.get(name)
    if found is None or found.module is None:
        raise StopError(f"{place}: files have no format `{name}`.", remedy=f"Write one of {', '.join(file_formats())}.")
    return _load(found)


@functools.cache
def _load(found: StreamFormat) -> FileFormat:
    module = importlib.import_module(f"treaty.connectors.formats.{found.module}")
    loaded = module.FORMAT
    assert isinstance(loaded, FileFormat), f"{module.__name__}.FORMAT is a FileFormat"
    return loaded


def file_formats() -> tuple[str, ...]:
    """Return the names of the formats that files have."""
    return tuple(name for name, each in FORMATS.items() if each.module is not None)


def read_settings(connector: Connector, format: str) -> type | None:
    """Return the declaration of a connector's ``read`` for streams of one format; None where it is no source."""
    if connector.read is None or format not in connector.formats:
        return connector.read
    return joined_settings(connector.read, format)


@functools.cache
def joined_settings(declaration: type, name: str) -> type:
    """Return one declaration with the settings of ``declaration`` and of a format, so that all are checked together."""
    found = FORMATS.get(name)
    if found is None or found.module is None:
        return declaration
    parts = (declaration, _load(found).settings)
    fields = [(each.name, typing.get_type_hints(part)[each.name], _field_again(each)) for part in parts for each in dataclasses.fields(part)]
    return dataclasses.make_dataclass(declaration.__name__, fields, frozen=True, kw_only=True)


def part_of(declaration: type, joined: Any) -> Any:
    """Return the settings of one declaration out of joined ones."""
    return declaration(**{each.name: getattr(joined, each.name) for each in dataclasses.fields(declaration)})


def _field_again(each: dataclasses.Field[Any]) -> Any:
    if each.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=each.default_factory, metadata=each.metadata)
    return dataclasses.field(default=each.default, metadata=each.metadata)
