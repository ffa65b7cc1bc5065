"""How fast files are read, beside the official reader: ``python -m benchmarks.reading``.

Each run is a process of its own that reads one file once, every chunk of it, as Arrow record batches; both
SDKs in turn. The files are written by the official SDK. Figures are medians of all runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_WRITE: Final = """
import sys
import numpy as np
import rerun as rr

path, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
config = rr.ChunkBatcherConfig.ALWAYS_TEST_ONLY() if kind == "small" else rr.ChunkBatcherConfig.DEFAULT()
rec = rr.RecordingStream("app", recording_id=kind, batcher_config=config)
rec.save(path)
generator = np.random.default_rng(1)
for frame in range(count):
    rec.set_time("frame", sequence=frame)
    if kind == "small":
        rec.log(f"signal/{frame % 10}", rr.Scalars(frame / 3))
    elif kind == "rows":
        rec.log(f"signal/{frame % 10}", rr.Scalars(frame / 3))
    elif kind == "points":
        rec.log("points", rr.Points3D(generator.random((10_000, 3), np.float32)))
    else:
        image = np.zeros((480, 640, 3), np.uint8)
        image[frame % 480] = 255
        rec.log("image", rr.Image(image))
rec.disconnect()
"""


class File(NamedTuple):
    """A file to be read: what is in it, and how much of it."""

    name: str
    what: str
    rows: int
    quick: int


FILES: Final = (
    File("small", "one row per chunk", 20_000, 200),
    File("rows", "many rows per chunk", 500_000, 2_000),
    File("points", "10k points per row", 2_000, 20),
    File("images", "640×480×3, compresses well", 1_000, 10),
)


def read_ours(path: str) -> int:
    """By the footer."""
    from aiorerun.sync import recording

    return sum(chunk.to_record_batch().num_rows for chunk in recording.load_recording(path).chunks())


def scan_ours(path: str) -> int:
    """From front to back, as a file is read that is still being written."""
    from aiorerun.sync import recording

    return sum(chunk.to_record_batch().num_rows for chunk in recording.follow(path))


def _official(chunks: Iterable[object]) -> int:
    return sum(chunk.to_record_batch().num_rows for chunk in chunks)  # type: ignore[attr-defined]


def read_official(path: str) -> int:
    """By the footer."""
    import rerun.chunk

    return _official(rerun.chunk.RrdReader(path).store().stream())


def scan_official(path: str) -> int:
    """From front to back."""
    import rerun.chunk

    return _official(rerun.chunk.RrdReader(path).stream())


READERS: Final[dict[str, Callable[[str], int]]] = {
    "aiorerun, by footer": read_ours,
    "official, by footer": read_official,
    "aiorerun, sequential": scan_ours,
    "official, sequential": scan_official,
}
STATS: Final = "rerun rrd stats"


def child(reader: str, path: str) -> None:
    """Reads a file once and prints how long it took, imports left out."""
    function = READERS[reader]
    warm = Path(path).with_name("warm.rrd")
    function(str(warm))
    start, cpu = time.perf_counter(), time.process_time()
    rows = function(path)
    print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, rows]))


def measure(reader: str, path: Path) -> tuple[float, float, int]:
    """Seconds, seconds of CPU, rows."""
    if reader == STATS:
        program = Path(sys.executable).with_name("rerun")
        start = time.perf_counter()
        subprocess.run([program, "rrd", "stats", path], check=True, capture_output=True)
        return time.perf_counter() - start, 0.0, 0
    command = [sys.executable, "-m", "benchmarks.reading", "--child", reader, str(path)]
    seconds, cpu, rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return seconds, cpu, rows


def compare(file: File, folder: Path, pairs: int, quick: bool) -> None:
    """Reads one file with all readers, in turn, and prints the medians."""
    path = folder / f"{file.name}.rrd"
    count = file.quick if quick else file.rows
    write = [sys.executable, "-c", _WRITE]
    subprocess.run([*write, path, file.name, str(count)], check=True, capture_output=True)
    subprocess.run([*write, folder / "warm.rrd", file.name, "3"], check=True, capture_output=True)
    names = [*READERS, STATS]
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in names}
    for number in range(pairs):
        # A B, B A, A B …: what changes on the machine meanwhile is the same for all.
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(measure(name, path))
    size = path.stat().st_size
    rows = {result[2] for name in READERS for result in found[name]}
    assert len(rows) == 1, rows
    print(f"\n{file.name}: {file.what}, {rows.pop()} rows, {size / 1e6:.1f} MB")
    for name in names:
        seconds = statistics.median(result[0] for result in found[name])
        cpu = statistics.median(result[1] for result in found[name])
        note = f"  CPU {cpu:6.3f} s" if cpu else "  with its start"
        print(f"  {name:22} {seconds:7.3f} s {size / 1e6 / seconds:8.1f} MB/s{note}")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="runs of each reader (default: 3)")
    parser.add_argument("--only", nargs="+", choices=[file.name for file in FILES], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small files, one run: whether everything runs")
    parser.add_argument("--child", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(*options.child)
        return 0
    print(report.machine())
    print(report.versions(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            if not options.only or file.name in options.only:
                compare(file, Path(folder), 1 if options.quick else options.pairs, options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
