"""What the calls of the proxy do, whatever protocol they come by."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from aiorerun.net.assembling import BadMessageError
from aiorerun.net.logmsg import MAX_BODY, MalformedMessage
from aiorerun.server.bodies import entry_of_body, entry_of_table
from aiorerun.server.rpc_error import Code, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.net.assembling import Body
    from aiorerun.server.auth import Authorization
    from aiorerun.server.entries import Entry
    from aiorerun.server.hub import Hub
    from aiorerun.server.reader import Reader

_BATCH: Final = 64
"""So many messages are looked at before other tasks have their turn."""


class Source(Protocol):
    """Where the messages of a request come from."""

    async def read(self) -> list[Body]:
        """Waits for messages; none at all at the end."""
        ...

    def take(self) -> list[Body]:
        """The messages that are there already."""
        ...


class Calls:
    """The four calls, on one hub.

    Args:
        hub: Where messages go and come from.
        authorization: Who may call.
        max_message_bytes: The longest message that is taken.
    """

    def __init__(self, hub: Hub, authorization: Authorization, *, max_message_bytes: int = MAX_BODY) -> None:
        self._hub = hub
        self.authorization = authorization
        self.max_message_bytes = max_message_bytes

    async def write_messages(self, source: Source) -> None:
        """Publishes all messages of a request, each as soon as it has come.

        Messages before a wrong one are kept. Cancelling it keeps those that have come.

        Raises:
            RpcError: A message is wrong or too long, or the server is closing.
            ConnectionError: The peer is gone.
        """
        await self._publish_all(source, entry_of_body)

    async def write_table(self, source: Source) -> None:
        """Publishes one table.

        Raises:
            RpcError: There is no table in the request, or the server is closing.
            ConnectionError: The peer is gone.
        """
        if not await self._publish_all(source, entry_of_table):
            raise RpcError(Code.INTERNAL, "the call takes one request")

    async def read_messages(self, source: Source) -> Reader:
        """A reader of messages, for a request without content.

        Raises:
            RpcError: The request is wrong, or the server is closing.
            ConnectionError: The peer is gone.
        """
        await self._take_request(source)
        return self._hub.attach()

    async def read_tables(self, source: Source) -> Reader:
        """A reader of tables, for a request without content.

        Raises:
            RpcError: The request is wrong, or the server is closing.
            ConnectionError: The peer is gone.
        """
        await self._take_request(source)
        return self._hub.attach(tables=True)

    async def _publish_all(self, source: Source, entry_of: Callable[[Body], Entry]) -> int:
        pending: list[Body] = []
        count = 0
        try:
            while pending := await source.read():
                count += len(pending)
                await self._publish(pending, entry_of)
        except BadMessageError as error:
            raise _rpc_error(error) from None
        except asyncio.CancelledError:
            # The peer is gone, or the server closes. What has come before is kept all the same.
            with suppress(RpcError):
                await self._publish(pending + source.take(), entry_of)
            raise
        return count

    async def _publish(self, pending: list[Body], entry_of: Callable[[Body], Entry]) -> None:
        """Publishes messages; what was published is taken off the list."""
        while pending:
            entries: list[Entry] = []
            error: RpcError | None = None
            for body in pending[:_BATCH]:
                try:
                    entries.append(entry_of(body))
                except MalformedMessage as malformed:
                    error = RpcError(Code[malformed.code], str(malformed))
                    break
            await self._hub.publish(entries)
            if error is not None:
                raise error
            del pending[:_BATCH]
            # Neither reading nor publishing has to wait; others want their turn.
            await asyncio.sleep(0)

    async def _take_request(self, source: Source) -> None:
        try:
            bodies = await source.read()
        except BadMessageError as error:
            raise _rpc_error(error) from None
        if not bodies:
            raise RpcError(Code.INTERNAL, "the call takes one request")


def _rpc_error(error: BadMessageError) -> RpcError:
    # The official server makes no difference between what is damaged and what is compressed.
    is_too_long = error.code == "RESOURCE_EXHAUSTED"
    return RpcError(Code.RESOURCE_EXHAUSTED if is_too_long else Code.INTERNAL, str(error))
