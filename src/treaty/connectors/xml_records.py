"""Reads XML with libxml2: each record element becomes JSON text, whatever prefixes the document calls its namespaces.

No DOCTYPE, no entities, no network. An element is an object: ``@name`` for an attribute, ``#`` for its text, and for each name of its
children a list, of one too. The record's own name is under ``@@name``.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from lxml import etree

from treaty.connectors.batches import document_batches
from treaty.connectors.exceeded import limit_exceeded
from treaty.connectors.folders import CHUNK_BYTES, Copy
from treaty.connectors.interface import Refusal, Rows
from treaty.errors import SetAsideError
from treaty.project.declarations import Limits

EXCERPT_BYTES = 200
PROLOG_BYTES = 64 * 1024
MOST_ROOT_BYTES = 1024 * 1024
MOST_NAMES = 10_000  # kept in memory; documents may make up more
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
# White space, comments, processing instructions and the XML declaration; possessive by construction: no part can begin another.
PROLOG = re.compile(rb"(?:[ \t\r\n]+|<!--(?:(?!-->).)*-->|<\?(?:(?!\?>).)*\?>)*", re.DOTALL)
ENCODING = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
ENCODINGS = re.compile(rb"^(utf-?8|us-ascii|ascii|iso-8859-\d{1,2}|latin-?1|windows-125\d|cp125\d|utf-?16(le|be)?)$", re.IGNORECASE)


def read_xml(
    copy: Copy, *, record: str, namespaces: Mapping[str, str], limits: Limits, refusals: list[Refusal], others: tuple[str, ...] = (),
    theirs: tuple[tuple[str, Mapping[str, str]], ...] = (),
) -> tuple[Rows, dict[str, str]]:  # fmt: skip
    """Return the records of an XML file and what was found out. Raises SetAsideError for the file as a whole.

    ``record`` is the name of the record element, ``prefix:name``, or a path that ends in it (``export/invoice``); ``|`` parts
    alternatives. A document without a record is refused, unless its root is among ``others`` (``*`` for any), or it holds what is
    ``theirs``: the elements, with their prefixes, that other streams take of the same file. Then it is empty.
    Refused records are appended to ``refusals`` while the records are consumed.
    """
    with copy.open() as file:
        encoding = check_prolog(file.read(PROLOG_BYTES))
    paths, names = _spelling(record, tuple(sorted(namespaces.items())))
    reader = _XmlRecords(paths, names, limits, refusals, others, tuple(_their_paths(theirs)))
    if isinstance(copy.content, bytes):
        return Rows(document_batches(reader.read_small(copy.content)), None), {"encoding": encoding}
    return Rows(document_batches(reader.read_large(copy)), None), {"encoding": encoding}


def find_root(copy: Copy) -> tuple[str, dict[str, str]]:
    """Return the root element as the document spells it, and the namespaces it declares. Raises SetAsideError."""
    with copy.open() as file:
        head = file.read(PROLOG_BYTES)
        check_prolog(head)
        parser = _parser(etree.XMLPullParser, events=("start",))
        try:
            while head:
                parser.feed(head)
                for _, root in parser.read_events():
                    local = etree.QName(root).localname
                    namespaces = {prefix or "": uri for prefix, uri in root.nsmap.items()}
                    return f"{root.prefix}:{local}" if root.prefix else local, namespaces
                if file.tell() > MOST_ROOT_BYTES:
                    raise SetAsideError("bad-xml", f"the root element does not end in the first {MOST_ROOT_BYTES} bytes.")
                head = file.read(PROLOG_BYTES)
            parser.close()
        except etree.XMLSyntaxError as error:
            raise SetAsideError("bad-xml", f"{error.msg or 'not well-formed'}.", remedy="Have it sent as well-formed XML.") from None
    raise SetAsideError("bad-xml", "the document has no element.")


def check_prolog(head: bytes) -> str:
    """Return the encoding. Raises SetAsideError where there is a DOCTYPE, or an encoding that could hide one."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\0\0\0<", b"<\0\0\0")):
        raise _bad_encoding("UTF-32")
    wide = next((codec for sign, codec in _WIDE.items() if head.startswith(sign)), None)
    if wide:
        head = head[: len(head) // 2 * 2].decode(wide, "replace").lstrip("\ufeff").encode("utf-8", "replace")
    else:
        head = head.removeprefix(b"\xef\xbb\xbf")
    declared = ENCODING.match(head)
    if declared and not ENCODINGS.match(declared.group(1)):
        raise _bad_encoding(declared.group(1).decode())
    start = PROLOG.match(head).end()  # type: ignore[union-attr]  # it matches nothing at least
    if head.startswith(b"<!", start):
        raise SetAsideError("doctype", "the document has a DOCTYPE, which Treaty never reads.", remedy="Have it sent without.")
    if start == len(head) or not head.startswith(b"<", start):
        if start >= PROLOG_BYTES - 8:
            raise SetAsideError("bad-xml", f"no element in the first {PROLOG_BYTES} bytes.")
        if not head.strip():
            raise SetAsideError("empty-file", "the file is empty.", remedy="Have it sent again.")
    return wide or (declared.group(1).decode().lower() if declared else "utf-8")


_WIDE = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}


