"""One request while it is in progress, and its time scope."""

from __future__ import annotations

import asyncio
import itertools
from math import nan
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

# The states themselves: this runs once per request, and each call would cost as much as what it does.
from aiorerun.context import _NO_STATE, _times
from aiorerun.integrations.requests.rows import HTTP_FORM, PackedRow, pack_http
from aiorerun.pipeline.capture import CLOSED, OPEN
from aiorerun.stream import active
from aiorerun.types.sparse import EMPTY
from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.types.timepoint import NO_TIMES, TimelineSet, time_of, with_time

if TYPE_CHECKING:
    from aiorerun.integrations.recorder import Recorder
    from aiorerun.integrations.requests.routes import Route
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.types.timepoint import Timepoint

TIMELINE: Final = "request"
"""The timeline on which all that happens in a request has its number."""
ONLY_REQUEST: Final = TimelineSet.of((Timeline(TIMELINE, TimelineKind.SEQUENCE),))
"""The set of this timeline alone."""
MS: Final = 1e-6
"""Milliseconds per nanosecond."""

# Bound once: for each call of a method of an imported object a new one would be made.
_get_times: Final = _times.get
_set_times: Final = _times.set
_get_local: Final = active._local.get
_get_loop: Final = asyncio.get_running_loop

# One counter for all: two middlewares may record into one recording.
_numbers: Final = itertools.count(1)


class Exchange:
    """One request while it is in progress. Each framework has a class of its own.

    Attributes:
        is_long: Whether it has been in progress for longer than most.
        is_plain: Whether its row has the columns of requests and no more, and its status alone tells whether
            it failed, unless there was an exception.
        status: Of the response; 0 until it begins.
        first_byte_ns: When the response began; 0 until it does.
        done_ns: When the response was complete, or the connection closed; 0 until then.
        received: Bytes of the body of the request.
        sent: Bytes of the body of the response.
        disconnected: Whether the client went away before the end.
    """

    __slots__ = (
        "__weakref__", "began_ns", "disconnected", "done_ns", "ended_ns", "entered", "first_byte_ns",
        "former", "is_long", "is_plain", "received", "recording", "route", "sent", "status", "times",
    )  # fmt: skip

    times: Timepoint

    def begin(self, recorder: Recorder, recording: AsyncRecordingStream) -> None:
        """Begins: from now on what the task logs has the number of this request.

        Args:
            recorder: Who records it.
            recording: Where to.
        """
        # Once per request, so all in one place and without calls, where that is possible: not even as
        # `__init__`, for which the interpreter calls itself anew.
        self.recording = recording
        self.is_plain = True
        self.route: Route | None = None
        self.status = self.first_byte_ns = self.done_ns = self.received = self.sent = self.ended_ns = 0
        self.disconnected = self.entered = self.is_long = False
        store = recording._times
        times: Timepoint
        self.former = former = _get_times()
        if former is _NO_STATE:
            # Servers give most requests a fresh context.
            times = self.times = (ONLY_REQUEST, (next(_numbers),))
            _set_times((store._token, times, EMPTY, store._slot))
        else:
            times = self.times = _with_number(store.get(), next(_numbers))
            store.set(times)
        node = _get_local()
        if (active._global if node is None else node[0]) is not recording:
            active.enter(recording)
            self.entered = True
        recorder.recent.append(self)
        self.began_ns = now = perf_counter_ns()
        if recorder.timer is None or recorder.recording is not recording or recorder.loop is not _get_loop():
            recorder.start(recording, now)

    @property
    def described(self) -> Any:
        """What functions of the user are asked about."""
        raise NotImplementedError

    @property
    def has_route(self) -> bool:
        """Whether the framework has chosen a route by now."""
        raise NotImplementedError

    def find_route(self) -> Route:
        """The route, as far as it is known."""
        raise NotImplementedError

    def finish(self, error: BaseException | None) -> bool:
        """Works out how it ended; returns whether that counts as a failure of the service."""
        raise NotImplementedError

    def row(self, failed: bool) -> PackedRow:
        """The row, where it does not go the shortest way."""
        began, first = self.began_ns, self.first_byte_ns
        fixed = pack_http(
            ((self.done_ns or self.ended_ns) - began) * MS,
            (first - began) * MS if first else nan,
            self.status,
            self.received,
            self.sent,
            self.disconnected,
            failed,
        )
        return PackedRow(HTTP_FORM, fixed)

    def details(self, title: str) -> str:
        """Headers, bodies and the query string as one text, as far as they are wanted."""
        raise NotImplementedError

    def secrets(self) -> set[str]:
        """What the request has sent as a secret."""
        raise NotImplementedError


def _with_number(times: Timepoint, number: int) -> Timepoint:
    if times is NO_TIMES:
        return (ONLY_REQUEST, (number,))
    return with_time(times, TIMELINE, TimelineKind.SEQUENCE, number)


def leave(exchange: Exchange) -> None:
    """Gives a task the recording and the times back that it had before, whatever was set in the request.

    Nothing happens where the end comes in another context, as it does for tasks that are thrown away.
    """
    if exchange.entered:
        active.leave(exchange.recording)
    now = time_of(exchange.recording._times.get(), TIMELINE)
    if now is not None and now == time_of(exchange.times, TIMELINE):
        _set_times(exchange.former)


def leave_quickly(exchange: Exchange) -> None:
    """The same, with as little work as possible where nothing else was set."""
    if exchange.entered or _get_times()[1] is not exchange.times:
        leave(exchange)
    else:
        _set_times(exchange.former)


def log_row(
    recording: AsyncRecordingStream, times: Timepoint, path: str, entity: Any, gate: int | None = None
) -> None:
    """Logs a row at the times of a request, whatever else its task has set meanwhile. It never waits."""
    capture = recording._capture
    if (capture.gate if gate is None else gate) == OPEN:
        # The same as below, without what `log_nowait` does for callers of all kinds.
        accumulator = capture.add(path, entity, (), times)
        if accumulator is not None:
            recording._engine.attend(accumulator)
        return
    if capture.gate == CLOSED:
        return
    store = recording._times
    former = store.get()
    store.set(times)
    try:
        recording.log_nowait(path, entity)
    finally:
        store.set(former)
