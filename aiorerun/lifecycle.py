"""What happens at interpreter exit and after a fork."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Final

from aiorerun import context, process, worker
from aiorerun.conveyor import conveyors
from aiorerun.stream_base import streams
from aiorerun.types.ids import ids

if TYPE_CHECKING:
    from concurrent.futures import Future

    from aiorerun.conveyor import Conveyor

GRACE_SECS: Final = 3.0
"""So much longer than its sinks may take an event loop in another thread is waited for."""

logger = logging.getLogger("aiorerun")


def finish_all() -> None:
    """Finishes streams whose event loop is gone: delivers what they hold and closes their sinks.

    Runs at interpreter exit. Their workers still live, so no thread has to be started.
    """
    finish_on_running_loops()
    left = [conveyor for conveyor in conveyors if _is_orphan(conveyor)]
    if not left:
        return
    try:
        asyncio.run(_finish(left))
    except Exception as error:
        logger.error(  # noqa: TRY400 - one line at exit, no traceback
            "recordings could not be finished at exit: %s: %s", type(error).__name__, error
        )


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


async def _finish(left: list[Conveyor]) -> None:
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


process.on_fork.append(_after_fork_in_child)
process.at_exit.extend((report_lost, finish_all))
atexit.register(process.finish)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=worker.before_fork,
        after_in_parent=worker.after_fork_in_parent,
        after_in_child=process.note_fork,
    )
