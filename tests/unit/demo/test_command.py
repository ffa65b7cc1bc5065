from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from pathlib import Path

import pytest

from aiorerun.__main__ import main
from aiorerun.demo import command
from tests.reading import assert_verified, rows_of

ROOT = Path(__file__).parents[3]


def parse(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


async def test_demo_records_every_subject_on_timelines_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo.rrd"

    assert await command.record(out, 2.5) == 0

    printed = capsys.readouterr().out
    assert f"Recording this machine into {out} for 2.5 s." in printed
    assert " 0 rows dropped." in printed
    assert f"rerun {out}" in printed
    assert_verified([out])
    rows = rows_of(out)
    paths = {row.path for row in rows}
    assert {"/cpu/core_0", "/memory/used_mib", "/load/1_min", "/processes", "/history"} <= paths
    assert {"/program/loop_lag_ms", "/program/stats/rows_accepted", "/logs/demo"} <= paths
    own_timelines: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if not row.path.startswith("/logs"):
            own_timelines[row.path] |= {name for name in row.times if name.endswith("_sample")}
    assert own_timelines["/processes"] == {"processes_sample"}
    assert own_timelines["/history"] == {"history_sample"}
    assert all(len(timelines) == 1 for timelines in own_timelines.values())


async def test_what_the_demo_records_is_real(tmp_path: Path) -> None:
    out = tmp_path / "demo.rrd"

    await command.record(out, 2.5)

    rows = rows_of(out)
    tables = [row.values["TextDocument:text"][0] for row in rows if row.path == "/processes"]
    assert any("python" in table or "pytest" in table for table in tables)
    accepted = [
        row.values["Scalars:scalars"][0] for row in rows if row.path == "/program/stats/rows_accepted"
    ]
    assert accepted == sorted(accepted)
    assert 0 < accepted[0] < accepted[-1] < len(rows) + 20
    samples = [row.times["loop_lag_sample"] for row in rows if row.path == "/program/loop_lag_ms"]
    assert samples == list(range(len(samples)))


def test_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    out = tmp_path / "demo.rrd"

    assert main(["demo", "--out", str(out)]) == 2
    assert "aiorerun[demo]" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("seconds", ["-1", "inf", "nan"])
def test_odd_durations_are_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(parse("--seconds", seconds)) == 2
    assert "--seconds must be 0 or more" in capsys.readouterr().err


def test_unwritable_file_is_an_error_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "missing" / "demo.rrd"

    assert main(["demo", "--seconds", "1", "--out", str(out)]) == 1
    assert f"{out} cannot be written" in capsys.readouterr().err


def test_switched_off_recording_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERUN", "0")

    assert main(["demo", "--seconds", "0.2", "--out", str(tmp_path / "demo.rrd")]) == 0
    assert "switched off" in capsys.readouterr().out


def test_no_command_prints_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "demo" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither this signal nor pseudo-terminals")
def test_ctrl_c_leaves_a_complete_file_and_the_bar_shows_on_a_terminal(tmp_path: Path) -> None:
    out = tmp_path / "demo.rrd"
    ours, theirs = pty.openpty()
    code = [sys.executable, "-W", "error", "-m", "aiorerun", "demo", "--seconds", "0", "--out", str(out)]
    process = subprocess.Popen(code, cwd=ROOT, stdout=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 60
    # The first bar with a row: from now on it records.
    while b" rows  (Ctrl-C ends it)" not in shown and time.monotonic() < deadline:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass  # how Linux says that the other side is closed
    finally:
        os.close(ours)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert b"0 rows dropped." in shown
    assert_verified([out])
    assert rows_of(out)


async def test_interruption_is_one_shot() -> None:
    with command._interruptible() as stop:
        signal.raise_signal(signal.SIGINT)
        await asyncio.wait_for(stop.wait(), 10)
        # The next Ctrl-C is not swallowed any more.
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
