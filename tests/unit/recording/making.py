"""Small recordings to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from aiorerun.codec.messages import blueprint_activation_message
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import (
    BLUEPRINT,
    DURATION,
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    SCALARS,
    TIMESTAMP,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.pipeline.chunk import Chunk

OTHER = StoreId(StoreKind.RECORDING, "app", "other")
CLOCK = Timeline("clock", TIMESTAMP)
SINCE = Timeline("since", DURATION)


def chunks() -> list[Chunk]:
    """Two entities, several timelines, sparse columns, static data, rows that are out of order."""
    return [
        chunk(
            "/points",
            3,
            [index(FRAME, [1, 2, 3]), index(CLOCK, [30, 10, 20])],
            [
                component(POSITIONS, [[[1, 2, 3]], None, []], POSITION_TYPE),
                component("label", [["a"], ["b"], None], pa.string()),
            ],
        ),
        chunk("/points", 1, [index(FRAME, [0])], [component("label", [["z"]], pa.string())]),
        chunk("/points", 1, [], [component("label", [["always"]], pa.string())]),
        chunk("/wave", 2, [index(SINCE, [5, 6])], [component(SCALARS, [[0.5], [1.5]], pa.float64())]),
        chunk("/__properties", 1, [], [component("name", [["the name"]], pa.string())]),
    ]


def everything(*, write_footer: bool = True) -> bytes:
    """Two recordings and a blueprint."""
    return stream_of(
        [
            *messages_of(*chunks()),
            *messages_of(scalar_chunk("/only"), store=OTHER),
            *messages_of(scalar_chunk("/view"), store=BLUEPRINT),
            blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True),
        ],
        write_footer=write_footer,
    )


def one_recording(path: Path, made: list[Chunk] | None = None, *, write_footer: bool = True) -> Path:
    """A file with one recording."""
    path.write_bytes(stream_of(messages_of(*(made or chunks())), write_footer=write_footer))
    return path
