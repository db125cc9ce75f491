"""What the names in an OpenAPI description suggest: where the records stand, their key, how pages follow, what only grows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.matching.schemas import resolve_schema

ENVELOPES = ("data", "items", "results", "records", "value", "values", "entries", "list", "elements", "content")
BESIDE = frozenset({"errors", "warnings", "links", "included", "messages", "validationerrors", "facets", "aggregations"})
WITHIN = ("data", "result", "response", "embedded")
PAGING = ("", "links", "_links", "pagination", "paging", "meta", "page_info", "pageInfo", "response_metadata", "metadata", "page")
LAST_ID = frozenset({"startingafter", "afterid", "sinceid", "lastid"})
CURSORS = LAST_ID | {"cursor", "pagetoken", "nexttoken", "continuationtoken", "continuation", "after", "startcursor", "nextcursor", "pagecursor", "marker"}
NEXT_CURSORS = frozenset({"nextcursor", "nexttoken", "nextpagetoken", "cursor", "continuationtoken", "continuation", "endcursor", "after", "marker", "nextmarker", "next"})
NEXT_ADDRESSES = frozenset({"next", "nexturl", "nextlink", "odatanextlink", "nextpageurl", "nextpage", "nexthref"})
NUMBERS = frozenset({"page", "pagenumber", "pageno", "pagenum", "pageindex"})
OFFSETS = frozenset({"offset", "skip", "start", "startindex", "startat", "startposition"})
SIZES = frozenset({"perpage", "pagesize", "limit", "count", "top", "maxresults", "size", "pagelimit"})
SINCE = re.compile(r"(updated|modified|changed|lastmodified|lastupdated)(at|on|date)?(since|after|from|min|gte|gt)\Z|since\Z|(since|after)(updated|modified)(at)?\Z")
GROWING = re.compile(r"(last)?(updated|modified|changed)(at|on|date|time|utc|dateutc|datetime|timestamp)?\Z|(date|time)(updated|modified)\Z|lastupdate(d)?\Z")
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with its parameters by (place, name), references resolved."""

    path: str
    method: str
    told: Mapping[str, Any]
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]

    def required(self, place: str) -> list[str]:
        """Return the names that the API wants at a place."""
        return [name for (where, name), told in self.parameters.items() if where == place and told.get("required") is True]

    def given(self, name: str) -> Any:
        """Return the value that the description itself gives a parameter: its default, or the only or first of its values."""
        told = next((told for (_, each), told in self.parameters.items() if each == name), {})
        schema = told.get("schema", {})
        options = schema.get("enum")
        found = schema.get("default", schema.get("const", options[0] if isinstance(options, list) and options else None))
        return str(found).lower() if isinstance(found, bool) else found if isinstance(found, str | int | float) else None

    def queries(self, names: frozenset[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the query parameters whose plain names are among some."""
        for (place, name), told in self.parameters.items():
            if place == "query" and plain(name) in names:
                yield name, told.get("schema", {})

    def response(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the first answer of success."""
        responses = self.told.get("responses")
        known = {str(status): each for status, each in responses.items()} if isinstance(responses, Mapping) else {}
        return next((resolve_schema(content, known[each])[0] for each in ("200", "201", "2XX", "2xx", "202", "default") if each in known), {})

    def answer(self, content: Mapping[str, Any]) -> Any:
        """Return the schema of the answer of success, as JSON."""
        return _json_schema(self.response(content))

    def body(self, content: Mapping[str, Any]) -> Any:
        """Return the schema of the request's body, as JSON."""
        return _json_schema(resolve_schema(content, self.told.get("requestBody"))[0])


@dataclass(frozen=True, slots=True)
class FoundList:
    """Where the records stand in an answer (``record``), the schema of one, and of the answer; no items where there is no list."""

    record: str = ""
    items: Any = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Guess:
    """Settings as (key, value, note), parameters that go with them, and comments."""

    settings: Sequence[tuple[str, Any, str]] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def plain(name: str) -> str:
    """Return a name's letters and digits, small."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _json_schema(told: Mapping[str, Any]) -> Any:
    media = told.get("content")
    found = [each for kind, each in media.items() if "json" in str(kind) or str(kind) == "*/*"] if isinstance(media, Mapping) else []
    return found[0].get("schema") if found and isinstance(found[0], Mapping) else None


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return {str(key): each for key, each in found.items()} if isinstance(found, Mapping) else {}


def find_list(content: Mapping[str, Any], operation: Operation) -> FoundList:
    """Find the list of objects in an operation's answer."""
    answer = resolve_schema(content, operation.answer(content))[0]
    if _is_objects(content, answer):
        return FoundList("", answer["items"], answer)
    resource = plain(operation.path.rstrip("/").rpartition("/")[2])
    for prefix in ("", *(each for each in _properties(answer) if plain(each) in WITHIN)):
        holder = resolve_schema(content, _properties(answer)[prefix])[0] if prefix else answer
        properties = _properties(holder)
        if any(plain(each) in ("id", "uuid") and resolve_schema(content, told)[0].get("format") == "uuid" for each, told in properties.items()) or "id" in properties:
            continue  # a record itself
        lists = {each: found for each, told in properties.items() if "/" not in each and _is_objects(content, found := resolve_schema(content, told)[0])}
        lists = {each: found for each, found in lists.items() if plain(each) not in BESIDE}
        named = [each for each in lists if plain(each) == resource] or [each for each in ENVELOPES if each in lists]
        chosen = named[0] if named else next(iter(lists)) if len(lists) == 1 else None
        if chosen is not None:
            note = "" if len(lists) == 1 and named else f"guessed: {'the only list' if len(lists) == 1 else f'one of {len(lists)} lists'} of the answer"
            return FoundList(f"{prefix}/{chosen}".lstrip("/"), lists[chosen]["items"], answer, note)
    return FoundList(answer=answer)


def _is_objects(content: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    if "items" not in schema or "properties" in schema:
        return False
    items = resolve_schema(content, schema["items"])[0]
    return items.get("type") == "object" or "properties" in items


def guess_key(content: Mapping[str, Any], items: Any, name: str) -> tuple[str, str]:
    """Return the field that looks most like a record's key, with how it was chosen; empty where none does."""
    record = resolve_schema(content, items)[0]
    fields = [each for each, told in _properties(record).items() if FIELD.match(each) and _is_scalar(content, told)]
    singular = plain(re.sub(r"ies$", "y", name) if name.endswith("ies") else name.removesuffix("s"))
    for wanted in ("id", f"{singular}id", f"{singular}uuid", "uuid", "guid"):
        found = next((each for each in fields if plain(each) == wanted), None)
        if found:
            return found, "guessed by its name"
    required = record.get("required")
    ids = [each for each in fields if re.search(r"(ID|Id|_id|_uuid)\Z", each)]
    sure = [each for each in ids if isinstance(required, list) and each in required] or [each for each in ids if each == fields[0]]
    return (sure[0], "guessed: required or first, and ends like an id; make sure that it is unique") if sure else ("", "")


def _is_scalar(content: Mapping[str, Any], schema: Any) -> bool:
    found = resolve_schema(content, schema)[0]
    return "properties" not in found and "items" not in found and found.get("type") not in ("object", "array", "boolean")


def guess_pages(content: Mapping[str, Any], operation: Operation, found: FoundList, key: str) -> Guess:
    """Guess how one page leads to the next."""
    parameters = {name: str(schema["maximum"]) for name, schema in operation.queries(SIZES) if type(schema.get("maximum")) is int}
    cursor = next((name for name, _ in operation.queries(CURSORS)), None)
    number = next(iter(operation.queries(NUMBERS)), None)
    offset = next((name for name, _ in operation.queries(OFFSETS)), None)
    after = _find_field(content, found.answer, NEXT_CURSORS) if cursor else None
    address = _find_field(content, found.answer, NEXT_ADDRESSES)
    headers = operation.response(content).get("headers")
    settings: list[tuple[str, Any, str]] = []
    if cursor and plain(cursor) in LAST_ID and key:
        settings = [("pages", "cursor", f"guessed: {cursor} takes the last record's {key}"), ("next_field", f"{found.record}/-1/{key}".lstrip("/"), ""), ("parameter", cursor, "")]
    elif cursor and after:
        settings = [("pages", "cursor", f"guessed: the parameter {cursor}, and {after} in the answer"), ("next_field", after, ""), ("parameter", cursor, "")]
    elif address:
        settings = [("pages", "next", f"guessed: {address} in the answer is the next address"), ("next_field", address, "")]
    elif isinstance(headers, Mapping) and any(str(each).lower() == "link" for each in headers):
        settings = [("pages", "link", "guessed: the answer has a Link header")]
    elif number:
        name, schema = number
        settings = [("pages", "page", f"guessed: the parameter {name}"), ("parameter", name, "")]
        if schema.get("default", schema.get("minimum")) == 0 or plain(name) == "pageindex":
            settings.append(("first", 0, "guessed: the first page's number"))
    elif offset:
        settings = [("pages", "offset", f"guessed: the parameter {offset}"), ("parameter", offset, "")]
    elif cursor or any(True for _ in operation.queries(SIZES)):
        return Guess(parameters=parameters, notes=("The API has pages, and the description does not say how they follow: only the first is read. Write `read: pages`.",))
    return Guess(settings, parameters)


def _find_field(content: Mapping[str, Any], answer: Mapping[str, Any], names: frozenset[str]) -> str | None:
    """Return the path of a text of one of these names, at the top or where paging is told."""
    for place in PAGING:
        holder = resolve_schema(content, _properties(answer).get(place))[0] if place else answer
        for name, told in _properties(holder).items():
            if plain(name) not in names or "/" in name:
                continue
            schema = resolve_schema(content, told)[0]
            path = f"{place}/{name}".lstrip("/")
            if "href" in _properties(schema):
                return f"{path}/href"
            kinds = schema.get("type")
            if "string" in (kinds if isinstance(kinds, list) else [kinds]):
                return path
    return None


def guess_since(content: Mapping[str, Any], operation: Operation, found: FoundList) -> Guess:
    """Guess what asks for changes alone, and what in a record only grows."""
    parameter = next((name for place, name in operation.parameters if place == "query" and SINCE.match(plain(name))), None)
    if parameter:
        fields = _properties(resolve_schema(content, found.items)[0])
        growing = next((each for each in fields if GROWING.match(plain(each)) and _is_scalar(content, fields[each])), None)
        if growing:
            return Guess((("since_field", growing, f"guessed: {parameter} takes its largest value"), ("since_parameter", parameter, "")))
        return Guess(notes=(f"The parameter {parameter} may ask for changes alone; no field looks like what it takes. Write `since_field` and `since_parameter`.",))
    if any(place == "header" and name.lower() == "if-modified-since" for place, name in operation.parameters):
        return Guess(notes=("The API takes If-Modified-Since, which Treaty does not send: each run reads the whole, and skips what has not changed.",))
    return Guess()
