"""What an OpenAPI description tells of a JSON API, as the settings of a system; what it does not tell is guessed with a note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from treaty.connectors.rest.guesses import Operation, find_list, guess_key, guess_pages, guess_since
from treaty.matching.schemas import resolve_schema

VERSION = re.compile(r"(api|rest|v[0-9]+([._][0-9]+)*)\Z", re.IGNORECASE)
OWN_HEADERS = frozenset({"authorization", "accept", "content-type", "host", "content-length"})
PLACEHOLDER = "https://api.example.com"


class Line(NamedTuple):
    """A setting with the comment beside it."""

    key: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class DescribedStream:
    """One list operation as a stream: its settings, and comments that belong to none of them."""

    name: str
    about: str
    notes: Sequence[str]
    settings: Sequence[Line]
    read: Sequence[Line]
    write: Sequence[Line]
    items: Any = None  # the schema of a record


@dataclass(frozen=True, slots=True)
class DescribedApi:
    """A whole API: how it is reached, its streams, and which list operations are none, with the reason."""

    connection: Sequence[Line]
    streams: Sequence[DescribedStream]
    left_out: tuple[str, ...]


def snake(text: str) -> str:
    """Return a text as a name: small letters and digits, parted by ``_``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")[:60].lstrip("0123456789_")


def describe_api(content: Mapping[str, Any], name: str) -> DescribedApi:
    """Return what an OpenAPI 3 document offers to a system called ``name``; references within the document alone are followed."""
    streams: list[DescribedStream] = []
    left_out: list[str] = []
    headers: dict[str, Line] = {}
    operations: list[Operation] = []
    connection = [*_address(content), *_auth(content, name)]
    secret_name = next((each.value for each in connection if each.key == "name"), "")
    paths = content.get("paths")
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        found = _operation(content, str(path), item, "get")
        if found is None or "{" in found.path:
            continue
        missing = [each for each in found.required("query") if found.given(each) is None and each != secret_name]
        if not find_list(content, found).items:
            left_out.append(f"GET {path}: its answer is no list of objects, or one of several")
        elif missing:
            left_out.append(f"GET {path}: it needs the parameter {missing[0]!r}")
        else:
            operations.append(found)
            for header in found.required("header"):
                if header.lower() not in OWN_HEADERS | {str(secret_name).lower()}:
                    value = found.given(header)
                    reference = f"env:{snake(name).upper()}_{snake(header).upper()}"
                    headers[header] = Line(header, str(value) if value is not None else reference)
    names = _names([each.path for each in operations])
    for operation in operations:
        streams.append(_stream(content, operation, names[operation.path], str(secret_name)))
    if headers:
        connection.append(Line("headers", {each.key: each.value for each in headers.values()}, "the API wants these with every list"))
    return DescribedApi(connection, streams, tuple(left_out))


def _operation(content: Mapping[str, Any], path: str, item: Any, method: str) -> Operation | None:
    shared = resolve_schema(content, item)[0]
    own = shared.get(method)
    if not isinstance(own, Mapping):
        return None
    parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in (*_listed(shared.get("parameters")), *_listed(own.get("parameters"))):
        found = resolve_schema(content, each)[0]
        parameters[(str(found.get("in")), str(found.get("name")))] = {**found, "schema": resolve_schema(content, found.get("schema"))[0]}
    return Operation(path, method, own, parameters)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(paths: Sequence[str]) -> dict[str, str]:
    """Name each path by its last step, by more of them where two would be called the same."""
    names: dict[str, str] = {}
    for path in paths:
        steps = [name for step in path.split("/") if not VERSION.match(step) and (name := snake(step))] or ["records"]
        options = ["_".join(steps[-count:]) for count in range(1, len(steps) + 1)]
        options += [f"{options[-1]}_{number}" for number in range(2, len(paths) + 2)]
        taken = set(names.values())
        names[path] = next(each for each in options if each not in taken)
    return names


# ---- how the API is reached


def _address(content: Mapping[str, Any]) -> Iterator[Line]:
    servers = [each for each in _listed(content.get("servers")) if isinstance(each, Mapping)]
    server = next((each for each in servers if str(each.get("url", "")).startswith("https:")), servers[0] if servers else {})
    url, note = str(server.get("url") or ""), ""
    variables = server.get("variables")
    for variable, told in variables.items() if isinstance(variables, Mapping) else ():
        default = str(told.get("default", "")) if isinstance(told, Mapping) else ""
        url, note = url.replace(f"{{{variable}}}", default), f"guessed: {{{variable}}} has its default {default!r}"
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and not set("{}?# ") & set(url)
    except ValueError:
        plain = False
    if not plain:
        below = url if url.startswith("/") and not set("{}?# ") & set(url) else ""
        yield Line("url", (PLACEHOLDER + below).rstrip("/"), "the description does not say the host: write it")
        return
    if len(servers) > 1:
        note = note or f"guessed: the first over https of {len(servers)} servers"
    if parts.scheme == "http":
        note = "plain http is taken on private networks alone: see docs/rest.md"
    yield Line("url", url.rstrip("/"), note)


