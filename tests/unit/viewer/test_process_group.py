"""Ending programs with all that they started, also as it is done on other systems."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.viewer import process_group
from aiorerun.viewer.process_group import end_group, has_ended, own_group, signal_group

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEPS = [sys.executable, "-IS", "-c", "import time; time.sleep(600)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own."""
    process = subprocess.Popen[bytes](SLEEPS, **own_group())
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without `/proc` and `waitid`, such as macOS."""
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.delattr(os, "waitid")


def test_a_group_ends(sleeper: subprocess.Popen[bytes]) -> None:
    assert not has_ended(sleeper)
    assert end_group(sleeper, 20)
    assert sleeper.returncode == -signal.SIGTERM
    assert has_ended(sleeper)
    assert end_group(sleeper, 20)


@pytest.mark.usefixtures("without_proc")
def test_a_group_ends_on_other_systems(sleeper: subprocess.Popen[bytes]) -> None:
    assert not has_ended(sleeper)
    assert end_group(sleeper, 20)
    assert sleeper.returncode == -signal.SIGTERM
    assert has_ended(sleeper)


def test_who_is_waited_for_by_somebody_else_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitpid(sleeper.pid, 0)
    assert has_ended(sleeper)
    assert sleeper.wait() == 0


def test_who_has_ended_keeps_its_number(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    deadline = time.monotonic() + 20
    while not has_ended(sleeper):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sleeper.returncode is None
    assert os.path.exists(f"/proc/{sleeper.pid}")


def test_a_signal_to_nobody_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    signal_group(sleeper.pid, signal.SIGTERM)


def test_there_is_an_end_to_waiting(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_group, "signal_group", lambda leader, number: None)
    begin = time.monotonic()
    assert not end_group(sleeper, 0.1)
    assert 0.2 <= time.monotonic() - begin < 10


def test_windows_has_groups_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **options: Any) -> None:
        calls.append(command)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "DETACHED_PROCESS", 0x8, raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        attached, detached = own_group(), own_group(session=True)
        signal_group(1234, signal.SIGTERM)
    assert (attached, detached) == ({"creationflags": 0x200}, {"creationflags": 0x208})
    assert calls == [["taskkill", "/PID", "1234", "/T", "/F"]]
