"""From the parts of a blueprint to rows, and from rows to chunks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from aiorerun.archetypes._base import told_of
from aiorerun.errors import report, strict_scope
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.rows import row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiorerun.archetypes import Archetype
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.form import Row
    from aiorerun.types.tuid import TuidSource

TIMELINE: Final = "blueprint"
"""All rows of a blueprint are at 0 of this timeline, but for static ones."""

_A = TypeVar("_A", bound="Archetype")


class PartError(TypeError, ValueError):
    """Something is no part of a blueprint."""


class BlueprintRow(NamedTuple):
    """One row of a blueprint: where, what, and whether it holds at all times."""

    entity_path: str
    row: Row
    is_static: bool


def row(entity_path: str, content: Any, *, is_static: bool = False) -> BlueprintRow:
    """A row of an archetype, or of anything else that ``log`` takes."""
    return BlueprintRow(normalize_entity_path(entity_path), row_of(content), is_static)


def made(owner: str, archetype: type[_A], parameters: dict[str, tuple[str, Any]]) -> _A:
    """An archetype of what a user gave.

    Args:
        owner: The class that was called.
        archetype: What it makes.
        parameters: By field of the archetype: the user's name for it, and the value.

    Raises:
        TypeError, ValueError, OverflowError: In strict mode, for the first value that does not fit; it names
            the parameter. Otherwise there is a warning, and the field is cleared.
    """
    maker: Any = archetype
    values = {field: value for field, (_, value) in parameters.items()}
    while True:
        try:
            with strict_scope(True):
                new: _A = maker.from_fields(**values)
                return new
        except (TypeError, ValueError, OverflowError) as error:
            told = str(error).removeprefix(f"{archetype.__name__}: ")
            field, _, reason = told.partition(": ")
            if field not in parameters or values[field] == ():
                raise
            kind = next(kind for kind in (OverflowError, ValueError, TypeError) if isinstance(error, kind))
            values[field] = ()
            report(owner, told_of(owner, kind(f"{parameters[field][0]}: {reason}")))


class Remembered:
    """Something that is made of attributes, and made anew only once one of them is another object."""

    __slots__ = ("_made", "_of")

    def __init__(self) -> None:
        self._of: tuple[Any, ...] | None = None

    def get(self, attributes: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What ``make`` made of these attributes."""
        known = self._of
        if (
            known is None
            or len(known) != len(attributes)
            or any(one is not other for one, other in zip(known, attributes, strict=True))
        ):
            self._made = make()
            self._of = attributes
        return self._made


def chunks_of(rows: Iterable[BlueprintRow], ids: TuidSource) -> list[Chunk]:
    """A chunk for each row that has components, in order, with fresh ids."""
    from aiorerun.pipeline.assemble import single_row_chunk
    from aiorerun.types.timeline import Timeline, TimelineKind
    from aiorerun.types.timepoint import LOG_TIME, TimelineSet

    timelines = TimelineSet.of((Timeline(TIMELINE, TimelineKind.SEQUENCE),))
    chunks: list[Chunk] = []
    for entity_path, content, is_static in rows:
        if not content[0].columns:
            continue
        now = ids.next().time_ns
        clock_ns = now - ids.wall_anchor_ns
        if is_static:
            chunks.append(single_row_chunk(entity_path, content, ids, clock_ns))
        else:
            layout = timelines.layouts[LOG_TIME]
            chunks.append(single_row_chunk(entity_path, content, ids, clock_ns, layout, (now, 0)))
    return chunks
