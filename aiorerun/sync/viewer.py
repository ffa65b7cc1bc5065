"""Drives a running native viewer from plain code: the blocking twin of :mod:`aiorerun.viewer.client`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.net.endpoint import DEFAULT_URL
from aiorerun.portal import PortalLease
from aiorerun.viewer import client as aio
from aiorerun.viewer.spawn import CLOSE_TIMEOUT

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from aiorerun.types.time import DurationLike, SequenceLike, TimestampLike
    from aiorerun.viewer.spawn import SpawnedViewer
    from aiorerun.viewer.state import (
        Command,
        LogEntry,
        OpenResult,
        PlayState,
        RecordingSchema,
        TimeCursor,
        ViewerState,
    )

T = TypeVar("T")


class ViewerClient:
    """A connection to a native viewer; see :class:`aiorerun.ViewerClient`, whose methods and errors it has.

    It may be used from any thread. As a context manager it is closed at the end.

    Args:
        url: The viewer, as for ``connect_grpc``, or only its port on this machine.
        timeout: Seconds that the viewer may take for each answer, connecting included.
    """

    def __init__(self, url: str | int = DEFAULT_URL, *, timeout: float = aio.DEFAULT_TIMEOUT) -> None:
        # Made first: it checks the arguments, and the loop is not started for nothing.
        self._client = aio.ViewerClient(url, timeout=timeout)
        self._lease: PortalLease | None = PortalLease()

    @classmethod
    def spawn(cls, **options: Any) -> Self:
        """Starts a viewer and drives it; the options are those of :meth:`aiorerun.ViewerClient.spawn`."""
        lease = PortalLease()
        try:
            client = lease.call(partial(aio.ViewerClient.spawn, **options))
        except BaseException:
            lease.release()
            raise
        self = cls.__new__(cls)
        self._client = client
        self._lease = lease
        return self

    def _call(self, function: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        if self._lease is None:
            raise RuntimeError(f"{self!r} is closed")
        return self._lease.call(partial(function, *args, **options))

    @property
    def url(self) -> str:
        """The viewer, as recordings connect to it."""
        return self._client.url

    @property
    def viewer(self) -> SpawnedViewer | None:
        """The viewer that :meth:`spawn` has started or found."""
        return self._client.viewer

    def state(self) -> ViewerState:
        """What the viewer has open, and shows."""
        return self._call(self._client.state)

    def open(self, url: str, *, navigate: bool = True) -> OpenResult:
        """Opens a file or URL; see :meth:`aiorerun.ViewerClient.open`."""
        return self._call(self._client.open, url, navigate=navigate)

    def close(
        self, urls: str | Sequence[str] | None = None, *, store_ids: Sequence[str] | None = None
    ) -> list[str]:
        """Closes recordings in the viewer; see :meth:`aiorerun.ViewerClient.close`."""
        return self._call(self._client.close, urls, store_ids=store_ids)

    def set_time_cursor(
        self,
        timeline: str | None = None,
        *,
        sequence: SequenceLike | None = None,
        duration: DurationLike | None = None,
        timestamp: TimestampLike | None = None,
        play_state: PlayState | None = None,
        store_id: str | None = None,
    ) -> TimeCursor:
        """Moves the time cursor; see :meth:`aiorerun.ViewerClient.set_time_cursor`."""
        return self._call(
            self._client.set_time_cursor,
            timeline,
            sequence=sequence,
            duration=duration,
            timestamp=timestamp,
            play_state=play_state,
            store_id=store_id,
        )

    def screenshot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        view_id: str | UUID | None = None,
        max_size: int | None = None,
    ) -> bytes | None:
        """Takes a picture of the viewer, or of one view; see :meth:`aiorerun.ViewerClient.screenshot`."""
        return self._call(self._client.screenshot, path, view_id=view_id, max_size=max_size)

    def logs(self, after_sequence: int | None = None) -> list[LogEntry]:
        """The viewer's latest log lines; see :meth:`aiorerun.ViewerClient.logs`."""
        return self._call(self._client.logs, after_sequence)

    def recording_schema(
        self,
        store_id: str | None = None,
        *,
        entity_path: str | None = None,
        max_entities: int | None = None,
        paths_only: bool = False,
    ) -> RecordingSchema:
        """What a recording consists of; see :meth:`aiorerun.ViewerClient.recording_schema`."""
        return self._call(
            self._client.recording_schema,
            store_id,
            entity_path=entity_path,
            max_entities=max_entities,
            paths_only=paths_only,
        )

    def location(self) -> str:
        """The page that is shown, as a URL."""
        return self._call(self._client.location)

    def set_location(self, location: str) -> None:
        """Shows a page that the viewer knows; see :meth:`aiorerun.ViewerClient.set_location`."""
        self._call(self._client.set_location, location)

    def commands(
        self,
        ids: Sequence[str] | None = None,
        *,
        include_unavailable: bool = False,
        store_id: str | None = None,
    ) -> list[Command]:
        """The commands of the viewer's palette; see :meth:`aiorerun.ViewerClient.commands`."""
        return self._call(
            self._client.commands, ids, include_unavailable=include_unavailable, store_id=store_id
        )

    def run_command(self, id: str, *, store_id: str | None = None, allow_blocking: bool = False) -> Command:
        """Runs a command of the palette; see :meth:`aiorerun.ViewerClient.run_command`."""
        return self._call(self._client.run_command, id, store_id=store_id, allow_blocking=allow_blocking)

    def quit(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Closes the connection, and ends the viewer that :meth:`spawn` has started in any case."""
        self._finish(self._client.quit, timeout)

    def disconnect(self) -> None:
        """Closes the connection, and ends the viewer that :meth:`spawn` has started unless it is detached."""
        self._finish(self._client.aclose)

    def _finish(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            lease.call(function, *args)
        finally:
            lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def __repr__(self) -> str:
        return f"ViewerClient({self.url!r})"
