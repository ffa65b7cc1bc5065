"""Spawned viewers end when they should, with all that they started, and not when they should not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.viewer import spawn as module
from aiorerun.viewer.spawn import is_listening, spawn
from tests.unit.viewer.standin import (
    free_port,
    is_alive,
    kill_all,
    make_standin,
    starts,
    wait_for_start,
    wait_until_gone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import asyncio, os, sys
{imports}
from aiorerun.viewer.spawn import spawn
async def main():
    viewer = await spawn(port={port}, executable_path={path!r}, detach_process={detach})
    {rest}
asyncio.run(main())
{after}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Where stand-ins are; what they started is ended afterwards."""
    yield tmp_path
    kill_all(tmp_path)


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_check_24_the_whole_group_is_gone_after_close(directory: Path, is_stubborn: bool) -> None:
    program = make_standin(directory / "rerun", has_child=True, is_stubborn=is_stubborn)
    viewer = await spawn(port=free_port(), detach_process=False, executable_path=program)
    told = await asyncio.to_thread(wait_for_start, directory)
    assert is_alive(told["child"])
    begin = time.monotonic()
    await viewer.close(timeout=1.0)
    assert time.monotonic() - begin < 5
    assert not is_alive(told["pid"])
    assert not is_alive(told["child"])
    assert not await is_listening(viewer.port)


async def test_a_child_without_its_launcher_is_ended_too(directory: Path) -> None:
    program = make_standin(directory / "rerun", has_child=True)
    viewer = await spawn(port=free_port(), detach_process=False, executable_path=program)
    told = await asyncio.to_thread(wait_for_start, directory)
    os.kill(told["pid"], 9)
    await asyncio.to_thread(wait_until_gone, told["pid"])
    assert not viewer.is_running
    assert is_alive(told["child"])
    await viewer.close()
    assert not is_alive(told["child"])


async def test_closing_does_not_hold_up_the_loop(directory: Path) -> None:
    program = make_standin(directory / "rerun", is_stubborn=True)
    viewer = await spawn(port=free_port(), detach_process=False, executable_path=program)
    closing = asyncio.create_task(viewer.close(timeout=0.5))
    longest, last = 0.0, time.monotonic()
    while not closing.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await closing
    assert longest < 0.3


@pytest.mark.parametrize("detach", [False, True])
async def test_cancelling_while_the_viewer_starts(directory: Path, detach: bool) -> None:
    program = make_standin(directory / "rerun", listens=False)
    task = asyncio.create_task(spawn(port=free_port(), detach_process=detach, executable_path=program))
    told = await asyncio.to_thread(wait_for_start, directory)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if detach:
        assert is_alive(told["pid"])
    else:
        await asyncio.to_thread(wait_until_gone, told["pid"])


async def test_cancelling_while_the_program_is_being_started(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_standin(directory / "rerun")
    reached, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow(module._ViewerProcess):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)

    monkeypatch.setattr(module, "_ViewerProcess", Slow)
    task = asyncio.create_task(spawn(port=free_port(), detach_process=False, executable_path=program))
    async with asyncio.timeout(20):
        await reached.wait()
    told = await asyncio.to_thread(wait_for_start, directory)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_alive(told["pid"])
    go_on.set()
    await asyncio.to_thread(wait_until_gone, told["pid"])


async def test_nothing_is_remembered_of_a_viewer_that_nobody_got(directory: Path) -> None:
    program = make_standin(directory / "rerun", listens=False)
    task = asyncio.create_task(spawn(port=free_port(), detach_process=False, executable_path=program))
    told = await asyncio.to_thread(wait_for_start, directory)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        while module._attached or os.path.exists(f"/proc/{told['pid']}"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def run(program: str, **values: object) -> subprocess.CompletedProcess[str]:
    text = program.format(**{"imports": "", "rest": "pass", "after": "", **values})
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", text], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("imports", ["", "import aiorerun.lifecycle"], ids=["alone", "with recordings"])
def test_the_end_of_the_program_ends_what_is_not_detached(directory: Path, imports: str) -> None:
    path = str(make_standin(directory / "rerun", has_child=True))
    result = run(PROGRAM, port=free_port(), path=path, detach=False, imports=imports)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    [told] = starts(directory)
    assert not is_alive(told["pid"])
    assert not is_alive(told["child"])


def test_a_detached_viewer_outlives_the_program(directory: Path) -> None:
    path = str(make_standin(directory / "rerun"))
    program = PROGRAM.replace("capture_output", "")
    # The viewer holds what it inherits, so the output goes nowhere near a pipe.
    text = program.format(port=free_port(), path=path, detach=True, imports="", rest="pass", after="")
    with (directory / "output").open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", text],
            stdout=output, stderr=output, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert (directory / "output").read_text() == ""
    [told] = starts(directory)
    assert is_alive(told["pid"])


def test_recordings_are_finished_before_the_viewer_is_ended(directory: Path) -> None:
    path = str(make_standin(directory / "rerun"))
    result = run(
        PROGRAM,
        port=free_port(),
        path=path,
        detach=False,
        imports="import atexit; from aiorerun import process",
        after="process.at_exit.append(lambda: print(viewer_runs()))\n"
        "def viewer_runs():\n"
        "    from aiorerun.viewer.spawn import _attached\n"
        "    return [each.is_running for each in _attached]\n"
        "import aiorerun.lifecycle",
    )
    assert (result.stdout, result.stderr) == ("[True]\n", "")


def test_children_of_a_fork_leave_the_viewer_alone(directory: Path) -> None:
    path = str(make_standin(directory / "rerun"))
    rest = (
        "child = os.fork()\n"
        "    if child == 0:\n"
        "        viewer.kill()\n"
        "        os._exit(viewer.is_running)\n"
        "    print(os.waitpid(child, 0)[1], viewer.is_running)"
    )
    result = run(PROGRAM, port=free_port(), path=path, detach=False, rest=rest)
    assert result.stdout == "0 True\n"


def test_viewers_that_ended_are_not_left_as_zombies(directory: Path) -> None:
    path = str(make_standin(directory / "rerun", status=0))
    rest = (
        f"again = await spawn(port={free_port()}, executable_path={path!r})\n"
        "    print(os.path.exists(f'/proc/{viewer.pid}'))"
    )
    result = run(PROGRAM, port=free_port(), path=path, detach=True, rest=rest)
    assert result.stdout == "False\n"
