"""The process that runs a resource of dlt and writes its records as Singer messages: ``python -m treaty.connectors.dlt.tap --config FILE``.

A record is written as the resource yields it, without dlt's normalising, so names and nesting are the source's. The state is written once, at the
end: a cursor that dlt moves while it reads is true only when the resource is through.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NoReturn

STATE = "dlt"  # the field of the Singer state that holds dlt's own, in its typed JSON


def main(arguments: Sequence[str]) -> None:
    """Write the catalog, or the messages of one resource, to the standard output; whatever the resource prints goes to the error output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--stream")
    parser.add_argument("--discover", action="store_true")
    given = parser.parse_args(arguments)
    config = json.loads(given.config.read_text(encoding="utf-8"))
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _isolate(given.config.parent)
    source = _as_source(_load(config["source"]), config["arguments"])
    with told:
        if given.discover:
            told.write(json.dumps({"streams": [_described(name, each) for name, each in source.resources.items()]}).encode())
        else:
            _tell(told, source, given.stream, json.loads(given.state.read_text(encoding="utf-8")) if given.state else {})


def _isolate(folder: Path) -> None:
    """Keep dlt from what is not in the project: configuration and secrets of the machine, and telemetry."""
    for name in ("DLT_DATA_DIR", "DLT_PROJECT_DIR", "DLT_CONFIG_FOLDER"):
        os.environ[name] = str(folder)
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"


def _stop(message: str) -> NoReturn:
    """End in a way that tells that trying again will not help."""
    print(message, file=sys.stderr)  # noqa: T201  it is this process's answer
    sys.exit(os.EX_CONFIG)


def _load(name: str) -> Any:
    place, _, attribute = name.rpartition(":")
    try:
        module = _module_of(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        return getattr(module, attribute)
    except (ImportError, AttributeError) as error:
        _stop(f"{name}: {error}.")


def _module_of(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None and found.loader is not None, "it ends with .py"
    sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return module


def _as_source(made: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the source that a source, a resource or a function comes to."""
    from dlt.common.schema import Schema
    from dlt.extract import DltResource, DltSource

    if not isinstance(made, DltSource) and (arguments or not isinstance(made, DltResource)):
        made = _call(made, arguments)
    if isinstance(made, DltResource):
        made = DltSource(Schema(made.name), made.section or made.name, [made])
    if not isinstance(made, DltSource):
        _stop(f"what `source` names gives a {type(made).__name__}, neither a source nor a resource of dlt.")
    return made


def _call(make: Any, arguments: Mapping[str, Any]) -> Any:
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        _stop(f"`arguments`: {error}.")
    return make(**arguments)


def _keys_of(resource: Any) -> list[str]:
    keys = resource.compute_table_schema().get("columns", {}) if not callable(resource._hints.get("primary_key")) else {}
    return [name for name, each in keys.items() if each.get("primary_key")]


def _described(name: str, resource: Any) -> dict[str, Any]:
    known = resource.compute_table_schema().get("columns", {})
    return {
        "tap_stream_id": name,
        "stream": name,
        "schema": {"type": "object", "properties": {column: {} for column in known}},
        "metadata": [],
    }


def _tell(told: IO[bytes], source: Any, name: str, cursor: Mapping[str, Any]) -> None:
    from dlt.common.configuration.container import Container
    from dlt.common.json import json as typed
    from dlt.common.pipeline import StateInjectableContext

    def message(kind: str, **content: Any) -> None:
        told.write(typed.dumpb({"type": kind, **content}) + b"\n")

    if name not in source.resources:
        _stop(f"the source offers no resource {name!r}, but {', '.join(source.resources)}.")
    state: Any = typed.typed_loads(cursor[STATE]) if cursor else {}
    message("SCHEMA", stream=name, schema={}, key_properties=_keys_of(source.resources[name]))
    with Container().injectable_context(StateInjectableContext(state=state)):
        for item in source.with_resources(name):
            for record in _records_of(item):
                message("RECORD", stream=name, record=record)
            told.flush()
    message("STATE", value={STATE: typed.typed_dumps(_ordered(state), sort_keys=True)})


def _ordered(state: Any) -> Any:
    """Return a state in one order: dlt keeps the hashes of rows at a cursor as a set, and equal states must be equal texts."""
    if not isinstance(state, dict):
        return state
    return {name: sorted(each) if name == "unique_hashes" and isinstance(each, list) else _ordered(each) for name, each in state.items()}


def _records_of(item: Any) -> Iterator[Any]:
    """Yield the records of what a resource yields: a record, or a table of Arrow or pandas."""
    if hasattr(item, "to_pylist"):
        yield from item.to_pylist()
    elif hasattr(item, "to_dict") and hasattr(item, "iterrows"):
        yield from item.to_dict(orient="records")
    elif hasattr(item, "model_dump"):
        yield item.model_dump()
    else:
        yield item


if __name__ == "__main__":
    main(sys.argv[1:])
