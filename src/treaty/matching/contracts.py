"""Data contracts as a side of a match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from treaty.matching.profiles import FieldProfile, StreamProfile
from treaty.project.declarations import SchemaProperty


def profile_properties(name: str, properties: Iterable[SchemaProperty], description: str = "") -> StreamProfile:
    """Profile the properties of a data contract, members of groups by ``/`` paths."""
    return StreamProfile(name, tuple(_properties(properties, "", False)), description=description)


def _properties(properties: Iterable[SchemaProperty], path: str, repeated: bool) -> Iterator[FieldProfile]:
    for each in properties:
        place = f"{path}{each.name}"
        many = repeated or each.type.startswith("list")
        if each.properties:
            yield from _properties(each.properties, f"{place}/", many)
        else:
            yield FieldProfile(place, type=each.type, title=each.business_name, description=each.description, required=each.required, repeated=many)
