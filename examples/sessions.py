"""Many asyncio tasks at once, each with a recording and times of its own.

Writes ``session_0.rrd`` to ``session_4.rrd``. ``async with`` makes a recording the active one of the task, so
code further down needs neither an argument nor a global.
"""

from __future__ import annotations

import asyncio
import random

import aiorerun as rr


async def handle(request: int) -> None:
    """Knows nothing of recordings: what it logs goes to the one of the task that runs it."""
    with rr.at("request", sequence=request):
        await rr.log("events", rr.TextLog(f"request {request} began"))
        await asyncio.sleep(random.uniform(0.0, 0.002))
        await rr.log("events", rr.TextLog(f"request {request} ended"))


async def session(number: int) -> None:
    async with rr.AsyncRecordingStream("example_sessions", recording_id=f"session {number}") as rec:
        await rec.save(f"session_{number}.rrd")
        for request in range(20):
            await handle(request)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(session(number))


if __name__ == "__main__":
    asyncio.run(main())
