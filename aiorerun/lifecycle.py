"""What happens at interpreter exit and after a fork."""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import logging
import os
import sys
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiorerun import context, process, worker
from aiorerun.engine.conveyor import conveyors
from aiorerun.stream_base import streams
from aiorerun.types.ids import ids

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future

    from aiorerun.engine.conveyor import Conveyor

FuncT = TypeVar("FuncT", bound="Callable[..., Any]")

GRACE_SECS: Final = 3.0
"""So much longer than its sinks may take an event loop in another thread is waited for."""

logger = logging.getLogger("aiorerun")

on_shutdown: Final[list[Callable[[], None]]] = []
"""Called by :func:`rerun_shutdown` when recordings are finished, to let go of what they needed."""


class _State:
    registered = True


def is_registered() -> bool:
    """Whether streams are finished at interpreter exit."""
    return _State.registered


def rerun_shutdown() -> None:
    """Flushes all recordings and closes their sinks; what is logged later waits in a buffer.

    Interpreter exit does the same. Recordings that the running event loop of this very thread drives
    are finished as soon as it gets to it: inside coroutines, ``await recording.disconnect()`` waits.
    """
    finish_all()
    for function in on_shutdown:
        function()
    for stream in list(streams):
        if stream._engine.has_sinks:
            stream._engine.disconnect_soon()


async def _shutdown_async() -> None:
    """What :func:`rerun_shutdown` does, waiting for the recordings of the running loop too."""
    loop = asyncio.get_running_loop()
    own = [stream for stream in list(streams) if stream._engine.has_sinks and stream._engine.loop is loop]
    outcomes = await asyncio.gather(*(stream._disconnect_sinks() for stream in own), return_exceptions=True)
    for stream, outcome in zip(own, outcomes, strict=True):
        if isinstance(outcome, Exception):
            logger.error("%r could not be finished: %s: %s", stream, type(outcome).__name__, outcome)
    await asyncio.to_thread(rerun_shutdown)


def unregister_shutdown() -> None:
    """Takes the exit handlers away that flush and close all recordings.

    What ends an event loop in order still finishes the recordings on it: ``asyncio.run``, and the end of
    the private loop of the blocking API. Others are left as they are: files stay without footers.
    """
    _State.registered = False


def shutdown_at_exit(func: FuncT) -> FuncT:
    """Decorates the main function of a process that ends without its exit handlers, such as a forked one.

    When the function is through, by an error too, all recordings are flushed and their sinks closed, as
    by :func:`rerun_shutdown`. Coroutine functions stay coroutine functions.
    """
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            try:
                return await func(*args, **kwargs)
            finally:
                await _shutdown_async()

        return run_async  # type: ignore[return-value]

    @functools.wraps(func)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return func(*args, **kwargs)
        finally:
            rerun_shutdown()

    return run  # type: ignore[return-value]


def cleanup_if_forked_child() -> None:
    """In a forked child, lets go of what belongs to the parent, where that has not happened by itself."""
    process.check()


def finish_all() -> None:
    """Finishes all streams but those of this very thread's loop: delivers what they hold, closes their sinks.

    Workers whose event loop is gone still live, so no thread has to be started at interpreter exit.
    """
    finish_on_running_loops()
    finish_now([conveyor for conveyor in conveyors if _is_orphan(conveyor)])


def finish_now(left: Sequence[Conveyor]) -> None:
    """Finishes streams whose event loop does not run any more."""
    if not left:
        return
    try:
        _run_to_end(_finish(left))
    except Exception as error:
        logger.error(  # noqa: TRY400 - one line at exit, no traceback
            "recordings could not be finished at exit: %s: %s", type(error).__name__, error
        )


def _run_to_end(call: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(call)
        return
    # A loop runs here already, as is the case in `rerun_shutdown` but never at exit.
    thread = threading.Thread(target=asyncio.run, args=(call,), name="aiorerun-shutdown")
    thread.start()
    thread.join()


def finish_on_running_loops() -> None:
    """Streams whose loop still runs in another thread (the facade's) are finished there, all at once."""
    finishing: list[tuple[Conveyor, Future[None], float]] = []
    for conveyor in list(conveyors):
        loop = conveyor.loop
        if loop is None or not loop.is_running() or conveyor.is_on_own_thread:
            continue
        ends = time.monotonic() + 2 * conveyor.close_timeout + GRACE_SECS
        try:
            finishing.append((conveyor, asyncio.run_coroutine_threadsafe(conveyor.finish(), loop), ends))
        except RuntimeError as error:
            # It was closed this moment.
            logger.error("%r could not be finished at exit: %s", conveyor.name, error)  # noqa: TRY400
    for conveyor, future, ends in finishing:
        try:
            future.result(max(0.0, ends - time.monotonic()))
        except TimeoutError:
            # One line: a traceback through other threads would tell users nothing at exit.
            logger.error(  # noqa: TRY400
                "%r could not be finished at exit: its event loop is blocked", conveyor.name
            )
        except (Exception, CancelledError) as error:
            logger.error(  # noqa: TRY400
                "%r could not be finished at exit: %s", conveyor.name, str(error) or type(error).__name__
            )


async def _finish(left: Sequence[Conveyor]) -> None:
    outcomes = await asyncio.gather(*(conveyor.finish() for conveyor in left), return_exceptions=True)
    for conveyor, outcome in zip(left, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            logger.error("%r could not be finished at exit: %s", conveyor.name, outcome)


def report_lost() -> None:
    """Says how many rows are lost because no sink ever took them; the last thing at exit."""
    rows = recordings = 0
    for stream in list(streams):
        # One row is the start time, which nobody misses.
        pending = stream.stats().rows_pending
        if pending > 1:
            rows += pending
            recordings += 1
    if rows:
        logger.warning("%d rows of %d recordings are lost: no sink has taken them", rows, recordings)


def _is_orphan(conveyor: Conveyor) -> bool:
    loop = conveyor.loop
    return loop is None or loop.is_closed() or not loop.is_running()


def _after_fork_in_child() -> None:
    """The child starts empty: the parent's rows and sinks stay with the parent."""
    ids.reseed()
    context.after_fork_in_child()
    worker.after_fork_in_child()
    portal = sys.modules.get("aiorerun.portal")
    if portal is not None:
        portal.after_fork_in_child()
    for stream in list(streams):
        stream._start_empty()
    conveyors.clear()


def _at_exit() -> None:
    if _State.registered:
        finish_all()
        report_lost()


process.on_fork.append(_after_fork_in_child)
process.at_exit.append(_at_exit)
atexit.register(process.finish)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=worker.before_fork,
        after_in_parent=worker.after_fork_in_parent,
        after_in_child=process.note_fork,
    )
