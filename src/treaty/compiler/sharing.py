"""Compiles a mapping once for all the clients for whom it means the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from treaty.compiler.compiled import CompiledMapping
from treaty.compiler.mapping import compile_mapping
from treaty.project.declarations import ClientProject


@dataclass(slots=True)
class SharedMappings:
    """Compiled mappings by what they were compiled from; those objects are held, so that their identity stays theirs."""

    _known: dict[tuple[object, ...], tuple[tuple[object, ...], CompiledMapping]] = field(default_factory=dict)

    def compile(self, project: ClientProject, name: str) -> CompiledMapping:
        """Return the compiled inbound mapping of a client, made anew only where an overlay changes something that it reads."""
        mapping = project.mappings[name]
        stream = project.stream(mapping.from_)
        read = None if stream is None else (stream.format, stream.key, stream.version, stream.deletes, stream.empty, tuple(stream.nested))
        parts = (mapping, project.models.get(mapping.to), *project.decisions.values(), *project.hooks.values())
        references = tuple((system, each, declared.empty) for system, found in project.systems.items() for each, declared in found.streams.items())
        key = (name, repr(read), references, *map(id, parts))
        if key not in self._known:
            self._known[key] = (parts, compile_mapping(project, name))
        return self._known[key][1].for_client(project.client)
