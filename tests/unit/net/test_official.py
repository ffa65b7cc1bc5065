"""Both ways against the official server."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import store_info_message
from aiorerun.net.frames import MessageWriter
from aiorerun.net.logmsg import Framed, frame, frame_bytes, parse_log_msg
from aiorerun.net.reading import MessageReader
from aiorerun.proto.rerun.common.v1alpha1 import ApplicationId, StoreId as StoreIdMessage, StoreKind
from aiorerun.proto.rerun.log_msg.v1alpha1 import ArrowMsg
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import STORE
from tests.unit.net.serving import (
    LOOPS,
    Tap,
    connected,
    official_server,
    reading,
    run_on,
    writing,
)

if TYPE_CHECKING:
    from tests.conftest import Sized

MEMORY = ("--serve-grpc", "--server-memory-limit", "4GB")


def chunk_of(size: int) -> Framed:
    """A message whose payload nobody decodes on the way."""
    store_id = StoreIdMessage(
        kind=StoreKind.RECORDING,
        recording_id=STORE.recording_id,
        application_id=ApplicationId(id=STORE.application_id),
    )
    message = ArrowMsg(store_id=store_id, payload=os.urandom(size), is_static=False)
    return frame_bytes(MessageKind.ARROW_MSG, bytes(message))


def bodies_of(messages: list[Framed]) -> Counter[bytes]:
    return Counter(b"".join(message.segments)[5:] for message in messages)


async def write_all(channel: Any, messages: list[Framed], *, direct: bool, burst: int) -> None:
    async with writing(channel) as stream:
        writer = MessageWriter(stream, direct=direct)
        for start in range(0, len(messages), burst):
            await writer.write(messages[start : start + burst])
        await stream.end()
        assert await stream.recv_message() == b""


async def read_all(channel: Any, count: int, *, direct: bool) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    async with reading(channel) as stream:
        await stream.send_message(b"", end=True)
        reader = MessageReader(stream, direct=direct)
        while found.total() < count:
            for body in await reader.read():
                parse_log_msg(body)
                found[bytes(body)] += 1
        await stream.cancel()
    return found


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by h2"])
def test_check_10_there_and_back(loop: str, direct: bool, sized: Sized) -> None:
    count = sized(10_000, 50_000)

    async def main() -> None:
        messages = [frame(store_info_message(STORE, Tuid(1, number), (3, 11, 0))) for number in range(count)]
        messages += [chunk_of(size) for size in (0, 1, 200, 16_384, 5_000_000, 3_000_000)]
        tap = Tap()
        async with (
            asyncio.timeout(100),
            official_server(*MEMORY) as server,
            tap.before(server) as endpoint,
            connected(endpoint) as channel,
        ):
            await write_all(channel, messages, direct=direct, burst=1000)
            assert await read_all(channel, len(messages), direct=direct) == bodies_of(messages)
        assert tap.problems == []
        sizes = tap.up.sizes()
        # Only the last frame of each burst may be a short one.
        assert sum(size < 256 for size in sizes) <= len(messages) / 1000 + 2

    run_on(loop, main())


async def test_check_08_small_messages_against_a_reader_that_never_reads(sized: Sized) -> None:
    """The official server holds the writer up, and does not close its connection."""
    count = sized(40_000, 100_000)
    messages = [frame(store_info_message(STORE, Tuid(1, number), (3, 11, 0))) for number in range(count)]
    async with (
        asyncio.timeout(100),
        official_server(*MEMORY) as endpoint,
        connected(endpoint) as stuck,
        connected(endpoint) as channel,
    ):
        stream = reading(stuck)
        async with stream:
            await stream.send_message(b"", end=True)
            await stream.recv_initial_metadata()
            # Nothing is acknowledged from here on.
            stuck._protocol._transport.pause_reading()  # type: ignore[union-attr]
            task = asyncio.create_task(write_all(channel, messages, direct=True, burst=500))
            await asyncio.wait([task], timeout=1.5)
            assert channel.is_connected
            stuck._protocol._transport.abort()  # type: ignore[union-attr]
            await task
        assert (await read_all(channel, count, direct=True)).total() == count
