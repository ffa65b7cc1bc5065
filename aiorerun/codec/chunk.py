"""The encoder of chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.codec.chunk_template import EncodedBatch, template_of

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk

__all__ = ["EncodedBatch", "encode_batch"]


def encode_batch(chunk: Chunk) -> EncodedBatch:
    """A chunk as the Arrow IPC stream that is written for it. Big buffers are shared, not copied."""
    path = chunk.entity_path.encode()
    return template_of(chunk, len(path)).encode(chunk, path)
