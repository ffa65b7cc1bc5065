"""A writer killed at any moment: what a completed flush covered is in the file, and it is readable."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, rerun_cli, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

WRITER = """
import asyncio, sys
import aiorerun as rr

async def main(path):
    rec = rr.AsyncRecordingStream("killing", recording_id="k", send_properties=False)
    await rec.save(path)
    row = 0
    while True:
        for _ in range(50):
            rec.set_time("row", sequence=row)
            await rec.log(f"entity{row % 3}", rr.Scalars(float(row)))
            row += 1
        await rec.flush()
        print(row, flush=True)

asyncio.run(main(sys.argv[1]))
"""


def run_and_kill(path: Path, after: float) -> int:
    """Starts the writer, kills it, and returns how many rows completed flushes covered."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    flushed = int(process.stdout.readline())
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    for line in process.stdout:
        if line.endswith("\n"):
            flushed = int(line)
    process.wait()
    process.stdout.close()
    return flushed


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_writer_leaves_all_flushed_rows(tmp_path: Path, sized: Sized) -> None:
    files: list[Path] = []
    for number in range(sized(8, 100)):
        path = tmp_path / f"killed{number}.rrd"
        flushed = run_and_kill(path, random.random() * 0.15)
        files.append(path)
        rows = rows_of(path)
        values = sorted(row.values["Scalars:scalars"][0] for row in rows)
        # Of what was not flushed yet some entities may be there and others not; nothing is there twice.
        assert len(set(values)) == len(values)
        assert set(values) >= set(range(flushed))
        stats = rerun_cli("rrd", "stats", path)
        assert stats.returncode == 0, stats.stderr
        counted = re.search(r"num_rows = ([\d\s,_]+)\n", stats.stdout)
        assert counted is not None, stats.stdout
        assert int(re.sub(r"\D", "", counted.group(1))) >= flushed
    assert_verified(files, footers=False)
