"""Two processes log into one recording: they share its id, and send to the same server or viewer.

python examples/two_processes.py
"""

from __future__ import annotations

import multiprocessing
import threading

import aiorerun.sync as rr

APPLICATION = "aiorerun_example_two_processes"
RECORDING = "shared"
ROWS = 100


def work(name: str, url: str) -> None:
    """What each process does: the same recording, its own entity."""
    rec = rr.RecordingStream(APPLICATION, recording_id=RECORDING, send_properties=False)
    rec.connect_grpc(url)
    for i in range(ROWS):
        rec.set_time("step", sequence=i)
        rec.log(name, rr.Scalars(float(i)))
    # Waits until the server says that it has everything.
    rec.flush(acknowledged=True, timeout_sec=30)
    rec.disconnect()


def main() -> None:
    """Serves the recording, and starts the other process."""
    rec = rr.RecordingStream(APPLICATION, recording_id=RECORDING)
    url = rec.serve_grpc(grpc_port=0)
    print(f"Watch it with:  rerun --connect {url}")
    # A process that is started by fork would work as well, on systems that have it.
    other = multiprocessing.get_context("spawn").Process(target=work, args=("second", url))
    other.start()
    thread = threading.Thread(target=work, args=("first", url))
    thread.start()
    thread.join()
    other.join()
    assert other.exitcode == 0
    rec.disconnect()
    print(f"Both have logged {ROWS} rows into the recording {RECORDING!r}.")


if __name__ == "__main__":
    main()
