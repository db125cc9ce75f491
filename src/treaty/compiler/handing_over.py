"""Compiles how records of a shared stream are told apart: a mapping of one field, the client."""

from __future__ import annotations

from treaty.compiler import ir
from treaty.compiler.building import Builder
from treaty.compiler.compiled import CompiledField, CompiledMapping, CompiledStream
from treaty.compiler.lineage import walk
from treaty.compiler.types import STRING
from treaty.project.declarations import ClientProject

HAND_OVER = "hand-over"  # the mapping, and the model, of shared streams
FIELD = "client"


def compile_hand_over(project: ClientProject, name: str) -> CompiledMapping:
    """Compile the ``client`` cell of a shared stream as a mapping with the one required field ``client``.

    ``project`` is that of :func:`treaty.project.overlays.shared_project`. What the stream's key lacks is left to the client's own mappings.
    """
    stream = project.stream(name)
    assert stream is not None and stream.client is not None, "only streams that are handed over are asked for"
    builder = Builder(project, stream.at)
    node = builder.cell(stream.client, FIELD)
    fitted = None if node is None else builder.fit(node, STRING, FIELD)
    fields = () if fitted is None else (CompiledField(FIELD, STRING, fitted, fitted, True, stream.client, "standard"),)
    looked_up = () if fitted is None else tuple(dict.fromkeys(each.target for each in walk(fitted) if isinstance(each, ir.Lookup)))
    version = None if stream.version == "landing-order" else Builder(project, stream.at, looks_up=False).cell(stream.version, "version")
    read = CompiledStream(name, stream.format, stream.empty == "null", tuple(stream.nested), (), version, None)
    return CompiledMapping(
        HAND_OVER, project.client, HAND_OVER, read, scopes=(), fields=fields, edge_cases=(), rules=(), keys=(), decisions=(), references=looked_up, governed={},
        findings=tuple(builder.findings),
    )  # fmt: skip
