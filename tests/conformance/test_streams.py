"""Standard output, memory and binary streams beside those of the official SDK."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, rerun_cli

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys
import {module} as rr
mode, folder = sys.argv[1:]
rec = rr.RecordingStream("app", recording_id="streams", send_properties=False)
rec.set_log_time_enabled(False)
parts = []
def take(data):
    open(f"{{folder}}/{{len(parts)}}.rrd", "wb").write(data)
    parts.append(data)
def log(number):
    rec.set_time("frame", sequence=number)
    rec.log("a/b", rr.Scalars(float(number)))
log(0)
if mode == "stdout":
    rec.stdout()
    log(1)
elif mode == "memory":
    memory = rec.memory_recording()
    log(1)
    take(memory.drain_as_bytes())
    log(2)
    take(memory.drain_as_bytes())
    assert len(memory.drain_as_bytes()) == 60
    assert memory.num_msgs() == 0
else:
    binary = rec.binary_stream()
    log(1)
    take(binary.read())
    assert binary.read() is None
    log(2)
    take(binary.read(flush=True, flush_timeout_sec=10))
    assert binary.read(flush=False) is None
"""


def run(module: str, mode: str, folder: Path) -> list[Path]:
    folder.mkdir()
    environment = {**os.environ, "RERUN_LOG_TICK": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(module=module), mode, str(folder)],
        stdout=subprocess.PIPE, timeout=100, check=True, env=environment,
    )  # fmt: skip
    if mode == "stdout":
        (folder / "0.rrd").write_bytes(done.stdout)
    return sorted(folder.glob("*.rrd"))


@pytest.mark.parametrize("mode", ["stdout", "memory", "binary"])
def test_the_streams_are_the_same(mode: str, tmp_path: Path) -> None:
    theirs = run("rerun", mode, tmp_path / "theirs")
    ours = run("aiorerun.sync", mode, tmp_path / "ours")
    assert [path.name for path in ours] == [path.name for path in theirs]
    assert_verified(ours)
    for own, other in zip(ours, theirs, strict=True):
        result = rerun_cli("rrd", "compare", "--unordered", other, own)
        assert result.returncode == 0, result.stdout + result.stderr
