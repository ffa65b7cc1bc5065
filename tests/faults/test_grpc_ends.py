"""Programs with a gRPC sink that end in every way, fork, or are killed: rows arrive, or the loss is told."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.grpc_servers import Received, as_rrd, free_port, without_duplicates
from tests.reading import scalars_of
from tests.unit.sinks.grpc.serving import PATIENCE, FakeServer, is_empty, serving, until

if TYPE_CHECKING:
    from pathlib import Path

START_AND_END_SECS = 20.0
"""What an interpreter may take on a busy machine before and after what is tested."""

ASYNC = """
import asyncio, os, sys, time
import aiorerun as rr
from aiorerun.sinks.grpc import GrpcSink
url = sys.argv[1]
rec = rr.AsyncRecordingStream("ends", recording_id="e", send_properties=False, close_timeout=2.0)

async def log_some(first=0, rows=100):
    for number in range(first, first + rows):
        await rec.log("value", rr.Scalars(float(number)))

async def main():
    await rec.set_sinks(GrpcSink(url))
    await log_some()
"""

SYNC = """
import os, sys, time
import aiorerun.sync as rr
from aiorerun.sinks.grpc import GrpcSink
url = sys.argv[1]
rec = rr.RecordingStream("ends", recording_id="e", send_properties=False, close_timeout=2.0)
rec.set_sinks(GrpcSink(url))
for number in range(100):
    rec.log("value", rr.Scalars(float(number)))
"""

ENDS = {
    "asyncio.run": ASYNC + "asyncio.run(main())",
    "disconnect": ASYNC
    + "\nasync def all():\n    await main()\n    await rec.disconnect()\nasyncio.run(all())",
    "exit in a task": ASYNC
    + "\nasync def all():\n    await main()\n    await rec.flush()\n    sys.exit(0)\nasyncio.run(all())",
    "loop closed": ASYNC
    + """
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.run_until_complete(rec.flush())
loop.close()
""",
    "loop left alone": ASYNC
    + """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(main())
""",
    "goes on in another loop": ASYNC
    + """
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
async def more():
    await log_some(100, 100)
    await rec.disconnect()
asyncio.run(more())
""",
    "facade": SYNC,
    "facade, disconnect": SYNC + "rec.disconnect()",
}


async def run(code: str, *arguments: str) -> tuple[int, str, float]:
    """Runs a program; returns its exit code, what it said, and the seconds it took."""
    start = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "always::ResourceWarning", "-c", code, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(), time.monotonic() - start


def values_at(server: FakeServer, path: str = "/value") -> list[float]:
    """The values that a reader would see."""
    received = [Received(each.kind, bytes(each.payload), each.chunk_id) for each in server.messages]
    return scalars_of(as_rrd(without_duplicates(received)), path)


@pytest.mark.parametrize("end", ENDS)
async def test_rows_arrive_however_a_program_ends(end: str) -> None:
    async with serving() as server:
        code, output, _ = await run(ENDS[end], server.url)
        rows = 200 if end == "goes on in another loop" else 100
        assert values_at(server) == list(map(float, range(rows))), output
        assert server.ended >= 1
        assert code == 0, output
        if "loop" in end:
            # asyncio tells of tasks of the stream that the loop had left, and not of those of the sink.
            assert "aiorerun-grpc" not in output
            assert "unclosed transport" not in output
            assert "unclosed <socket" not in output
            assert "Unclosed connection" not in output
        else:
            assert output == ""


@pytest.mark.parametrize("program", ["asyncio.run", "facade", "loop closed"])
async def test_check_17_without_a_server_a_program_ends_in_time_and_says_what_is_lost(program: str) -> None:
    code = ENDS[program].replace("loop.run_until_complete(rec.flush())", "")
    status, output, secs = await run(code, f"rerun+http://127.0.0.1:{free_port()}/proxy")
    assert status == 0, output
    assert secs < 2.0 + 4.0 + START_AND_END_SECS
    assert "100 rows are lost" in output or "100 rows" in output, output
    assert "Traceback" not in output


async def test_check_20_a_server_that_never_answers_does_not_keep_a_program_alive() -> None:
    async with serving() as server:
        server.answers.clear()
        status, output, secs = await run(ENDS["disconnect"], server.url)
        assert status == 0, output
        assert secs < 2.0 + 4.0 + START_AND_END_SECS
        assert "100 rows in" in output
        assert output.count("without a confirmation") == 1
        assert "Traceback" not in output


FORKING = (
    ASYNC
    + """
import warnings
# What the interpreter says itself, from 3.12 on.
warnings.filterwarnings("ignore", "This process.*is multi-threaded, use of fork", DeprecationWarning)

async def parent():
    await main()
    await rec.flush()
    loop = asyncio.get_running_loop()
    pid = os.fork()
    if pid == 0:
        os._exit(in_child())
    done = await loop.run_in_executor(None, os.waitpid, pid, 0)
    assert done[1] == 0, done
    # The connection is still the parent's alone.
    await log_some(100, 100)
    await rec.flush()
    await rec.disconnect()

def in_child():
    import gc, threading, traceback
    status = []
    def run():
        try:
            asyncio.run(log_in_child())
            status.append(0)
        except BaseException:
            traceback.print_exc()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    gc.collect()
    return status[0] if status else 1

async def log_in_child():
    for number in range(50):
        await rec.log("child", rr.Scalars(float(number)))
    await rec.flush()
    await rec.disconnect()

asyncio.run(parent())
"""
)


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="there is no fork on Windows")
async def test_a_forked_child_has_a_connection_of_its_own() -> None:
    async with serving() as server:
        status, output, _ = await run(FORKING, server.url)
        assert status == 0, output
        assert values_at(server) == list(map(float, range(200)))
        assert values_at(server, "/child") == list(map(float, range(50)))
        # Nothing was sent twice, and the parent's stream was never mixed with the child's.
        assert set(server.chunk_ids().values()) == {1}
        assert len(server.streams) == 2
        assert output == ""
        await server.die()
        assert server.connections == 2


SPILLING = """
import asyncio, sys
import aiorerun as rr
from aiorerun.sinks.grpc import GrpcSink
url, directory = sys.argv[1:3]

async def main():
    rec = rr.AsyncRecordingStream("ends", recording_id="e", send_properties=False)
    await rec.set_sinks(GrpcSink(url, spill_dir=directory))
    row = 0
    while True:
        for _ in range(50):
            await rec.log("value", rr.Scalars(float(row)))
            row += 1
        await rec.flush()
        print(row, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
async def test_what_a_killed_program_has_spilled_is_sent_by_the_next(tmp_path: Path) -> None:
    server = FakeServer()
    server.port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SPILLING, server.url, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    flushed = 0
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while flushed < 1000:
                flushed = int(await process.stdout.readline())
    finally:
        process.kill()
        rest, _ = await process.communicate()
    flushed = max([flushed, *(int(line) for line in rest.split(b"\n")[:-1])])
    await server.start()
    code = ASYNC.replace("GrpcSink(url)", "GrpcSink(url, spill_dir=sys.argv[2])").replace('"value"', '"next"')
    status, output, _ = await run(code + "asyncio.run(main())", server.url, str(tmp_path))
    assert status == 0, output
    assert values_at(server, "/next") == list(map(float, range(100)))
    values = values_at(server)
    assert values == list(map(float, range(len(values))))
    assert len(values) >= flushed
    assert is_empty(tmp_path)
    await until(lambda: server.ended > 0, PATIENCE)
    await server.die()
