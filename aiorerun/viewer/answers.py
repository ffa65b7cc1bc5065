"""Turns the viewer's messages into what users get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.viewer.state import (
    Command,
    ComponentSchema,
    EntitySchema,
    LoadingSource,
    LogEntry,
    Recording,
    RecordingSchema,
    Server,
    TimeCursor,
    Timeline,
    View,
    ViewerState,
    ViewReport,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.viewer.state import PlayState

_TIME_TYPES: Final = {1: "sequence", 2: "duration", 3: "timestamp"}
PLAY_STATES: Final[dict[PlayState, int]] = {"paused": 1, "playing": 2, "following": 3}
"""Names of play states, and their numbers."""

_PLAY_STATE_NAMES: Final[dict[int, PlayState]] = {number: name for name, number in PLAY_STATES.items()}


def viewer_state(answer: Any) -> ViewerState:
    """From a ``GetStateResponse``."""
    return ViewerState(
        location=answer.location,
        active_store_id=answer.active_store_id,
        recordings=tuple(_recording(each) for each in answer.recordings),
        views=tuple(_view(each) for each in answer.views),
        loading=tuple(LoadingSource(each.name, each.status) for each in answer.loading),
        servers=tuple(Server(each.origin, each.error) for each in answer.servers),
        catalog_url=answer.catalog_url,
        viewer_version=answer.viewer_version,
    )


def _recording(message: Any) -> Recording:
    return Recording(
        store_id=message.store_id,
        location=message.location,
        timelines=_timelines(message.timelines),
        cursor=time_cursor(message.current_time),
        play_state=_PLAY_STATE_NAMES.get(int(message.play_state)),
    )


def time_cursor(message: Any) -> TimeCursor:
    """From a ``TimeCursor``, which may be missing, or a ``SetTimeCursorResponse``."""
    if message is None:
        return TimeCursor(None, None, None)
    return TimeCursor(
        timeline=None if message.timeline is None else message.timeline.name,
        time_type=None if message.time_type is None else _TIME_TYPES.get(int(message.time_type)),
        time=None if message.time is None else message.time.time,
    )


def _timelines(messages: Iterable[Any]) -> tuple[Timeline, ...]:
    return tuple(
        Timeline(
            name="" if each.timeline is None else each.timeline.name,
            time_type=_TIME_TYPES.get(int(each.time_type), "unknown"),
            start=None if each.time_range is None else each.time_range.start,
            end=None if each.time_range is None else each.time_range.end,
        )
        for each in messages
    )


def _view(message: Any) -> View:
    return View(
        view_id=message.view_id,
        view_class=message.class_,
        name=message.name,
        origin=message.origin,
        is_visible=message.visible,
        reports=tuple(ViewReport(each.severity, each.summary, each.details) for each in message.reports),
    )


def log_entries(answer: Any) -> list[LogEntry]:
    """From a ``GetLogsResponse``."""
    return [LogEntry(each.sequence, each.level, each.target, each.message) for each in answer.entries]


def recording_schema(answer: Any) -> RecordingSchema:
    """From a ``GetRecordingSchemaResponse``."""
    return RecordingSchema(
        store_id=answer.store_id,
        timelines=_timelines(answer.timelines),
        entities=tuple(_entity(each) for each in answer.entities),
        omitted_entities=answer.omitted_entities,
    )


def _entity(message: Any) -> EntitySchema:
    components = tuple(
        ComponentSchema(
            component=each.component,
            archetype=each.archetype,
            component_type=each.component_type,
            datatype=each.datatype,
            has_static=each.has_static,
        )
        for each in message.components
    )
    return EntitySchema(message.entity_path, components)


def command(message: Any) -> Command:
    """From a ``ViewerCommand``."""
    return Command(
        id=message.id,
        title=message.title,
        description=message.description,
        scope=message.scope,
        shortcuts=tuple(message.shortcuts),
        is_available=message.available,
        is_blocking=message.blocking_native_modal,
        is_destructive=message.destructive,
        target=message.target,
    )
