"""Blueprints on their way into a stream: each becomes a store of its own beside the recording.

A blueprint is a few hundred rows at most, and only of use as a whole: it is captured when it is sent, its
messages are made in the worker in one go, and nothing drops a part of it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiorerun import forward
from aiorerun.engine.cargo import Ready
from aiorerun.pipeline.overflow import ESSENTIAL
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind, random_blueprint_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.blueprint._rows import BlueprintRow
    from aiorerun.codec.messages import Message
    from aiorerun.stream_base import BaseRecordingStream

ROW_BYTES: Final = 1024
"""About what a row of a blueprint costs before it is encoded."""


class BlueprintLike(Protocol):
    """What can be sent as a blueprint: a blueprint, a view, a container, or a blueprint out of a file."""

    def to_blueprint(self) -> Any:
        """The whole blueprint."""
        ...


class BlueprintJob:
    """A captured blueprint; called in the worker, it makes the messages, always the same.

    Attributes:
        store: The store that it becomes.
        rows: How many rows it has.
        load: Reads it from its file, if that has still to be done; blocks. The call does it, too.
        key: Equal for blueprints of which only the last one counts.
    """

    __slots__ = ("_make_chunks", "key", "load", "make_active", "make_default", "rows", "store")

    def __init__(
        self,
        store: StoreId,
        make_chunks: Callable[[], Sequence[Message]],
        rows: int,
        *,
        make_active: bool,
        make_default: bool,
        load: Callable[[], None] | None = None,
    ) -> None:
        self.store = store
        self.rows = rows
        self.load = load
        self.make_active = make_active
        self.make_default = make_default
        self.key = (StoreKind.BLUEPRINT, store.application_id, make_active, make_default)
        self._make_chunks = make_chunks

    def __call__(self) -> list[Message]:
        """The announcement of the store, the chunks, and last what puts them to use."""
        from aiorerun.codec.messages import blueprint_activation_message, store_info_message

        # Official programs announce a blueprint twice, and readers are used to it.
        return [
            *(store_info_message(self.store, ids.next(), sys.version_info[:3]) for _ in range(2)),
            *self._make_chunks(),
            blueprint_activation_message(
                self.store, make_active=self.make_active, make_default=self.make_default
            ),
        ]

    def ready(self) -> Ready:
        """The blueprint as something to be queued."""
        return Ready(self, self.rows, self.rows * ROW_BYTES, ESSENTIAL, self.key)


def check_blueprint(context: str, blueprint: object) -> None:
    """Checks an argument that may be sent as a blueprint.

    Args:
        context: Function and parameter, for the message.
        blueprint: What was passed.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(blueprint, type) or not callable(getattr(blueprint, "to_blueprint", None)):
        shown = blueprint.__name__ if isinstance(blueprint, type) else type(blueprint).__name__
        raise TypeError(
            f"{context}: expected a Blueprint, a view or a container of aiorerun.blueprint, or a blueprint "
            f"out of a file, got {'the class ' if isinstance(blueprint, type) else ''}{shown}"
        )


def capture(
    context: str, blueprint: object, application_id: str, *, make_active: bool, make_default: bool
) -> BlueprintJob:
    """Takes a blueprint as it is now; what becomes of it later changes nothing.

    Args:
        context: Function and parameter, for messages.
        blueprint: Anything with ``to_blueprint()``.
        application_id: Whose recordings it is for.
        make_active: Show it now.
        make_default: Show it when the viewer's own blueprint is reset, and now if there is no other.

    Raises:
        TypeError: It is no blueprint.
        ValueError: It is a recording.
    """
    check_blueprint(context, blueprint)
    whole = blueprint.to_blueprint()  # type: ignore[attr-defined]
    store = StoreId(StoreKind.BLUEPRINT, application_id, random_blueprint_id())
    job = partial(BlueprintJob, store, make_active=bool(make_active), make_default=bool(make_default))
    make_messages = getattr(whole, "_stored_messages", None)
    if make_messages is not None:
        return job(partial(make_messages, store), whole.num_rows, load=whole.load)
    make_rows = getattr(whole, "_rows", None)
    if make_rows is None:
        raise TypeError(
            f"{context}: {type(blueprint).__name__}.to_blueprint() gave no Blueprint of aiorerun.blueprint, "
            f"but {type(whole).__name__}"
        )
    rows: list[BlueprintRow] = [each for each in make_rows() if each.row[0].columns]
    return job(partial(_encoded, store, rows), len(rows))


def _encoded(store: StoreId, rows: Sequence[BlueprintRow]) -> list[Message]:
    from aiorerun.blueprint._rows import chunks_of
    from aiorerun.codec.messages import chunk_message

    return [chunk_message(store, chunk) for chunk in chunks_of(rows, ids)]


async def send_async(stream: BaseRecordingStream, job: BlueprintJob) -> None:
    """Sends a blueprint from a coroutine, when there is room."""
    if job.load is not None:
        await asyncio.to_thread(job.load)
    await forward.admit(stream, "send_blueprint", job.ready())


def send_blocking(stream: BaseRecordingStream, job: BlueprintJob) -> None:
    """Sends a blueprint from a thread, when there is room."""
    if job.load is not None:
        job.load()
    forward.admit_blocking(stream, "send_blueprint", job.ready())
