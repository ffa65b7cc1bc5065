"""Blueprints sent to viewers, without a recording."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from aiorerun.blueprint._store import messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.blueprint._store import Stored
    from aiorerun.types.store import StoreId

_T = TypeVar("_T")


class _Alone:
    """What a sink is told when there is no stream behind it."""

    has_given_up = False

    def __init__(self, store: StoreId) -> None:
        self.store = store

    async def run_blocking(self, function: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(function)

    def hold_bytes(self, nbytes: int) -> None:
        """There is no limit to count towards."""

    def lose(self, rows: int, reason: str) -> None:
        """The flush tells of it."""


async def send(
    blueprint: Stored, application_id: str, url: str | None, *, make_active: bool, make_default: bool
) -> None:
    """Sends a blueprint to a server, and returns when that has it.

    Raises:
        InvalidUrlError: The URL is none of a server.
        ConnectionError: The server cannot be reached within some seconds.
    """
    from aiorerun.sinks.grpc import GrpcSink

    messages = messages_of(blueprint, application_id, make_active=make_active, make_default=make_default)
    sink = GrpcSink(url)
    await sink.open(_Alone(messages[0].store))
    try:
        await sink.write(messages)
        await sink.flush_acknowledged()
    finally:
        await sink.aclose()


async def spawn(
    blueprint: Stored,
    application_id: str,
    *,
    port: int,
    memory_limit: str,
    hide_welcome_screen: bool,
    detach_process: bool,
) -> None:
    """Starts a viewer that shows the blueprint."""
    from aiorerun.viewer.spawn import spawn as spawn_viewer

    await spawn_viewer(
        port=port,
        memory_limit=memory_limit,
        hide_welcome_screen=hide_welcome_screen,
        detach_process=detach_process,
    )
    url = f"rerun+http://127.0.0.1:{port}/proxy"
    await send(blueprint, application_id, url, make_active=True, make_default=True)
