"""Panels: what is around the views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint._rows import BlueprintRow, Remembered, made, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun import datatypes
    from aiorerun.blueprint import components as blueprint_components

__all__ = ["BlueprintPanel", "Panel", "SelectionPanel", "TimePanel", "TopPanel"]


class Panel:
    """A panel; its subclasses are the panels there are.

    Args:
        blueprint_path: Where it is in the blueprint.
        expanded: An older way to say ``state``: open, or collapsed.
        state: Whether it is open, collapsed or hidden.

    Raises:
        ValueError: Both were given.
    """

    def __init__(
        self,
        *,
        blueprint_path: str,
        expanded: bool | None = None,
        state: blueprint_components.PanelStateLike | None = None,
    ) -> None:
        if expanded is not None and state is not None:
            raise ValueError(f"{type(self).__name__}: `state` excludes `expanded`")
        if expanded is not None:
            state = "Expanded" if expanded else "Collapsed"
        self.state = state
        self._blueprint_path = blueprint_path
        self._own = Remembered()

    def blueprint_path(self) -> str:
        """Where the panel is in the blueprint."""
        return self._blueprint_path

    def _archetypes(self) -> tuple[Any, Any]:
        """What is logged in time, and what is static."""
        found: tuple[Any, Any] = self._own.get((self.state,), self._make)
        return found

    def _make(self) -> tuple[Any, Any]:
        from aiorerun.blueprint.archetypes import PanelBlueprint

        return made(type(self).__name__, PanelBlueprint, {"state": ("state", self.state)}), None

    def _rows(self) -> Iterator[BlueprintRow]:
        temporal, static = self._archetypes()
        yield row(self.blueprint_path(), temporal)
        if static is not None:
            yield row(self.blueprint_path(), static, is_static=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(state={self.state!r})"


class TopPanel(Panel):
    """The panel at the top. Collapsed and hidden are the same for it.

    Args:
        expanded: An older way to say ``state``: open, or collapsed.
        state: Whether it is open, collapsed or hidden.
    """

    def __init__(
        self, *, expanded: bool | None = None, state: blueprint_components.PanelStateLike | None = None
    ) -> None:
        super().__init__(blueprint_path="top_panel", expanded=expanded, state=state)
        self._archetypes()


class BlueprintPanel(Panel):
    """The panel with the views. Collapsed and hidden are the same for it.

    Args:
        expanded: An older way to say ``state``: open, or collapsed.
        state: Whether it is open, collapsed or hidden.
    """

    def __init__(
        self, *, expanded: bool | None = None, state: blueprint_components.PanelStateLike | None = None
    ) -> None:
        super().__init__(blueprint_path="blueprint_panel", expanded=expanded, state=state)
        self._archetypes()


class SelectionPanel(Panel):
    """The panel about what is selected. Collapsed and hidden are the same for it.

    Args:
        expanded: An older way to say ``state``: open, or collapsed.
        state: Whether it is open, collapsed or hidden.
    """

    def __init__(
        self, *, expanded: bool | None = None, state: blueprint_components.PanelStateLike | None = None
    ) -> None:
        super().__init__(blueprint_path="selection_panel", expanded=expanded, state=state)
        self._archetypes()


class TimePanel(Panel):
    """The panel at the bottom: which time is shown, and how it goes on.

    Args:
        expanded: An older way to say ``state``: open, or collapsed.
        state: Whether it is open, collapsed to one line, or hidden.
        timeline: The timeline.
        playback_speed: How fast the time goes on; 1 is real time.
        fps: Numbers of a sequence per second.
        play_state: Whether the time stands, goes on, or follows what comes in.
        loop_mode: Whether it starts over at the end of all, or of the selection.
        time_selection: The times that are selected.
    """

    def __init__(
        self,
        *,
        expanded: bool | None = None,
        state: blueprint_components.PanelStateLike | None = None,
        timeline: datatypes.Utf8Like | None = None,
        playback_speed: float | None = None,
        fps: float | None = None,
        play_state: blueprint_components.PlayStateLike | None = None,
        loop_mode: blueprint_components.LoopModeLike | None = None,
        time_selection: datatypes.AbsoluteTimeRange | None = None,
    ) -> None:
        super().__init__(blueprint_path="time_panel", expanded=expanded, state=state)
        self.timeline = timeline
        self.playback_speed = playback_speed
        self.fps = fps
        self.play_state = play_state
        self.loop_mode = loop_mode
        self.time_selection = time_selection
        self._archetypes()

    def _archetypes(self) -> tuple[Any, Any]:
        attributes = (
            self.state, self.timeline, self.playback_speed, self.fps, self.play_state, self.loop_mode,
            self.time_selection,
        )  # fmt: skip
        found: tuple[Any, Any] = self._own.get(attributes, self._make)
        return found

    def _make(self) -> tuple[Any, Any]:
        from aiorerun.blueprint.archetypes import TimePanelBlueprint

        names = ("state", "timeline", "playback_speed", "fps", "loop_mode", "time_selection")
        given = {name: (name, getattr(self, name)) for name in names}
        temporal = made("TimePanel", TimePanelBlueprint, given)
        if self.play_state is None:
            return temporal, None
        # Viewers change the state themselves, at all times.
        return temporal, made(
            "TimePanel", TimePanelBlueprint, {"play_state": ("play_state", self.play_state)}
        )