def _bad_encoding(name: str) -> SetAsideError:
    remedy = "UTF-8, UTF-16, ISO-8859 and windows-125x are: have it sent in UTF-8."
    return SetAsideError("bad-encoding", f"XML in {name} is not read.", remedy=remedy)


class Names(dict[str, str]):
    """The names of elements and attributes as the stream's prefixes spell them, by libxml2's spelling."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        super().__init__()
        self._prefixes = {XML: "xml", XSI: "xsi", **{uri: prefix for prefix, uri in namespaces.items()}}

    def __missing__(self, tag: str) -> str:
        spelled = self._spell(tag)
        if len(self) < MOST_NAMES:
            self[tag] = spelled
        return spelled

    def _spell(self, tag: str) -> str:
        if not tag.startswith("{"):
            if ":" in tag:  # libxml2 lets it pass; it must not be taken for a prefix of the stream's
                raise SetAsideError("bad-xml", f"the prefix of {tag!r} is not declared in the document.", remedy="Have it sent as well-formed XML.")
            return tag
        uri, _, local = tag[1:].rpartition("}")
        prefix = self._prefixes.get(uri)
        if prefix is None:
            return tag
        return f"{prefix}:{local}" if prefix else local


class RecordPaths:
    """Which elements are records: the alternatives of a stream's ``record``, as libxml2 spells names."""

    def __init__(self, record: str, namespaces: Mapping[str, str]) -> None:
        self.spelled = record
        self._ancestors: dict[str, list[tuple[str, ...]]] = {}
        for alternative in record.split("|"):
            *above, name = (self._tag(step.strip(), namespaces) for step in alternative.strip().strip("/").split("/"))
            self._ancestors.setdefault(name, []).append(tuple(reversed(above)))
        self.tags = tuple(self._ancestors)

    @staticmethod
    def _tag(step: str, namespaces: Mapping[str, str]) -> str:
        prefix, _, local = step.rpartition(":")
        if step.startswith("{"):
            return step
        uri = namespaces.get(prefix, "")
        if prefix and not uri:
            message = f"the prefix {prefix!r} of the stream's `record` is not declared."
            raise SetAsideError("no-records", message, remedy="Add it to `namespaces`.")
        return f"{{{uri}}}{local}" if uri else local

    def find(self, root: Any) -> Iterator[Any]:
        """Yield the records of a document."""
        if root.tag in self.tags:
            yield root
        else:
            yield from (each for each in root.iter(*self.tags) if self.match(each))

    def match(self, element: Any) -> bool:
        """Tell whether an element with one of the tags is a record, and not within one."""
        above = [each.tag for each in element.iterancestors()]
        wanted = self._ancestors.get(element.tag, ())
        return any(tuple(above[: len(path)]) == path for path in wanted) and not any(tag in self._ancestors for tag in above)


