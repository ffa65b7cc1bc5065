"""What the viewer in a notebook tells: plays, pauses, times, selections, recordings."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

logger = logging.getLogger("aiorerun")


@dataclass(frozen=True, slots=True)
class _Event:
    application_id: str
    recording_id: str
    segment_id: str | None


@dataclass(frozen=True, slots=True)
class PlayEvent(_Event):
    """The viewer began to play.

    Attributes:
        type: The kind of event.
        application_id: The application id of the recording that it is about.
        recording_id: The id of that recording.
        segment_id: The segment of a data set that it is, if any.
    """

    type: ClassVar[Literal["play"]] = "play"


@dataclass(frozen=True, slots=True)
class PauseEvent(_Event):
    """The viewer stopped playing.

    Attributes:
        type: The kind of event.
    """

    type: ClassVar[Literal["pause"]] = "pause"


@dataclass(frozen=True, slots=True)
class TimeUpdateEvent(_Event):
    """The viewer shows another time; while it plays, once a frame.

    Attributes:
        type: The kind of event.
        time: The time: a number of the timeline, or nanoseconds.
    """

    time: float
    type: ClassVar[Literal["time_update"]] = "time_update"


@dataclass(frozen=True, slots=True)
class TimelineChangeEvent(_Event):
    """The viewer shows another timeline.

    Attributes:
        type: The kind of event.
        timeline: Its name.
        time: Where it stands on it.
    """

    timeline: str
    time: float
    type: ClassVar[Literal["timeline_change"]] = "timeline_change"


@dataclass(frozen=True, slots=True)
class EntitySelectionItem:
    """A selected entity, or one of its instances.

    Attributes:
        type: The kind of item.
        entity_path: Which entity.
        instance_id: Which instance of it, if it is one.
        view_name: The view in which it was selected, if it was in one.
        position: Where in space, if that is known.
    """

    entity_path: str
    instance_id: int | None = None
    view_name: str | None = None
    position: list[float] | None = None
    type: ClassVar[Literal["entity"]] = "entity"


@dataclass(frozen=True, slots=True)
class ViewSelectionItem:
    """A selected view.

    Attributes:
        type: The kind of item.
        view_id: The id of the view.
        view_name: Its name.
    """

    view_id: str
    view_name: str
    type: ClassVar[Literal["view"]] = "view"


@dataclass(frozen=True, slots=True)
class ContainerSelectionItem:
    """A selected container.

    Attributes:
        type: The kind of item.
        container_id: The id of the container.
        container_name: Its name.
    """

    container_id: str
    container_name: str
    type: ClassVar[Literal["container"]] = "container"


SelectionItem: TypeAlias = EntitySelectionItem | ViewSelectionItem | ContainerSelectionItem
"""Something that is selected."""


@dataclass(frozen=True, slots=True)
class SelectionChangeEvent(_Event):
    """Something else is selected.

    Attributes:
        type: The kind of event.
        items: All that is selected now.
    """

    items: list[SelectionItem]
    type: ClassVar[Literal["selection_change"]] = "selection_change"


@dataclass(frozen=True, slots=True)
class RecordingOpenEvent(_Event):
    """The viewer opened a recording.

    Attributes:
        type: The kind of event.
        source: Where it comes from.
        version: The version of what wrote it, if that is known.
    """

    source: str
    version: str | None
    type: ClassVar[Literal["recording_open"]] = "recording_open"


ViewerEvent: TypeAlias = (
    PlayEvent | PauseEvent | TimeUpdateEvent | TimelineChangeEvent | SelectionChangeEvent | RecordingOpenEvent
)
"""What callbacks of :meth:`Viewer.on_event` get."""


def parse_event(text: str) -> ViewerEvent | None:
    """The event in a message of the viewer; ``None`` if it is none that is known here."""
    try:
        data = json.loads(text)
        return _event(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # A newer viewer may tell more than is known here.
        logger.debug("a message of the viewer is not understood: %s: %s", type(error).__name__, error)
        return None


def _event(data: dict[str, Any]) -> ViewerEvent | None:
    about = (data["application_id"], data["recording_id"], data.get("segment_id"))
    match data["type"]:
        case "play":
            return PlayEvent(*about)
        case "pause":
            return PauseEvent(*about)
        case "time_update":
            return TimeUpdateEvent(*about, time=data["time"])
        case "timeline_change":
            return TimelineChangeEvent(*about, timeline=data["timeline"], time=data["time"])
        case "selection_change":
            items = [item for item in map(_item, data["items"]) if item is not None]
            return SelectionChangeEvent(*about, items=items)
        case "recording_open":
            return RecordingOpenEvent(*about, source=data["source"], version=data.get("version"))
        case _:
            return None


def _item(data: dict[str, Any]) -> SelectionItem | None:
    match data["type"]:
        case "entity":
            return EntitySelectionItem(
                data["entity_path"], data.get("instance_id"), data.get("view_name"), data.get("position")
            )
        case "view":
            return ViewSelectionItem(data["view_id"], data["view_name"])
        case "container":
            return ContainerSelectionItem(data["container_id"], data["container_name"])
        case _:
            return None
