"""What happens at interpreter exit and after a fork."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
from typing import TYPE_CHECKING

from aiorerun import context, worker
from aiorerun.conveyor import conveyors
from aiorerun.stream_base import streams
from aiorerun.types.ids import ids

if TYPE_CHECKING:
    from aiorerun.conveyor import Conveyor

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
    """Streams whose loop still runs in another thread (the facade's) are finished there."""
    for conveyor in list(conveyors):
        loop = conveyor.loop
        if loop is None or not loop.is_running() or conveyor.is_on_own_thread:
            continue
        try:
            asyncio.run_coroutine_threadsafe(conveyor.finish(), loop).result(conveyor.close_timeout + 1)
        except Exception as error:
            # One line: a traceback through other threads would tell users nothing at exit.
            logger.error("%r could not be finished at exit: %s", conveyor.name, error)  # noqa: TRY400


async def _finish(left: list[Conveyor]) -> None:
    outcomes = await asyncio.gather(*(conveyor.finish() for conveyor in left), return_exceptions=True)
    for conveyor, outcome in zip(left, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            logger.error("%r could not be finished at exit: %s", conveyor.name, outcome)


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


atexit.register(finish_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=worker.before_fork,
        after_in_parent=worker.after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
