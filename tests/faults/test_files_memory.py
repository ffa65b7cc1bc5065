"""Commands on large files: memory does not grow with them. The official program merges beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiorerun.files.summary import summarize
from tests.reading import assert_verified

if TYPE_CHECKING:
    from tests.conftest import Sized

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc"),
    pytest.mark.timeout(1800),
]

LIMIT_MIB = 300
ROOT = Path(__file__).parents[2]

# Prints how it ended, and the most memory that it had.
MEASURED = """
import json, sys, time
from pathlib import Path
from aiorerun.cli.main import main
start = time.perf_counter()
code = main(sys.argv[1:])
# Unlike what `resource` says, this begins anew when a program is loaded.
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"code": code, "mib": peak / 1024, "secs": time.perf_counter() - start}), file=sys.stderr)
"""


# The same of another program, which is its only child.
OFFICIAL = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, capture_output=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"mib": peak / 1024, "secs": time.perf_counter() - start}))
"""


def measured(*arguments: str | Path) -> dict[str, float]:
    """Runs a command in a process of its own."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=1200,
        check=False,
    )
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    assert found["code"] == 0, done.stderr
    return found


def official_merge(path: Path, output: Path) -> dict[str, float]:
    """The same by the official program."""
    program = Path(sys.executable).with_name("rerun")
    command = [sys.executable, "-c", OFFICIAL, *map(str, (program, "rrd", "merge", path, "-o", output))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_memory_does_not_grow_with_files(
    tmp_path: Path, sized: Sized, capsys: pytest.CaptureFixture[str]
) -> None:
    megabytes = sized(50, 1060)
    path = tmp_path / "big.bin"
    # In a child: the memory of this process would count as that of its children.
    made = subprocess.run(
        [sys.executable, "-m", "tests.faults.big_file", path, str(megabytes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
        check=True,
    )
    rows = int(made.stdout)
    size = path.stat().st_size
    assert size > 0.8e6 * megabytes
    part = f"{size // 5}B"
    figures = {
        "info": measured("info", path),
        "cat": measured("cat", "/text", path),
        "verify": measured("verify", path),
        "merge": measured("merge", path, "-o", tmp_path / "merged.rrd"),
        "split --size": measured("split", path, "-o", tmp_path / "sized", "--size", part),
        "split --every": measured(
            "split", path, "-o", tmp_path / "timed", "--timeline", "frame", "--every", "1001"
        ),
        "recover": measured("recover", path, "-o", tmp_path / "recovered.rrd"),
        "to-parquet": measured("to-parquet", path, "-o", tmp_path / "parquet"),
    }
    figures["rerun rrd merge"] = official_merge(path, tmp_path / "official.bin")
    with capsys.disabled():
        print(f"\n{size / 1e6:.0f} MB, {rows:,} rows")
        for name, found in figures.items():
            print(f"{name:>16}: {found['secs']:6.1f} s {found['mib']:6.0f} MiB")
    for name, found in figures.items():
        assert found["mib"] < LIMIT_MIB or name.startswith("rerun"), name
    assert (tmp_path / "merged.rrd").read_bytes()[:12] == path.read_bytes()[:12]
    parts = [*(tmp_path / "sized").iterdir(), *(tmp_path / "timed").iterdir()]
    assert len(parts) > 6
    assert_verified([tmp_path / "merged.rrd", tmp_path / "recovered.rrd", *parts])
    for output in ("merged.rrd", "recovered.rrd"):
        (recording,) = summarize(tmp_path / output).recordings
        # And the properties.
        assert recording.rows == rows + 1
    for written in tmp_path.rglob("*.rrd"):
        written.unlink()
