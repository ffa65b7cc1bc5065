"""Commands that are interrupted at any moment leave nothing half, and nothing at all."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.messages import chunk_message
from aiorerun.codec.rrd import RrdEncoder
from tests.unit.codec.building import STORE, announcement
from tests.unit.files.making import scalars

if TYPE_CHECKING:
    from tests.conftest import Sized

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

ROOT = Path(__file__).parents[2]
# Shells start what runs in the background with interrupts ignored, and children inherit that.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from aiorerun.cli.main import main
sys.exit(main())
"""
COMMANDS = {
    "merge": ["merge", "big.bin", "-o", "out/merged.bin"],
    "recover": ["recover", "big.bin", "-o", "out/recovered.bin"],
    "split": ["split", "big.bin", "-o", "out/parts", "--size", "300kB"],
    "split by time": ["split", "big.bin", "-o", "out/parts", "--timeline", "frame", "--every", "3000"],
    "to-parquet": ["to-parquet", "big.bin", "-o", "out/tables"],
}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file that every command needs some seconds for."""
    path = tmp_path_factory.mktemp("interrupted")
    encoder = RrdEncoder()
    with (path / "big.bin").open("wb") as file:
        file.writelines([*encoder.start(), *encoder.encode(announcement())])
        for number in range(12_000):
            message = chunk_message(STORE, scalars(f"/e{number % 20}", list(range(number, number + 5))))
            file.writelines(encoder.encode(message))
        file.writelines(encoder.finish())
    return path


@pytest.fixture
def folder(big: Path) -> Path:
    """The same, with an empty folder for what commands write."""
    shutil.rmtree(big / "out", ignore_errors=True)
    (big / "out").mkdir()
    return big


def interrupted(folder: Path, arguments: list[str], number: int, wait: float | None) -> int:
    """Starts a command, sends it a signal some time after it has begun to write; returns the exit code."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            if wait is None:
                while process.poll() is None and not list((folder / "out").rglob("*.part")):
                    time.sleep(0.005)
            else:
                time.sleep(wait)
            process.send_signal(number)
            errors = process.communicate(timeout=60)[1]
        finally:
            watchdog.cancel()
            process.kill()
    assert b"Traceback" not in errors or wait is not None, errors
    return process.returncode


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["interrupt", "terminate"]
)
def test_an_interrupt_leaves_nothing(folder: Path, name: str, number: int, code: int) -> None:
    assert interrupted(folder, COMMANDS[name], number, None) == code
    assert list((folder / "out").iterdir()) == []


@pytest.mark.timeout(900)
def test_interrupts_at_random_moments(folder: Path, sized: Sized) -> None:
    chooser = random.Random(3)
    for _ in range(sized(4, 60)):
        name = chooser.choice(list(COMMANDS))
        code = interrupted(folder, COMMANDS[name], signal.SIGINT, chooser.uniform(0.1, 4.0))
        left = sorted(each.name for each in (folder / "out").rglob("*") if each.is_file())
        if code == 0:
            assert left
            assert not [each for each in left if each.endswith(".part")]
        else:
            # Early on it is Python itself that is interrupted.
            assert code in (130, 1, -signal.SIGINT), (name, code)
            assert left == [], (name, code)
        for each in sorted((folder / "out").rglob("*"), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
