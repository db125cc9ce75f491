"""What goes through the pipe between us and a process of ours: frames, which are their length in eight bytes and then their bytes."""

from __future__ import annotations

from typing import IO

import pyarrow as pa


def write_frame(stream: IO[bytes], content: bytes | memoryview) -> None:
    """Write one frame."""
    stream.write(len(content).to_bytes(8, "big"))
    stream.write(content)


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read one frame; None where the other side has gone."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    size = int.from_bytes(head, "big")
    content = stream.read(size)
    return content if len(content) == size else None


def write_batch(batch: pa.RecordBatch) -> memoryview:
    """Return a batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def read_batch(content: bytes) -> pa.RecordBatch:
    """Return the one batch of an Arrow stream."""
    with pa.ipc.open_stream(content) as reader:
        return next(iter(reader))