@functools.lru_cache(maxsize=64)
def _spelling(record: str, namespaces: tuple[tuple[str, str], ...]) -> tuple[RecordPaths, Names]:
    return RecordPaths(record, dict(namespaces)), Names(dict(namespaces))


def _their_paths(theirs: tuple[tuple[str, Mapping[str, str]], ...]) -> Iterator[RecordPaths]:
    for record, namespaces in theirs:
        with contextlib.suppress(SetAsideError):  # its prefix is not declared, which that stream says itself
            yield _spelling(record, tuple(sorted(namespaces.items())))[0]


def _parser(kind: Any, **more: Any) -> Any:
    return kind(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False, **more,
    )  # fmt: skip


class _XmlRecords:
    """The records of one XML file."""

    def __init__(
        self, paths: RecordPaths, names: Names, limits: Limits, refusals: list[Refusal], others: tuple[str, ...], theirs: tuple[RecordPaths, ...]
    ) -> None:
        self._paths = paths
        self._others = others
        self._theirs = theirs
        self._names = names
        self._limits = limits
        self._refusals = refusals

    def read_small(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (ordinal from 1, payload) of a document that fits into memory; a broken one is read again as far as it goes."""
        try:
            root = etree.fromstring(data, _parser(etree.XMLParser))
        except etree.XMLSyntaxError as error:
            if error.code in _HOPELESS:
                self._refuse(0, _as_refusal(error, self._limits), data)
                return
            yield from self._read_stream(iter((data,)), data, error)
            return
        locator = 0
        for element in self._paths.find(root):
            locator += 1
            payload = self._payload(locator, element)
            if payload is not None:
                yield locator, payload
        if not locator:
            self._refuse_missing(root, data)

    def read_large(self, copy: Copy) -> Iterator[tuple[int, bytes]]:
        """Yield (ordinal from 1, payload), holding one record at a time."""
        with copy.open() as file:
            head = file.read(EXCERPT_BYTES)
        yield from self._read_stream(copy.chunks(), head)

    def _read_stream(self, chunks: Iterator[bytes], head: bytes, why: etree.XMLSyntaxError | None = None) -> Iterator[tuple[int, bytes]]:
        """Feed the parser piece by piece; elements are dropped as soon as they are done with. ``why`` is what is known to be wrong."""
        parser = _parser(etree.XMLPullParser, events=("end",), tag=list(self._paths.tags))
        locator = 0
        fed = 0
        piece_bytes = min(CHUNK_BYTES, 256 * 1024)
        try:
            for chunk in chunks:
                for start in range(0, len(chunk), piece_bytes):
                    piece = chunk[start : start + piece_bytes]
                    fed += len(piece)
                    fault = _feed(parser, piece)
                    for _, element in parser.read_events():
                        if not self._paths.match(element):
                            continue
                        if fault is not None and element.getparent() is None:
                            break  # a document that is one record is taken whole or not at all
                        locator += 1
                        fed = 0
                        payload = self._payload(locator, element)
                        if payload is not None:
                            yield locator, payload
                        _drop(element)
                    if fault is not None:
                        raise fault
                    if fed > self._limits.record_bytes + piece_bytes:
                        self._refuse(locator + 1, self._too_large(), piece)
                        return
            root = parser.close()
        except etree.XMLSyntaxError as error:
            self._refuse(locator + 1 if locator else 0, _as_refusal(why or error, self._limits), head)
            return
        if not locator:
            self._refuse_missing(root, head)

    def _payload(self, locator: int, element: Any) -> bytes | None:
        try:
            found = self._object(element, self._limits.depth)
            found = {"@@name": self._names[element.tag], **found}
            payload = orjson.dumps(found)
            if len(payload) > self._limits.record_bytes:
                raise self._too_large()
            return payload
        except SetAsideError as error:
            self._refuse(locator, error, etree.tostring(element)[:EXCERPT_BYTES])
            return None

    def _object(self, element: Any, depth: int) -> dict[str, Any]:
        if depth == 1 and len(element):
            raise limit_exceeded(self._limits, "depth", "nested deeper than")
        names = self._names
        found: dict[str, Any] = {f"@{names[name]}": value for name, value in element.items()}
        text = element.text
        texts = [text] if text and not text.isspace() else []
        for child in element:
            if not len(child):  # most are leaves: no call for them
                text = child.text
                attributes = child.items()
                below = {f"@{names[name]}": value for name, value in attributes} if attributes else {}
                if text:
                    below["#"] = text
            else:
                below = self._object(child, depth - 1)
            tag = child.tag
            if not isinstance(tag, str):
                raise SetAsideError("entity", "the document has an entity reference, which Treaty never reads.")
            name = names[tag]
            if name in found:
                found[name].append(below)
            else:
                found[name] = [below]
            tail = child.tail
            if tail and not tail.isspace():
                texts.append(tail)
        if texts:
            found["#"] = "".join(texts)
        elif text and not len(element):
            found["#"] = text
        if len(found) > self._limits.fields:
            raise limit_exceeded(self._limits, "fields", "an element has more names than")
        return found

    def _too_large(self) -> SetAsideError:
        return limit_exceeded(self._limits, "record_bytes", "the record is larger than")

    def _refuse_missing(self, root: Any, data: bytes) -> None:
        try:
            found = self._names[root.tag]
        except SetAsideError as error:
            self._refuse(0, error, data)
            return
        if found in self._others or "*" in self._others or any(next(each.find(root), None) is not None for each in self._theirs):
            return
        wanted = " or ".join(repr(each.spelled) for each in (self._paths, *self._theirs))
        message = f"{found} is not, and holds no, {wanted}."
        remedy = "Mend the stream's `record` or `namespaces`, or declare a stream for it; if nobody wants such documents, name it in `read: others`."
        self._refuse(0, SetAsideError("no-records", message, remedy=remedy), data)

    def _refuse(self, locator: int, error: SetAsideError, data: bytes) -> None:
        self._refusals.append(Refusal(locator, error.reason, str(error), data[:EXCERPT_BYTES].decode("utf-8", "replace")))


def _feed(parser: Any, piece: bytes) -> etree.XMLSyntaxError | None:
    """Feed a piece; return its fault, since records that ended before it can still be taken."""
    try:
        parser.feed(piece)
    except etree.XMLSyntaxError as error:
        return error
    return None


def _drop(element: Any) -> None:
    """Free a record and what came before it, at every level above."""
    element.clear(keep_tail=True)
    while element is not None:
        parent = element.getparent()
        if parent is not None:
            while parent[0] is not element:
                del parent[0]
        element = parent


_HOPELESS = frozenset({etree.ErrorTypes.ERR_DOCUMENT_EMPTY, etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING})


def _as_refusal(error: etree.XMLSyntaxError, limits: Limits) -> SetAsideError:
    message = (error.msg or "not well-formed").removesuffix(".")
    if "Excessive depth" in message:
        return SetAsideError("too-deep", f"{message}: deeper than the parser goes, whatever limits.depth ({limits.depth}) says.")
    if "huge" in message or "too long" in message or error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        told = "one text or name of more than the parser's own 10,000,000 bytes, whatever limits.record_bytes says"
        return SetAsideError("record-too-large", f"{message}: {told}.")
    if error.code in (etree.ErrorTypes.ERR_INVALID_ENCODING, etree.ErrorTypes.ERR_INVALID_CHAR) and "UTF" in message:
        return SetAsideError("bad-encoding", f"{message}.", remedy="The text is not what its XML declaration says.")
    return SetAsideError("bad-xml", f"{message}.", remedy="Have it sent as well-formed XML.")
