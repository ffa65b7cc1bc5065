"""What gRPC itself costs, beside grpclib as it comes: ``python -m benchmarks.transport``.

Each run is a process of its own that sends or reads messages of one length over one connection of
127.0.0.1; the other end is the same in all runs, in a process of its own. What counts is the CPU of the
process from the first message to the last, both ways in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks import runner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence

GOAL: Final = 1 / 3
"""So much of grpclib's CPU per byte may be needed."""

SIZES: Final = {100: 2, 1_000: 16, 20_000: 96, 100_000: 128, 1_000_000: 256}
"""Bytes of a message, and how many MB of them one run sends."""

DIRECTIONS: Final = ("send", "read")
WAYS: Final = ("grpclib", "aiorerun")

_WRITE_BYTES: Final = 1 << 20
"""About so much is written together, as the sink does."""

_WARM_UP_BYTES: Final = 1 << 20
_WINDOW: Final = 8 << 20


@dataclass(slots=True)
class Transport:
    """The figures of one direction and one length, one entry per run of each way."""

    direction: str
    size: int
    mbytes: int
    runs: dict[str, list[runner.Figures]] = field(default_factory=dict)

    def per_mb(self, way: str) -> float:
        """The median of the CPU per MB, in ms."""
        return 1e3 * statistics.median(run["cpu_s"] for run in self.runs[way]) / self.mbytes

    def lowest(self, way: str) -> float:
        """The lowest CPU per MB, in ms."""
        return 1e3 * min(run["cpu_s"] for run in self.runs[way]) / self.mbytes

    def share(self) -> float:
        """The part of grpclib's CPU that ours needs: the median over the pairs."""
        pairs = zip(self.runs["aiorerun"], self.runs["grpclib"], strict=True)
        return statistics.median(ours["cpu_s"] / stock["cpu_s"] for ours, stock in pairs)


# --- the process that is measured --------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _call(way: str, direction: str, port: int) -> AsyncGenerator[Any]:
    """A call to the other end."""
    from grpclib.client import Channel
    from grpclib.config import Configuration
    from grpclib.const import Cardinality

    from aiorerun.net.channel import open_channel
    from aiorerun.net.endpoint import Endpoint
    from aiorerun.net.methods import READ_MESSAGES, WRITE_MESSAGES, RawCodec

    channel: Any
    if way == "aiorerun":
        channel = await open_channel(Endpoint(False, "127.0.0.1", port), timeout=30)
    else:
        config = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
        channel = Channel("127.0.0.1", port, codec=RawCodec(), config=config)  # type: ignore[arg-type]
    try:
        path, kind = (
            (WRITE_MESSAGES, Cardinality.STREAM_UNARY)
            if direction == "send"
            else (READ_MESSAGES, Cardinality.UNARY_STREAM)
        )
        async with channel.request(path, kind, bytes, bytes) as stream:
            yield stream
    finally:
        channel.close()


