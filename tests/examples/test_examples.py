"""The examples and the README's code run as they stand, and what they write is complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reading import assert_verified, rows_of, scalars_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(code: list[str], folder: Path) -> None:
    """Runs Python with warnings as errors; nothing may be printed to stderr."""
    command = [sys.executable, "-W", "error", *code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    run([str(example)], tmp_path)

    assert_verified(sorted(tmp_path.glob("*.rrd")))


def test_quickstart_is_fifteen_lines_and_records_its_wave(tmp_path: Path) -> None:
    example = ROOT / "examples" / "quickstart.py"
    run([str(example)], tmp_path)

    assert len(example.read_text(encoding="utf-8").splitlines()) == 15
    values = scalars_of(tmp_path / "quickstart.rrd", "/wave")
    assert values == [abs(step % 100 - 50) for step in range(1_000)]


def test_threads_keep_their_own_steps(tmp_path: Path) -> None:
    run([str(ROOT / "examples" / "threads.py")], tmp_path)

    rows = rows_of(tmp_path / "threads.rrd")
    for worker in range(4):
        steps = [row.times["step"] for row in rows if row.path == f"/worker_{worker}/primes"]
        assert steps == list(range(200))
    assert [row.times for row in rows if row.path == "/summary"] == [{}]


def test_sessions_do_not_mix(tmp_path: Path) -> None:
    run([str(ROOT / "examples" / "sessions.py")], tmp_path)

    for number in range(5):
        rows = rows_of(tmp_path / f"session_{number}.rrd")
        assert {row.recording for row in rows} == {f"session {number}"}
        assert [row.times["request"] for row in rows] == [request for request in range(20) for _ in range(2)]


TEXTS = "\n".join(
    [README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", TEXTS, re.DOTALL))
def test_code_of_the_documentation_runs(block: str, tmp_path: Path) -> None:
    run(["-c", block], tmp_path)

    written = list(tmp_path.glob("*.rrd"))
    assert_verified(written)
    assert all(rows_of(file) for file in written)


@pytest.mark.skipif(sys.platform == "win32", reason="runs a shell")
def test_commands_of_the_documentation_run(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    run(["-c", program], tmp_path)
    shutil.rmtree(tmp_path / "tables")
    # As it is when the package is installed.
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aiorerun").write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m aiorerun "$@"\n')
    (programs / "aiorerun").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eux", "-c", commands], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "recording 'one' of application 'my_robot'" in done.stdout
    assert "whole.rrd: ok" in done.stdout
    assert (tmp_path / "tables" / "my_robot" / "one" / "arm" / "current.parquet").exists()
    assert "dropped bytes" in done.stderr
    assert_verified([tmp_path / "whole.rrd", tmp_path / "cut.recovered.rrd", *(tmp_path / "parts").iterdir()])


def test_start_has_exactly_two_shell_blocks() -> None:
    start = README.split("\n## Start\n")[1].split("\n## ")[0]

    assert re.findall(r"^```(\w*)$", start, re.MULTILINE) == ["sh", "", "sh", ""]
