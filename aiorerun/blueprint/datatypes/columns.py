"""Columns of the view of log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiorerun.datatypes._natives import RecordNative
from aiorerun.types.coerce.blueprint_catalog import TEXT_LOG_COLUMN, TIMELINE_COLUMN

if TYPE_CHECKING:
    from aiorerun import datatypes
    from aiorerun.blueprint.datatypes.text import TextLogColumnKind, TextLogColumnKindLike
    from aiorerun.types.encoding import Encoding


class TextLogColumn(RecordNative):
    """A column of log lines.

    Args:
        kind: What it shows.
        visible: Whether it is shown.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = TEXT_LOG_COLUMN

    def __init__(self, kind: TextLogColumnKindLike, *, visible: datatypes.BoolLike = True) -> None:
        self._set(visible, kind)

    @property
    def visible(self) -> datatypes.Bool:
        """Whether it is shown."""
        from aiorerun.datatypes.common import Bool

        return Bool(self._plain[0])

    @property
    def kind(self) -> TextLogColumnKind:
        """What it shows."""
        from aiorerun.blueprint.datatypes.text import TextLogColumnKind

        return TextLogColumnKind(self._plain[1])


class TimelineColumn(RecordNative):
    """A column of times.

    Args:
        timeline: The timeline.
        visible: Whether it is shown.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = TIMELINE_COLUMN

    def __init__(self, timeline: datatypes.Utf8Like, *, visible: datatypes.BoolLike = True) -> None:
        self._set(visible, timeline)

    @property
    def visible(self) -> datatypes.Bool:
        """Whether it is shown."""
        from aiorerun.datatypes.common import Bool

        return Bool(self._plain[0])

    @property
    def timeline(self) -> datatypes.Utf8:
        """The timeline."""
        from aiorerun.datatypes.common import Utf8

        return Utf8(self._plain[1])
