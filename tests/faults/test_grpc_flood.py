"""Many tiny messages against a reader that is stuck: the server is never given a reason to hang up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Cardinality

from aiorerun.codec.messages import chunk_message
from aiorerun.net.channel import open_channel
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.methods import READ_MESSAGES
from aiorerun.sinks.grpc import GrpcSink
from tests.faults.grpc_servers import official_server, read_messages, without_duplicates
from tests.unit.codec.building import STORE, announcement, scalar_chunk
from tests.unit.sinks.grpc.serving import PATIENCE, opened

if TYPE_CHECKING:
    from tests.conftest import Sized


@pytest.mark.timeout(600)
async def test_check_08_a_stuck_reader_costs_no_message_and_no_connection(sized: Sized) -> None:
    count = sized(10_000, 100_000)
    messages = [chunk_message(STORE, scalar_chunk("/a", [number])) for number in range(count)]
    with official_server() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.connected(PATIENCE)
            await sink.write([announcement()])
            reader: Any = await open_channel(Endpoint.parse(server.url), timeout=PATIENCE)
            try:
                stream = reader.request(READ_MESSAGES, Cardinality.UNARY_STREAM, bytes, bytes)
                await stream.__aenter__()
                await stream.send_message(b"", end=True)
                # It does not read from now on, nor answer.
                reader._protocol._transport.pause_reading()

                async def write() -> None:
                    for start in range(0, count, 500):
                        await sink.write(messages[start : start + 500])

                writing = asyncio.ensure_future(write())
                await asyncio.wait({writing}, timeout=2.0)
                assert not writing.done(), "nothing was stuck"
            finally:
                reader._protocol._transport.abort()
                reader.close()
            await asyncio.wait_for(writing, 200.0)
            await sink.flush_acknowledged()
            received = without_duplicates(await read_messages(server.url, lambda got: len(got) > count))
            await sink.aclose()
        assert sink.status.connections == 1
        assert len([message for message in received if message.chunk_id is not None]) == count
        assert not context.lost
