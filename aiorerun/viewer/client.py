"""Drives a running native viewer: what it has open, its time, its screenshots, its log.

The viewer serves programs on its own machine only: connect to a loopback address. The viewers in browsers,
and servers without a viewer (``serve_grpc``, ``rerun --serve-grpc``), do not have this.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

from aiorerun.net.endpoint import DEFAULT_URL, Endpoint
from aiorerun.types.time import check_timeline_name, time_value
from aiorerun.viewer import answers
from aiorerun.viewer.errors import DEADLINE_EXCEEDED, UNAVAILABLE, ViewerError
from aiorerun.viewer.spawn import CLOSE_TIMEOUT, spawn
from aiorerun.viewer.state import OpenResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from aiorerun.net.channel import WireChannel
    from aiorerun.types.time import DurationLike, SequenceLike, TimestampLike
    from aiorerun.viewer.spawn import SpawnedViewer
    from aiorerun.viewer.state import (
        Command,
        LogEntry,
        PlayState,
        RecordingSchema,
        TimeCursor,
        ViewerState,
    )

DEFAULT_TIMEOUT: Final = 20.0
"""Seconds that the viewer may take to answer. It waits for 15 itself in some cases."""


class ViewerClient:
    """A connection to a native viewer, made when it is needed and again when it was lost.

    It belongs to one event loop. Several calls may be under way at a time. Every call raises
    :class:`ViewerError` if the viewer refuses it, cannot be reached, or does not answer in time; cancelling a
    call, or giving it up, does not keep the viewer from doing it. As a context manager (``async with``) it is
    closed with :meth:`aclose` at the end.

    Args:
        url: The viewer, as for ``connect_grpc``, or only its port on this machine.
        timeout: Seconds that the viewer may take for each answer, connecting included.

    Raises:
        InvalidUrlError: The URL is none of a viewer.
        ValueError: The timeout is not positive.
    """

    def __init__(self, url: str | int = DEFAULT_URL, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        text = f"rerun+http://127.0.0.1:{url}/proxy" if isinstance(url, int) else url
        if not timeout > 0:
            raise ValueError(f"timeout={timeout}: must be positive")
        self._endpoint = Endpoint.parse(text)
        self._timeout = timeout
        self._channel: WireChannel | None = None
        self._connecting = asyncio.Lock()
        self._viewer: SpawnedViewer | None = None

    @classmethod
    async def spawn(
        cls,
        *,
        headless: bool = False,
        port: int = 9876,
        timeout: float = DEFAULT_TIMEOUT,
        memory_limit: str = "75%",
        server_memory_limit: str = "0B",
        hide_welcome_screen: bool = False,
        detach_process: bool | None = None,
        new: bool = False,
        executable_name: str = "rerun",
        executable_path: str | os.PathLike[str] | None = None,
        extra_args: Sequence[str] = (),
    ) -> ViewerClient:
        """Starts a viewer and drives it. See :func:`aiorerun.viewer.spawn.spawn`, whose errors it raises too.

        Args:
            headless: Whether it runs without a window. It needs a graphics driver all the same, if only one
                that draws with the processor, such as Mesa's.
            port: Where it listens; 0 takes a free port.
            timeout: As for the class.
            memory_limit: What the viewer may keep.
            server_memory_limit: What the server in the viewer may keep.
            hide_welcome_screen: Whether it starts without its welcome page.
            detach_process: Whether it outlives this program, and :meth:`aclose`. By default it does if it has
                a window; without one it never does.
            new: Whether to start one in any case, at a free port if this one is taken.
            executable_name: The program's name on the ``PATH``.
            executable_path: The program's file, instead of its name.
            extra_args: More arguments for the viewer, such as ``["--window-size", "800x500"]``.
        """
        viewer = await spawn(
            port=port,
            memory_limit=memory_limit,
            server_memory_limit=server_memory_limit,
            hide_welcome_screen=hide_welcome_screen,
            detach_process=not headless if detach_process is None else detach_process,
            headless=headless,
            new=new,
            executable_name=executable_name,
            executable_path=executable_path,
            extra_args=extra_args,
        )
        client = cls(viewer.url, timeout=timeout)
        client._viewer = viewer
        return client

    @property
    def url(self) -> str:
        """The viewer, as recordings connect to it."""
        return str(self._endpoint)

    @property
    def viewer(self) -> SpawnedViewer | None:
        """The viewer that :meth:`spawn` has started or found; ``None`` without that."""
        return self._viewer

    async def state(self) -> ViewerState:
        """What the viewer has open, and shows.

        Cancelling it changes nothing.
        """
        return answers.viewer_state(await self._call("get_state"))

    async def open(self, url: str, *, navigate: bool = True) -> OpenResult:
        """Opens a file or URL, and waits some seconds for it to be loaded.

        Cancelling it does not keep the viewer from opening it.

        Args:
            url: A file on the viewer's machine, or the address of a file, a server, or a dataset.
            navigate: Whether to show it, too.
        """
        answer = await self._call("open", url=url, navigate=navigate)
        return OpenResult(tuple(answer.store_ids), tuple(answer.loading))

    async def close(
        self,
        urls: str | Sequence[str] | None = None,
        *,
        store_ids: Sequence[str] | None = None,
    ) -> list[str]:
        """Closes recordings in the viewer; files stay as they are. For the connection see :meth:`aclose`.

        Cancelling it does not keep the viewer from closing them.

        Args:
            urls: Everything that was loaded from there; ``"current"`` is the recording that is shown, and
                ``"all"`` is all of them.
            store_ids: These recordings, instead.

        Returns:
            What was closed.

        Raises:
            ValueError: Both or none are given.
        """
        from aiorerun.proto.rerun.viewer_control import v1alpha1 as messages

        if (urls is None) == (store_ids is None):
            raise ValueError("close: pass either urls or store_ids; aclose() closes the connection")
        target: dict[str, Any]
        if store_ids is not None:
            target = {"store_ids": messages.ViewerRecordingIds(store_ids=list(store_ids))}
        elif urls in ("current", "all"):
            target = {str(urls): True}
        else:
            listed = [urls] if isinstance(urls, str) else list(urls or ())
            target = {"urls": messages.ViewerSourceUrls(urls=listed)}
        return list((await self._call("close", **target)).closed)

    async def set_time_cursor(
        self,
        timeline: str | None = None,
        *,
        sequence: SequenceLike | None = None,
        duration: DurationLike | None = None,
        timestamp: TimestampLike | None = None,
        play_state: PlayState | None = None,
        store_id: str | None = None,
    ) -> TimeCursor:
        """Moves the time cursor, chooses the timeline, or lets time run; what is left out stays as it is.

        Cancelling it does not keep the viewer from doing it.

        Args:
            timeline: The timeline to show; by default the one that is shown.
            sequence: The time to go to, on a timeline of numbers.
            duration: The time, on a timeline of durations; as for ``set_time``.
            timestamp: The time, on a timeline of timestamps; as for ``set_time``.
            play_state: Whether time stands still, runs, or stays at the latest data.
            store_id: The recording; by default the one that is shown.

        Returns:
            Where the cursor is now.

        Raises:
            ValueError: Several times are given, or there is no such play state.
        """
        from aiorerun.proto.rerun.common import v1alpha1 as common
        from aiorerun.proto.rerun.viewer_control import v1alpha1 as messages

        fields: dict[str, Any] = {"store_id": store_id}
        if timeline is not None:
            check_timeline_name(timeline)
            fields["timeline"] = common.Timeline(name=timeline)
        if any(each is not None for each in (sequence, duration, timestamp)):
            _, time = time_value(timeline or "the current one", sequence, duration, timestamp)
            fields["time"] = common.TimelineTime(time=time)
        if play_state is not None:
            if play_state not in answers.PLAY_STATES:
                raise ValueError(f"play_state={play_state!r}: one of {', '.join(answers.PLAY_STATES)}")
            fields["play_state"] = messages.PlayState(answers.PLAY_STATES[play_state])
        return answers.time_cursor(await self._call("set_time_cursor", **fields))

    async def screenshot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        view_id: str | UUID | None = None,
        max_size: int | None = None,
    ) -> bytes | None:
        """Takes a picture of the viewer, or of one view.

        The first one takes a second or two. Cancelling it does not keep the viewer from writing a file.

        Args:
            path: Where the viewer writes it, as ``.png`` or ``.jpg``. Relative paths are meant from where the
                viewer was started.
            view_id: The view, as in :meth:`state`; by default all of the viewer.
            max_size: Larger pictures are scaled down until their longer side has so many pixels.

        Returns:
            The picture in PNG form, or ``None`` if it was written to ``path``.
        """
        answer = await self._call(
            "save_screenshot",
            view_id=None if view_id is None else str(view_id),
            file_path=None if path is None else os.fspath(path),
            max_size=max_size,
        )
        if path is not None:
            return None
        if not answer.png:
            raise ViewerError("INTERNAL", "the viewer has answered without a picture")
        return bytes(answer.png)

    async def logs(self, after_sequence: int | None = None) -> list[LogEntry]:
        """The viewer's latest log lines, the oldest first.

        Cancelling it changes nothing.

        Args:
            after_sequence: Only lines with a higher number, such as that of the last line you have seen.
        """
        return answers.log_entries(await self._call("get_logs", after_sequence=after_sequence))

    async def recording_schema(
        self,
        store_id: str | None = None,
        *,
        entity_path: str | None = None,
        max_entities: int | None = None,
        paths_only: bool = False,
    ) -> RecordingSchema:
        """What a recording consists of: its timelines, entities, and their components.

        Cancelling it changes nothing.

        Args:
            store_id: The recording; by default the one that is shown.
            entity_path: Only this entity and those below it.
            max_entities: Not more entities than this.
            paths_only: Whether to leave their components out.
        """
        answer = await self._call(
            "get_recording_schema",
            store_id=store_id,
            entity_path=entity_path,
            max_entities=max_entities,
            with_archetypes=False,
            with_components=not paths_only,
        )
        return answers.recording_schema(answer)

    async def location(self) -> str:
        """The page that is shown, as a URL.

        Cancelling it changes nothing.
        """
        location: str = (await self._call("get_location")).location
        return location

    async def set_location(self, location: str) -> None:
        """Shows a page that the viewer knows, such as the location of a recording; it loads nothing.

        Cancelling it does not keep the viewer from doing it.

        Args:
            location: A URL as in :meth:`state`.
        """
        await self._call("set_location", location=location)

    async def commands(
        self,
        ids: Sequence[str] | None = None,
        *,
        include_unavailable: bool = False,
        store_id: str | None = None,
    ) -> list[Command]:
        """The commands of the viewer's palette.

        Cancelling it changes nothing.

        Args:
            ids: Only these, in this order, whether they would do something now or not.
            include_unavailable: Whether to list those that would do nothing now.
            store_id: The recording that commands would act on; by default the one that is shown.
        """
        if ids is None:
            listed = await self._call(
                "list_commands", include_unavailable=include_unavailable, store_id=store_id
            )
            ids = [each.id for each in listed.commands]
        answer = await self._call("describe_commands", ids=list(ids), store_id=store_id)
        return [answers.command(each) for each in answer.commands]

    async def run_command(
        self, id: str, *, store_id: str | None = None, allow_blocking: bool = False
    ) -> Command:
        """Runs a command of the palette; it may still be under way when this returns.

        Cancelling it does not keep the viewer from running it.

        Args:
            id: Such as ``"ui.toggle_fullscreen"``; see :meth:`commands`.
            store_id: The recording it acts on; by default the one that is shown.
            allow_blocking: Whether it may open a dialog of the system, which only a person can close.
        """
        answer = await self._call(
            "run_command", id=id, store_id=store_id, allow_blocking_native_modal=allow_blocking
        )
        return answers.command(answer.command)

    async def quit(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Closes the connection and ends the viewer that :meth:`spawn` has started, also if it is detached.

        Cancelling it does not keep the viewer from being ended.

        Args:
            timeout: Seconds that it has to end when it is asked to; then it is forced to.
        """
        self._disconnect()
        if self._viewer is not None:
            await self._viewer.close(timeout)

    async def aclose(self) -> None:
        """Closes the connection, and ends the viewer that :meth:`spawn` has started unless it is detached.

        Cancelling it does not keep the viewer from being ended.
        """
        self._disconnect()
        if self._viewer is not None and not self._viewer.is_detached:
            await self._viewer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"ViewerClient({self.url!r})"

    def _disconnect(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def _call(self, kind: str, **fields: Any) -> Any:
        """Asks for one thing; gives the answer of the same kind."""
        from aiorerun.viewer.calls import ask, request_of

        request = request_of(kind, fields)
        try:
            async with asyncio.timeout(self._timeout):
                return await ask(await self._connected(), kind, request)
        except TimeoutError:
            raise ViewerError(
                DEADLINE_EXCEEDED,
                f"{kind}: the viewer at {self.url} did not answer within {self._timeout:g} s",
            ) from None

    async def _connected(self) -> WireChannel:
        from aiorerun.net.channel import ConnectError, open_channel

        async with self._connecting:
            if self._channel is None or not self._channel.is_connected:
                self._disconnect()
                try:
                    self._channel = await open_channel(self._endpoint, timeout=self._timeout)
                except ConnectError as error:
                    raise ViewerError(UNAVAILABLE, str(error)) from error
            return self._channel
