"""The processes of one run of ``benchmarks.seen``: one that logs, with either SDK, and the reader.

``write SDK ROUTE TARGET ROWS`` prints the URL to read from, waits for a line, and logs; ``read URL ROWS``
prints a line when it is connected, and how long each row was on its way when it has seen all of them.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SDKS: Final = ("rerun", "aiorerun")
ROUTES: Final = ("proxy", "direct")

_TIMELINE: Final = "sent"
_MIN_GAP, _MAX_GAP = 0.005, 0.020
"""Seconds between two rows: less and more than the batchers wait."""

_WARM_UP_ROWS: Final = 16
_SETTLE_SECS: Final = 0.3
_SEED: Final = 41
_SILENCE_SECS: Final = 30.0
_MAX_CHUNK_BYTES: Final = 1 << 24


def _gaps(rows: int) -> Iterator[float]:
    """The same pauses for every SDK."""
    generator = random.Random(_SEED)
    return (generator.uniform(_MIN_GAP, _MAX_GAP) for _ in range(rows))


def _port_of(target: str) -> int:
    return int(target.rpartition(":")[2])


def _write_rerun(route: str, target: str, rows: int) -> None:
    """The official SDK, used as its documentation does."""
    import rerun as rr

    rec = rr.RecordingStream(
        "benchmark", make_default=True, batcher_config=rr.ChunkBatcherConfig.LOW_LATENCY()
    )
    if route == "proxy":
        rec.connect_grpc(target)
        url = target
    else:
        url = rec.serve_grpc(grpc_port=_port_of(target))
    print(url, flush=True)
    sys.stdin.readline()
    for number, gap in enumerate(_gaps(_WARM_UP_ROWS)):
        rr.set_time("warm_up", sequence=number)
        rr.log("signal", rr.Scalars(0.5))
        time.sleep(gap)
    rr.reset_time()
    time.sleep(_SETTLE_SECS)
    for number, gap in enumerate(_gaps(rows)):
        rr.set_time(_TIMELINE, sequence=time.monotonic_ns())
        rr.log("signal", rr.Scalars(float(number)))
        time.sleep(gap)
    sys.stdin.readline()
    rec.disconnect()


async def _write_aiorerun(route: str, target: str, rows: int) -> None:
    """aiorerun, used from asyncio."""
    import aiorerun as rr

    rec = rr.AsyncRecordingStream("benchmark", batcher_config=rr.ChunkBatcherConfig.LOW_LATENCY())
    if route == "proxy":
        await rec.connect_grpc(target)
        url = target
    else:
        url = await rec.serve_grpc(grpc_port=_port_of(target))
    print(url, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for number, gap in enumerate(_gaps(_WARM_UP_ROWS)):
        rec.set_time("warm_up", sequence=number)
        await rec.log("signal", rr.Scalars(0.5))
        await asyncio.sleep(gap)
    rec.reset_time()
    await asyncio.sleep(_SETTLE_SECS)
    for number, gap in enumerate(_gaps(rows)):
        rec.set_time(_TIMELINE, sequence=time.monotonic_ns())
        await rec.log("signal", rr.Scalars(float(number)))
        await asyncio.sleep(gap)
    await asyncio.to_thread(sys.stdin.readline)
    await rec.disconnect()


async def _read(url: str, rows: int) -> None:
    from grpclib.const import Cardinality

    from aiorerun.net.channel import open_channel
    from aiorerun.net.endpoint import Endpoint
    from aiorerun.net.methods import READ_MESSAGES
    from aiorerun.net.reading import MessageReader

    channel = await open_channel(Endpoint.parse(url), timeout=_SILENCE_SECS)
    late: list[float] = []
    async with channel.request(READ_MESSAGES, Cardinality.UNARY_STREAM, bytes, bytes) as stream:
        await stream.send_message(b"", end=True)
        # The answer of the server begins when the reader is registered.
        await stream.recv_initial_metadata()
        print("ready", flush=True)
        reader = MessageReader(stream)
        while len(late) < rows:
            async with asyncio.timeout(_SILENCE_SECS):
                bodies = await reader.read()
            now = time.monotonic_ns()
            if not bodies:
                raise RuntimeError(f"the server has ended the stream after {len(late)} rows")
            for body in bodies:
                late.extend((now - sent) / 1e6 for sent in _times(body))
        await stream.cancel()
    channel.close()
    print(json.dumps(_summary(late)))


def _times(body: Any) -> list[int]:
    """When the rows of a message were logged; nothing for messages without such rows."""
    from aiorerun.codec.decode_messages import decode_message
    from aiorerun.codec.framing import MessageKind
    from aiorerun.net.logmsg import parse_log_msg

    message = parse_log_msg(body)
    if message.kind is not MessageKind.ARROW_MSG:
        return []
    decoded: Any = decode_message(message.kind, message.payload)
    batch = decoded.batch(_MAX_CHUNK_BYTES)
    if _TIMELINE not in batch.schema.names:
        return []
    column = batch.column(_TIMELINE)
    times: list[int] = column.cast("int64").to_pylist()
    return times


def _summary(late: list[float]) -> dict[str, float]:
    ordered = sorted(late)
    last = len(ordered) - 1
    return {
        f"p{percent}_ms": ordered[min(len(ordered) * percent // 100, last)] for percent in (50, 90, 99)
    } | {"max_ms": ordered[last]}


def main(arguments: Sequence[str]) -> None:
    """Runs one of the two."""
    what, *rest = arguments
    if what == "read":
        url, rows = rest
        asyncio.run(_read(url, int(rows)))
        return
    sdk, route, target, rows = rest
    if sdk not in SDKS or route not in ROUTES:
        raise ValueError(f"nobody writes with {sdk!r} by {route!r}")
    if sdk == "rerun":
        _write_rerun(route, target, int(rows))
    else:
        asyncio.run(_write_aiorerun(route, target, int(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
