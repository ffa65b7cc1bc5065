"""One connection of a browser that fetches the page: HTTP/1.1 by h11."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import h11

from aiorerun.viewer.files import read_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.viewer.page_answers import Answer, Site

MAX_HEAD_BYTES: Final = 16 * 1024
"""How long the head of a request may be."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds that a browser may take for its next request; then the connection is closed."""

STALL_TIMEOUT: Final = 60.0
"""Seconds that a browser may take to read what was sent; then the connection is closed."""

CLOSE_TIMEOUT: Final = 2.0
"""Seconds that the last answer may take to be read when a connection is closed."""

_READ_BYTES: Final = 16 * 1024
_MAX_UNREAD: Final = 512 * 1024

logger = logging.getLogger("aiorerun")


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
    """Answers requests until the browser goes away, falls silent or talks nonsense; then it closes.

    Cancelling it closes the connection.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    try:
        while await _serve_request(connection, reader, writer, site):
            connection.start_next_cycle()
        await _close(reader, writer)
    except (OSError, h11.LocalProtocolError):
        # TimeoutError is an OSError as well. The browser is gone, or a file has changed under us.
        logger.debug("a connection to the page of the web viewer broke", exc_info=True)
    finally:
        # Does nothing to one that is closed already.
        writer.transport.abort()


async def _serve_request(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site
) -> bool:
    """Answers one request; whether there may be another one."""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT):
            request = await _next_request(connection, reader)
    except h11.RemoteProtocolError as error:
        await _refuse(connection, writer, error.error_status_hint)
        return False
    if request is None:
        return False
    headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers]
    method, target = request.method.decode("ascii"), request.target.decode("latin-1")
    answer = site.answer(method, target, headers)
    await _send(connection, writer, answer, with_body=method != "HEAD")
    # A request with a body is none of ours: what is left of it is not read, so the connection has to end.
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _next_request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The head of the next request, and its end if it has come; ``None`` if the browser has closed."""
    request: h11.Request | None = None
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            request = event
        elif event is h11.NEED_DATA:
            if request is not None:
                return request
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.ConnectionClosed):
            return None
        else:
            # The end of the request, or a body that nobody wants.
            return request


async def _refuse(connection: h11.Connection, writer: asyncio.StreamWriter, status: int) -> None:
    if connection.our_state is h11.IDLE or connection.our_state is h11.SEND_RESPONSE:
        headers = [("content-length", "0"), ("connection", "close")]
        writer.write(connection.send(h11.Response(status_code=status, headers=headers)))
        writer.write(connection.send(h11.EndOfMessage()))
        await _drain(writer)


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, *, with_body: bool
) -> None:
    headers = [*answer.headers, ("date", formatdate(usegmt=True))]
    head = connection.send(h11.Response(status_code=answer.status, headers=headers))
    writer.write(head)
    if with_body and answer.file is not None:
        await _send_file(connection, writer, answer.file, answer.nbytes)
    elif with_body and answer.body:
        writer.write(connection.send(h11.Data(data=answer.body)))
    writer.write(connection.send(h11.EndOfMessage()))
    await _drain(writer)


async def _send_file(
    connection: h11.Connection, writer: asyncio.StreamWriter, path: Path, nbytes: int
) -> None:
    async for block in read_blocks(path, nbytes):
        writer.write(connection.send(h11.Data(data=block)))
        await _drain(writer)


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes once everything is sent; whoever does not read it, or never stops sending, is not waited for."""
    async with asyncio.timeout(CLOSE_TIMEOUT):
        writer.write_eof()
        # Closing with something unread would take the last answer away from the browser.
        for _ in range(_MAX_UNREAD // _READ_BYTES):
            if not await reader.read(_READ_BYTES):
                break
        writer.close()
        await writer.wait_closed()


async def _drain(writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(STALL_TIMEOUT):
        await writer.drain()
