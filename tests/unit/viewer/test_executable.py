"""Which program is the viewer, and what version it has."""

from __future__ import annotations

import asyncio
import logging
import os
import sysconfig
import time
from typing import TYPE_CHECKING

import pytest

from aiorerun.viewer.errors import ViewerNotFoundError
from aiorerun.viewer.executable import (
    ask_version,
    find_executable,
    is_compatible,
    parse_version,
    warn_of_version,
)
from tests.unit.viewer.standin import make_standin

if TYPE_CHECKING:
    from pathlib import Path


def test_a_path_is_taken_as_it_is(directory: Path) -> None:
    program = make_standin(directory / "anything")
    assert find_executable("no such name", program) == str(program)


def test_a_name_is_looked_for_on_the_path(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_standin(directory / "rerun")
    monkeypatch.setenv("PATH", f"/nowhere{os.pathsep}{directory}")
    assert find_executable() == str(program)


def test_a_name_is_looked_for_beside_python_too(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_standin(directory / "rerun")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(directory))
    assert find_executable() == str(program)


def test_what_is_missing_is_named_with_what_to_do(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ViewerNotFoundError, match=r"no program 'no-viewer'.*rerun-sdk==0\.41.*/nowhere"):
        find_executable("no-viewer")
    with pytest.raises(ViewerNotFoundError, match=r"/absent'.*executable_path.*pip install"):
        find_executable(path=directory / "absent")
    with pytest.raises(FileNotFoundError):
        find_executable(path=directory)


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (b"rerun-cli 0.41.0 [rustc 1.96.0 (ac68faa20 2026-01-01), LLVM 21.1.8] x86_64", (0, 41, 0)),
        (b"rerun 0.42.0-alpha.1+dev", (0, 42, 0)),
        (b"v1.20.300\n", (1, 20, 300)),
        (b"1.2", None),
        (b"10.0.0.1", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"9" * 5000 + b".1.1", None),
    ],
)
def test_versions_are_found_in_what_is_printed(answer: bytes, version: tuple[int, int, int] | None) -> None:
    assert parse_version(answer) == version


def test_only_the_patch_may_differ() -> None:
    assert is_compatible((0, 41, 3), (0, 41, 0))
    assert not is_compatible((0, 30, 1), (0, 41, 0))
    assert not is_compatible((1, 41, 0), (0, 41, 0))


async def test_the_version_is_asked_for(directory: Path) -> None:
    assert await ask_version(str(make_standin(directory / "rerun", version="x 0.30.1"))) == (0, 30, 1)
    assert await ask_version(str(make_standin(directory / "rerun", version="what?"))) is None
    assert await ask_version(str(directory / "absent")) is None
    (directory / "text").write_text("no program")
    assert await ask_version(str(directory / "text")) is None


@pytest.mark.parametrize("version", ["hangs", "endless"])
async def test_a_program_that_does_not_answer_is_given_up(directory: Path, version: str) -> None:
    program = make_standin(directory / "rerun", version=version)
    started = time.monotonic()
    async with asyncio.timeout(20):
        assert await ask_version(str(program), timeout=0.5) is None
    assert time.monotonic() - started < 10


async def test_cancelling_the_question_ends_the_program(directory: Path) -> None:
    program = make_standin(directory / "rerun", version="hangs")
    task = asyncio.create_task(ask_version(str(program), timeout=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The thread is through soon, or the end of the loop would wait a minute for it.
    async with asyncio.timeout(20):
        await asyncio.get_running_loop().shutdown_default_executor()


def test_another_version_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "aiorerun"):
        for _ in range(2):
            warn_of_version("/bin/rerun", (0, 30, 1))
            warn_of_version("/bin/rerun", (0, 41, 3))
            warn_of_version("/bin/rerun", None)
    [record] = caplog.records
    assert "/bin/rerun" in record.getMessage()
    assert "0.30.1" in record.getMessage()
    assert "0.41.0" in record.getMessage()
