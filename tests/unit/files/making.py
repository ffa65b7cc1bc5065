"""Files to work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MessageKind
from aiorerun.recording.archive import index_by_scan, indexes_by_footer
from aiorerun.recording.source import open_source
from tests.unit.codec.building import FRAME, SCALARS, chunk, component, index

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.pipeline.chunk import Chunk


def payloads(data: bytes) -> list[tuple[int, bytes]]:
    """The complete messages of a stream but its ends: kinds and bytes."""
    return [(raw.kind, bytes(raw.payload)) for raw in iter_messages(data) if raw.kind is not MessageKind.END]


def chunk_payloads(data: bytes) -> list[bytes]:
    """The messages of its chunks."""
    return [payload for kind, payload in payloads(data) if kind == MessageKind.ARROW_MSG]


def assert_footer_is_right(path: Path) -> None:
    """The footer says the same as reading the whole file."""
    source = open_source(path)
    try:
        found = indexes_by_footer(source)
        assert found is not None
        scanned = {each.store: each for each in index_by_scan(source)}
        assert scanned.keys() == {each.store for each in found}
        for each in found:
            other = scanned[each.store]
            assert each.offsets.tolist() == other.offsets.tolist()
            assert each.sizes.tolist() == other.sizes.tolist()
            assert each.uncompressed.tolist() == other.uncompressed.tolist()
            assert each.ids.tolist() == other.ids.tolist()
            assert each.num_rows.tolist() == other.num_rows.tolist()
            assert each.is_static.tolist() == other.is_static.tolist()
            assert each.timelines == other.timelines
            assert {key: facts.is_static for key, facts in each.columns.items()} == {
                key: facts.is_static for key, facts in other.columns.items()
            }
            for name, where in other.with_component.items():
                assert each.with_component[name].tolist() == where.tolist(), name
    finally:
        source.close()


def scalars(path: str, frames: list[int]) -> Chunk:
    """A chunk with one number per frame."""
    rows = [[float(frame)] for frame in frames]
    return chunk(path, len(frames), [index(FRAME, frames)], [component(SCALARS, rows, pa.float64())])
