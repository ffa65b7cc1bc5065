"""The blocking API from several threads: each has its own times, all share one recording.

Writes ``threads.rrd``. The same calls work with ``import rerun as rr``.
"""

from __future__ import annotations

import threading
import time

import aiorerun.sync as rr


def count_primes(worker: int) -> None:
    """Works, and records how long each step took; the times set here hold in this thread only."""
    for step in range(200):
        start = time.perf_counter()
        count = sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, 200 + step))
        rr.set_time("step", sequence=step)
        rr.log(f"worker_{worker}/primes", rr.Scalars(count))
        rr.log(f"worker_{worker}/milliseconds", rr.Scalars(1e3 * (time.perf_counter() - start)))


def main() -> None:
    rr.init("example_threads")
    rr.save("threads.rrd")
    workers = [threading.Thread(target=count_primes, args=(worker,)) for worker in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    rr.log("summary", rr.TextDocument("All four workers are done."), static=True)
    # Nothing needs closing: the file is finished when the program ends.


if __name__ == "__main__":
    main()
