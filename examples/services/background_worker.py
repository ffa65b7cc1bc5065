"""A service that hands work to a worker in the background; requests and jobs have timelines of their own.

Run it with ``uvicorn examples.services.background_worker:app``; it writes ``worker-<pid>.rrd``. ``bare_app``
is the same without telemetry.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware, lifespan

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

STEPS = 5


class Worker:
    """Does one job after the other."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.done: dict[int, int] = {}
        self._submitted = 0

    def submit(self) -> int:
        self._submitted += 1
        self.queue.put_nowait(self._submitted)
        # In the scope of the request, while the job itself will be in one of its own.
        rr.log_nowait("jobs/waiting", rr.Scalars(self.queue.qsize()))
        return self._submitted

    async def run(self) -> None:
        while True:
            job = await self.queue.get()
            with rr.at("job", sequence=job):
                self.done[job] = await self.work()

    async def work(self) -> int:
        total = 0
        for step in range(STEPS):
            await asyncio.sleep(0.001)
            total += step
            await rr.log("jobs/progress", rr.Scalars((step + 1) / STEPS))
        await rr.log("jobs/log", rr.TextLog(f"the result is {total}"))
        return total


@asynccontextmanager
async def work(app: FastAPI) -> AsyncGenerator[None]:
    app.state.worker = worker = Worker()
    task = asyncio.create_task(worker.run())
    yield
    task.cancel()


def make_app(**telemetry: Any) -> FastAPI:
    app = FastAPI(lifespan=lifespan(work, **telemetry) if telemetry else work)
    if telemetry:
        app.add_middleware(RerunMiddleware)

    @app.post("/jobs", status_code=202)
    async def submit() -> dict[str, int]:
        return {"job": app.state.worker.submit()}

    @app.get("/jobs/{job}")
    async def result(job: int) -> dict[str, int]:
        if job not in app.state.worker.done:
            raise HTTPException(404, "not done")
        return {"result": app.state.worker.done[job]}

    return app


app = make_app(save="worker-{pid}.rrd")
bare_app = make_app()
