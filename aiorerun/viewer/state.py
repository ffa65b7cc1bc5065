"""What a viewer says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

PlayState: TypeAlias = Literal["paused", "playing", "following"]
"""Whether time stands still, runs, or stays at the latest data."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A timeline of a recording.

    Attributes:
        name: Its name, such as ``"frame"``.
        time_type: ``"sequence"``, ``"duration"`` or ``"timestamp"``.
        start: The first time on it, a number or nanoseconds; ``None`` as long as there is no data.
        end: The last one.
    """

    name: str
    time_type: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class TimeCursor:
    """Where the time cursor of a recording is.

    Attributes:
        timeline: The timeline that is shown; ``None`` if there is none.
        time_type: ``"sequence"``, ``"duration"`` or ``"timestamp"``; ``None`` if it is not known.
        time: The time, a number or nanoseconds; ``None`` if there is no data.
    """

    timeline: str | None
    time_type: str | None
    time: int | None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is open.

    Attributes:
        store_id: Its name in the viewer: ``Recording:<application id>:<recording id>``.
        location: Where :meth:`ViewerClient.set_location` shows it.
        timelines: Its timelines.
        cursor: Where its time cursor is.
        play_state: Whether time runs; ``None`` if that is not known.
    """

    store_id: str
    location: str
    timelines: tuple[Timeline, ...]
    cursor: TimeCursor
    play_state: PlayState | None


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What a view complains about.

    Attributes:
        severity: ``"warning"`` or ``"error"``.
        summary: What it is, in short.
        details: More about it, if there is more.
    """

    severity: str
    summary: str
    details: str | None


@dataclass(frozen=True, slots=True)
class View:
    """A view of the current blueprint.

    Attributes:
        view_id: Its id, for :meth:`ViewerClient.screenshot`.
        view_class: What kind it is, such as ``"3D"``.
        name: Its title.
        origin: The entity path it is about.
        is_visible: Whether it is shown.
        reports: What it complained about when it was last shown.
    """

    view_id: str
    view_class: str
    name: str
    origin: str
    is_visible: bool
    reports: tuple[ViewReport, ...]


@dataclass(frozen=True, slots=True)
class LoadingSource:
    """Something that is still being loaded.

    Attributes:
        name: A file, a URL, or a part of a dataset.
        status: What the viewer says about it.
    """

    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Server:
    """A server whose datasets the viewer lists.

    Attributes:
        origin: Its address.
        error: What is wrong with it, if something is.
    """

    origin: str
    error: str | None


@dataclass(frozen=True, slots=True)
class ViewerState:
    """What a viewer has open, and shows.

    Attributes:
        location: The page that is shown, as a URL; empty if it has none.
        active_store_id: The recording that is shown, if one is.
        recordings: All recordings.
        views: The views of the blueprint that is shown.
        loading: What is still being loaded. A recording is listed from its first message on, so it is
            complete only when nothing of it is left here.
        servers: Servers that are listed.
        catalog_url: The server in the viewer.
        viewer_version: The version of the viewer, such as ``"0.41.0"``.
    """

    location: str
    active_store_id: str | None
    recordings: tuple[Recording, ...]
    views: tuple[View, ...]
    loading: tuple[LoadingSource, ...]
    servers: tuple[Server, ...]
    catalog_url: str | None
    viewer_version: str | None


@dataclass(frozen=True, slots=True)
class OpenResult:
    """What came of :meth:`ViewerClient.open`.

    Attributes:
        store_ids: The recordings that were loaded.
        loading: What had not been loaded when the viewer answered.
    """

    store_ids: tuple[str, ...]
    loading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the viewer's log.

    Attributes:
        sequence: Its number; the next line has the next one.
        level: ``"INFO"``, ``"WARN"`` or ``"ERROR"``.
        target: The module it comes from.
        message: What it says.
    """

    sequence: int
    level: str
    target: str
    message: str


@dataclass(frozen=True, slots=True)
class ComponentSchema:
    """A component of an entity.

    Attributes:
        component: Its name, such as ``"Points3D:positions"``.
        archetype: The archetype it belongs to, if any.
        component_type: What its values mean, if they are of Rerun's own types.
        datatype: The Arrow type of one value.
        has_static: Whether it has static data; ``None`` if that was not asked for.
    """

    component: str
    archetype: str | None
    component_type: str | None
    datatype: str
    has_static: bool | None


@dataclass(frozen=True, slots=True)
class EntitySchema:
    """An entity and what was ever logged to it.

    Attributes:
        entity_path: Its path.
        components: Its components; empty if only paths were asked for.
    """

    entity_path: str
    components: tuple[ComponentSchema, ...]


@dataclass(frozen=True, slots=True)
class RecordingSchema:
    """What a recording consists of.

    Attributes:
        store_id: The recording.
        timelines: Its timelines.
        entities: Its entities, by path.
        omitted_entities: How many more there are.
    """

    store_id: str
    timelines: tuple[Timeline, ...]
    entities: tuple[EntitySchema, ...]
    omitted_entities: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the viewer's palette.

    Attributes:
        id: Its id, for :meth:`ViewerClient.run_command`.
        title: Its name in the palette.
        description: What it does.
        scope: What it acts on: ``"global"``, ``"recording"``, ``"server"`` or ``"table"``.
        shortcuts: Its keyboard shortcuts.
        is_available: Whether it would do something now.
        is_blocking: Whether it opens a dialog of the system, which only a person can close.
        is_destructive: Whether something is lost by it.
        target: What it would act on now, if anything.
    """

    id: str
    title: str
    description: str
    scope: str
    shortcuts: tuple[str, ...]
    is_available: bool
    is_blocking: bool
    is_destructive: bool
    target: str | None
