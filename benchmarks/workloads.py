"""What is measured.

Only the standard library here: the process that starts the others must stay small, because Linux counts
the parent's memory at the start of a process as the child's peak.
"""

from __future__ import annotations

from dataclasses import dataclass

SINKS = ("file", "grpc", "memory")
"""Where rows can go: a file, the official proxy server in a process of its own, the memory sink."""
ALL = SINKS
LIVE = ("file", "grpc")

THREADS = 8
ENTITIES = 50

ROWS_PER_CALL = {"columns_huge": 5_000_000, "columns_1k": 1_000}
"""How many rows one call sends, for the workloads where that is not one."""


def calls(workload: str, rows: int) -> int:
    """In how many calls a workload sends so many rows."""
    return max(1, rows // ROWS_PER_CALL.get(workload, 1))


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure.

    Args:
        name: How it is called on the command line and in the SDK modules.
        title: How it is called in tables.
        rows: Rows logged in a full run.
        quick_rows: Rows logged in a smoke run.
        sinks: Where the rows go, one measurement each.
        goal: The CPU ratio wanted for the file sink.
        grpc_goal: The same for the gRPC sink.
        peers: Other SDKs that are measured beside.
    """

    name: str
    title: str
    rows: int
    quick_rows: int
    sinks: tuple[str, ...] = ("file",)
    goal: float = 1.0
    grpc_goal: float = 1.0
    peers: tuple[str, ...] = ()


WORKLOADS: tuple[Workload, ...] = (
    Workload(
        "scalars",
        "`set_time` + `Scalars`, 1 entity",
        100_000,
        500,
        ALL,
        25.0,
        20.0,
        ("foxglove", "mcap"),
    ),
    Workload("entities", f"`set_time` + `Scalars`, {ENTITIES} entities", 100_000, 500, LIVE, 20.0, 15.0),
    Workload("text_log", "`TextLog`", 60_000, 500, LIVE, 15.0, 12.0),
    Workload("any_values", "`AnyValues`", 50_000, 500, LIVE, 15.0, 12.0),
    Workload("static", "static `Scalars`", 60_000, 500, LIVE, 15.0, 12.0),
    Workload("transform", "`Transform3D`", 60_000, 500, ALL, 20.0, 15.0),
    Workload("points_1k", "`Points3D`, 1,000 points", 20_000, 50, ALL, 5.0, 4.0),
    Workload("points_1k_colors", "`Points3D`, 1,000 points, colors, radii", 20_000, 50, goal=5.0),
    Workload("points_100k", "`Points3D`, 100,000 points", 400, 5, ALL, 3.0, 2.5),
    Workload("image", "`Image`, 640×480×3", 500, 5, ALL, 3.5, 2.5),
    Workload("threads", f"`Scalars` from {THREADS} threads, blocking API", 80_000, 800, goal=15.0),
    Workload("one_row_chunks", "`Scalars`, one row per chunk", 20_000, 100),
    Workload(
        "columns_huge", "`send_columns`, one call of 5 million `Scalars`", 5_000_000, 5_000, LIVE, 3.0, 2.0
    ),
    Workload("columns_1k", "`send_columns`, 1,000 `Scalars` a call", 1_000_000, 5_000, LIVE, 2.0, 1.7),
)

LATENCY = Workload("latency", "latency of one small `log` while chunks are flushed", 30_000, 300)

IMPORTS: dict[str, dict[str, str]] = {
    "import": {
        "rerun": "import rerun",
        "aiorerun": "import aiorerun",
    },
    "import of all archetypes, with what they need": {
        "rerun": "import rerun.archetypes",
        "aiorerun": ("import aiorerun.archetypes as a\nfor name in a.__all__:\n    getattr(a, name)\n"),
    },
    "import, first `log` of a `Scalars`, close": {
        "rerun": (
            "import sys, rerun as rr\n"
            "rec = rr.RecordingStream('benchmark')\n"
            "rec.save(sys.argv[1])\n"
            "rec.log('a', rr.Scalars(1.0))\n"
            "rec.disconnect()\n"
        ),
        "aiorerun": (
            "import asyncio, sys, aiorerun as rr\n"
            "async def main():\n"
            "    async with rr.AsyncRecordingStream('benchmark') as rec:\n"
            "        await rec.save(sys.argv[1])\n"
            "        await rec.log('a', rr.Scalars(1.0))\n"
            "asyncio.run(main())\n"
        ),
    },
}