async def _send_stock(stream: Any, size: int, nbytes: int) -> None:
    body = bytes(size)
    for _ in range(nbytes // size):
        await stream.send_message(body)
    await stream.end()
    await stream.recv_message()


async def _send_ours(stream: Any, size: int, nbytes: int) -> None:
    from aiorerun.net.frames import MessageWriter
    from aiorerun.net.logmsg import frame_body

    writer = MessageWriter(stream)
    count, together = nbytes // size, max(1, _WRITE_BYTES // size)
    body = bytes(size)
    while count > 0:
        await writer.write([frame_body(body) for _ in range(min(count, together))])
        count -= together
    await stream.end()
    await stream.recv_message()


async def _read_stock(stream: Any, size: int, nbytes: int) -> None:
    await stream.send_message(b"%d %d" % (size, nbytes), end=True)
    got = 0
    while (body := await stream.recv_message()) is not None:
        got += len(body)
    assert got == nbytes // size * size, got


async def _read_ours(stream: Any, size: int, nbytes: int) -> None:
    from aiorerun.net.reading import MessageReader

    await stream.send_message(b"%d %d" % (size, nbytes), end=True)
    got = 0
    reader = MessageReader(stream)
    while bodies := await reader.read():
        got += sum(map(len, bodies))
    assert got == nbytes // size * size, got


_FUNCTIONS: Final[dict[tuple[str, str], Callable[[Any, int, int], Awaitable[None]]]] = {
    ("send", "grpclib"): _send_stock,
    ("send", "aiorerun"): _send_ours,
    ("read", "grpclib"): _read_stock,
    ("read", "aiorerun"): _read_ours,
}


async def _child(way: str, direction: str, size: int, nbytes: int, port: int) -> None:
    """One run; prints its figures."""
    function = _FUNCTIONS[direction, way]
    figures: runner.Figures = {}
    for amount in (max(size, _WARM_UP_BYTES), nbytes):
        # A collection of all that was imported takes as long as sending 20 MB, and would fall into some runs.
        gc.collect()
        start, cpu = time.perf_counter(), time.process_time()
        async with _call(way, direction, port) as stream:
            await function(stream, size, amount)
        figures = {"closed_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    print(json.dumps(figures))


# --- the other end -----------------------------------------------------------------------------------


class _Peer:
    """Takes messages, and sends as many as it is asked for."""

    def __mapping__(self) -> dict[str, Any]:
        from grpclib.const import Cardinality, Handler

        from aiorerun.net.methods import READ_MESSAGES, WRITE_MESSAGES

        return {
            WRITE_MESSAGES: Handler(self._take, Cardinality.STREAM_UNARY, bytes, bytes),
            READ_MESSAGES: Handler(self._give, Cardinality.UNARY_STREAM, bytes, bytes),
        }

    async def _take(self, stream: Any) -> None:
        from aiorerun.net.reading import MessageReader

        reader = MessageReader(stream)
        while await reader.read():
            pass
        await stream.send_message(b"")

    async def _give(self, stream: Any) -> None:
        from aiorerun.net.frames import MessageWriter
        from aiorerun.net.logmsg import frame_body

        size, nbytes = map(int, (await stream.recv_message()).split())
        writer = MessageWriter(stream)
        message = frame_body(bytes(size))
        count, together = nbytes // size, max(1, _WRITE_BYTES // size)
        while count > 0:
            await writer.write([message] * min(count, together))
            count -= together


async def _peer() -> None:
    """Serves until it is killed; prints its port."""
    import grpclib.server
    from grpclib.config import Configuration

    from aiorerun.net.methods import RawCodec
    from aiorerun.net.protocol import WireProtocol

    class Server(grpclib.server.Server):
        def _protocol_factory(self) -> WireProtocol:
            return WireProtocol(super()._protocol_factory().handler, self._config, self._h2_config)

    config = Configuration(http2_connection_window_size=_WINDOW, http2_stream_window_size=_WINDOW)
    server = Server([_Peer()], codec=RawCodec(), config=config)  # type: ignore[arg-type]
    await server.start("127.0.0.1", 0)
    assert server._server is not None
    print(server._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]
    await server.wait_closed()


@contextlib.contextmanager
def _peer_process() -> Generator[int]:
    command = [sys.executable, "-m", "benchmarks.transport", "--peer"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=runner.environment(None), text=True)
    with process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


# --- the command -------------------------------------------------------------------------------------


def run(way: str, direction: str, size: int, nbytes: int) -> runner.Figures:
    """One run of one way, with a peer of its own."""
    with _peer_process() as port:
        arguments = [way, direction, str(size), str(nbytes), str(port)]
        command = [sys.executable, "-m", "benchmarks.transport", "--child", *arguments]
        printed, usage = runner.run_process(command, runner.environment(None))
    figures: runner.Figures = json.loads(printed.splitlines()[-1])
    return {**figures, **usage}


def compare(direction: str, size: int, pairs: int, quick: bool) -> Transport:
    """Measures one direction and one length both ways."""
    mbytes = 1 if quick else SIZES[size]

    def contender(way: str) -> Callable[[], runner.Figures]:
        return lambda: run(way, direction, size, mbytes * 1_000_000)

    runs = runner.in_turn(pairs, {way: contender(way) for way in WAYS})
    return Transport(direction, size, mbytes, runs)


def compare_all(pairs: int, quick: bool) -> list[Transport]:
    """Measures everything."""
    return [compare(direction, size, pairs, quick) for direction in DIRECTIONS for size in SIZES]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns the exit code."""
    from benchmarks import live_report, report

    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="runs of each way (default: 5)")
    parser.add_argument("--only", nargs="+", choices=DIRECTIONS, default=DIRECTIONS)
    parser.add_argument("--sizes", nargs="+", type=int, choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--quick", action="store_true", help="1 MB, one run: whether everything runs")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peer:
        asyncio.run(_peer())
        return 0
    if options.child:
        way, direction, *numbers = options.child
        asyncio.run(_child(way, direction, *map(int, numbers)))
        return 0
    print(report.machine())
    pairs = 1 if options.quick else options.pairs
    results = [
        compare(direction, size, pairs, options.quick) for direction in options.only for size in options.sizes
    ]
    live_report.print_transport(results, has_goal=not options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