def _auth(content: Mapping[str, Any], name: str) -> Iterator[Line]:
    """Choose the scheme that the description asks for first and that a program can use by itself."""
    components = content.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
    known = {str(key): resolve_schema(content, each)[0] for key, each in schemes.items()} if isinstance(schemes, Mapping) else {}
    wanted = [str(key) for each in _listed(content.get("security")) if isinstance(each, Mapping) for key in each if key in known]
    variable = snake(name).upper()
    options = [(known[key], tuple(_scheme(known[key], variable))) for key in (*wanted, *known)]
    chosen = next((lines for _, lines in options if lines), ())
    if known and not chosen:
        yield Line("auth", "none", f"the description's scheme ({', '.join(known)}) is not one that Treaty sends")
        return
    yield from chosen


def _scheme(scheme: Mapping[str, Any], variable: str) -> Iterator[Line]:
    kind, place = scheme.get("type"), scheme.get("in")
    secret = Line("secret", f"env:{variable}_TOKEN", "set this variable where Treaty runs")
    flows = scheme.get("flows")
    machine = flows.get("clientCredentials") if isinstance(flows, Mapping) else None
    if kind == "apiKey" and place in ("header", "query"):
        yield from (Line("auth", str(place)), Line("name", str(scheme.get("name", "X-API-Key"))), secret)
    elif kind == "http" and str(scheme.get("scheme", "")).lower() == "basic":
        yield from (Line("auth", "basic"), Line("user", f"env:{variable}_USER", "set this variable where Treaty runs"), secret)
    elif kind == "http" and str(scheme.get("scheme", "")).lower() == "bearer":
        yield from (Line("auth", "bearer"), secret)
    elif kind == "oauth2" and isinstance(machine, Mapping) and machine.get("tokenUrl"):
        yield from (Line("auth", "oauth2"), Line("token_url", str(machine["tokenUrl"])), Line("user", f"env:{variable}_CLIENT_ID"), secret)
        if isinstance(machine.get("scopes"), Mapping) and machine["scopes"]:
            yield Line("scope", " ".join(map(str, machine["scopes"])), "guessed: all that the description names; ask for less")
    elif kind in ("oauth2", "openIdConnect"):
        yield Line("auth", "bearer", "guessed: the API's tokens need a person's consent; get one elsewhere. With client credentials write auth: oauth2")
        yield secret


# ---- streams


def _stream(content: Mapping[str, Any], operation: Operation, name: str, secret_name: str) -> DescribedStream:
    found = find_list(content, operation)
    settings, notes = [Line("format", "json")], []
    if found.record:
        settings.append(Line("record", found.record, found.note))
    key, sure = guess_key(content, found.items, name)
    if key:
        settings.append(Line("key", [key], sure))
    else:
        notes.append("No field looks like a key: without one there are no updates. Write `key: [FIELD]`.")
    read = [Line("path", operation.path.lstrip("/"))]
    parameters = {each: str(operation.given(each)) for each in operation.required("query") if each != secret_name}
    pages = guess_pages(content, operation, found, key)
    parameters |= pages.parameters
    if parameters:
        read.append(Line("parameters", parameters, "guessed: defaults of what is required, and the largest page"))
    read += [Line(*each) for each in pages.settings]
    since = guess_since(content, operation, found)
    read += [Line(*each) for each in since.settings]
    about = str(operation.told.get("summary") or operation.told.get("description") or "")
    write = tuple(_write(content, operation, key, found.record))
    return DescribedStream(name, f"GET {operation.path}{f': {about}' if about else ''}", (*notes, *pages.notes, *since.notes), settings, read, write, found.items)


def _write(content: Mapping[str, Any], operation: Operation, key: str, record: str) -> Iterator[Line]:
    """Yield where records of a list are created and changed, where the description has such operations."""
    paths = content["paths"]
    create = next((found for method in ("post", "put") if (found := _operation(content, operation.path, paths[operation.path], method))), None)
    if create is None:
        return
    yield Line("path", operation.path.lstrip("/"), f"guessed: {create.method.upper()} {operation.path} creates a record")
    if create.method == "put":
        yield Line("create_method", "PUT")
    one = re.compile(re.escape(operation.path.rstrip("/")) + r"/\{[^/{}]+\}/?\Z")
    item = next((str(path) for path in paths if one.match(str(path))), None)
    method = next((each for each in ("patch", "put", "post") if item and _operation(content, item, paths[item], each)), None)
    if item and method:
        yield Line("update_path", operation.path.strip("/") + "/{id}", f"guessed: {method.upper()} {item} changes it")
        yield Line("update_method", method.upper())
    body = resolve_schema(content, create.body(content))[0].get("properties")
    around = [str(each) for each, told in body.items() if "properties" in resolve_schema(content, told)[0]] if isinstance(body, Mapping) else []
    if isinstance(body, Mapping) and len(body) == 1 and around:
        yield Line("record", around[0], "guessed: the one object of the request")
    answer = resolve_schema(content, create.answer(content))[0].get("properties")
    listed = bool(record) and isinstance(answer, Mapping) and record in answer and "items" in resolve_schema(content, answer[record])[0]
    if key:
        yield Line("id_field", f"{record}/0/{key}" if listed else key, "guessed: the answer is a list, the record its first" if listed else "guessed: the key")
    header = next((name for place, name in create.parameters if place == "header" and "idempotency" in name.lower()), None)
    if header:
        yield Line("key_header", header, "the API takes it: mode idempotency-key can be used")
