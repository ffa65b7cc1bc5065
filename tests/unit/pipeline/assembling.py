"""Chunks of all that was cut off, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.pipeline.assemble import assemble, grouped, no_pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aiorerun.pipeline.accumulator import Cut
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.tuid import TuidSource


def assemble_cuts(
    cuts: Iterable[Cut], ids: TuidSource, max_rows_if_unsorted: int, pause: Callable[[], None] = no_pause
) -> Iterator[Chunk]:
    """The chunks of each group, one group after the other."""
    for group in grouped(cuts):
        yield from assemble(group, ids, max_rows_if_unsorted, pause)
