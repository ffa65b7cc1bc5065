"""aiorerun's blocking API, used from threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import aiorerun.sync as rr
from benchmarks.workloads import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Data


class Session:
    """One recording into one sink."""

    def __init__(self, workload: str, sink: str, path: str) -> None:
        self.rec = rr.RecordingStream("benchmark", recording_id=path)
        self._memory: Any = None
        if sink == "file":
            self.rec.save(path)
        else:
            self._memory = self.rec.memory_recording()

    def close(self) -> int | None:
        """Finishes; the number of bytes if they are not in a file."""
        written = None if self._memory is None else len(self._memory.drain_as_bytes())
        self.rec.disconnect()
        return written


def threads(rec: rr.RecordingStream, data: Data) -> None:
    share = data.rows // THREADS

    def run(thread: int) -> None:
        for i in range(share):
            rec.set_time("step", sequence=i)
            rec.log(f"thread_{thread}", rr.Scalars(data.numbers[i]))

    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


FUNCTIONS: dict[str, Callable[[rr.RecordingStream, Data], Any]] = {"threads": threads}
