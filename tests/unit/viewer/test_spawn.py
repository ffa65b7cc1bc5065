"""Starting the viewer: what is run, how, and when nothing is."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.viewer import spawn as module
from aiorerun.viewer.errors import ViewerNotFoundError
from aiorerun.viewer.spawn import is_listening, spawn
from tests.unit.viewer.standin import free_port, is_alive, make_standin, starts, wait_for_start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def started(directory: Path) -> dict[str, Any]:
    return await asyncio.to_thread(wait_for_start, directory)


async def test_check_23_the_viewer_gets_the_official_arguments(directory: Path) -> None:
    program, port = make_standin(directory / "rerun"), free_port()
    viewer = await spawn(port=port, executable_path=program)
    try:
        told = await started(directory)
        assert told["arguments"] == [
            f"--port={port}", "--memory-limit=75%", "--server-memory-limit=0B", "--expect-data-soon",
        ]  # fmt: skip
        assert told["environment"]["RERUN_APP_ONLY"] == "true"
        assert told["environment"]["PATH"] == os.environ["PATH"]
        assert told["stdin"] == "/dev/null"
        assert viewer.port == port
        assert viewer.pid == told["pid"]
        assert viewer.url == f"rerun+http://127.0.0.1:{port}/proxy"
        assert viewer.is_running
        assert await is_listening(port)
    finally:
        await viewer.close()
    assert not viewer.is_running


async def test_check_23_all_arguments_are_passed_on(directory: Path) -> None:
    program, port = make_standin(directory / "rerun"), free_port()
    viewer = await spawn(
        port=port,
        memory_limit="2GB",
        server_memory_limit="1GiB",
        hide_welcome_screen=True,
        headless=True,
        executable_path=program,
        extra_args=["--window-size", "800x500"],
    )
    try:
        told = await started(directory)
        assert told["arguments"] == [
            f"--port={port}", "--memory-limit=2GB", "--server-memory-limit=1GiB", "--expect-data-soon",
            "--hide-welcome-screen", "--headless", "--window-size", "800x500",
        ]  # fmt: skip
    finally:
        await viewer.close()


async def test_check_23_a_detached_viewer_has_a_session_of_its_own(directory: Path) -> None:
    viewer = await spawn(port=free_port(), executable_path=make_standin(directory / "rerun"))
    try:
        told = await started(directory)
        assert told["session"] == told["group"] == told["pid"] == viewer.pid
        assert viewer.is_detached
    finally:
        await viewer.close()


@pytest.mark.parametrize("options", [{"detach_process": False}, {"headless": True}])
async def test_check_23_others_only_have_a_group(directory: Path, options: dict[str, Any]) -> None:
    viewer = await spawn(port=free_port(), executable_path=make_standin(directory / "rerun"), **options)
    try:
        told = await started(directory)
        assert told["session"] == os.getsid(0)
        assert told["group"] == told["pid"] == viewer.pid
        assert not viewer.is_detached
    finally:
        await viewer.close()


async def test_check_23_nothing_is_started_where_somebody_listens(directory: Path, listener: int) -> None:
    viewer = await spawn(port=listener, executable_path=make_standin(directory / "rerun"))
    assert starts(directory) == []
    assert viewer.pid is None
    assert viewer.port == listener
    assert not viewer.is_running
    await viewer.close()
    assert await is_listening(listener)


async def test_a_second_viewer_can_be_asked_for(directory: Path, listener: int) -> None:
    program = make_standin(directory / "rerun")
    async with await spawn(port=listener, new=True, detach_process=False, executable_path=program) as viewer:
        assert viewer.port != listener
        assert (await started(directory))["arguments"][0] == f"--port={viewer.port}"


async def test_port_0_is_a_free_one(directory: Path) -> None:
    program = make_standin(directory / "rerun")
    async with await spawn(port=0, detach_process=False, executable_path=program) as viewer:
        assert viewer.port != 0
        assert await is_listening(viewer.port)


async def test_nothing_is_started_when_everything_goes_to_files(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", "somewhere.rrd")
    viewer = await spawn(port=free_port(), executable_path=directory / "absent")
    assert viewer.pid is None


async def test_the_end_of_the_context_closes_what_is_not_detached(directory: Path) -> None:
    program = make_standin(directory / "rerun")
    async with await spawn(port=free_port(), detach_process=False, executable_path=program) as viewer:
        assert viewer.is_running
        pid = viewer.pid
    assert pid is not None
    assert not is_alive(pid)
    async with await spawn(port=free_port(), executable_path=program) as viewer:
        pass
    assert viewer.is_running
    await viewer.close()
    assert not viewer.is_running


async def test_closing_twice_is_fine(directory: Path) -> None:
    viewer = await spawn(port=free_port(), executable_path=make_standin(directory / "rerun"))
    await viewer.close()
    await viewer.close()
    assert "is_detached=True" in repr(viewer)


async def test_a_viewer_that_cannot_be_ended_is_warned_of(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = await spawn(port=free_port(), executable_path=make_standin(directory / "rerun"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "end_group", lambda process, timeout: False)
        await viewer.close(timeout=0.1)
    [record] = caplog.records
    assert str(viewer.pid) in record.getMessage()
    await viewer.close()


def test_it_works_on_uvloop(directory: Path) -> None:
    uvloop = pytest.importorskip("uvloop")
    program = make_standin(directory / "rerun", has_child=True)

    async def run() -> int | None:
        async with await spawn(port=0, detach_process=False, executable_path=program) as viewer:
            assert await is_listening(viewer.port)
        return viewer.pid

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pid = runner.run(run())
    assert pid is not None
    assert not is_alive(pid)
    [told] = starts(directory)
    assert not is_alive(told["child"])


async def test_check_23_a_missing_program_is_an_error() -> None:
    with pytest.raises(ViewerNotFoundError, match="pip install rerun-sdk"):
        await spawn(port=free_port(), executable_name="no-such-viewer")


async def test_a_program_that_cannot_be_started_is_an_error(directory: Path) -> None:
    (directory / "rerun").write_text("text")
    with pytest.raises(PermissionError):
        await spawn(port=free_port(), executable_path=directory / "rerun")


@pytest.mark.parametrize("port", [-1, 65536])
async def test_ports_are_numbers_of_16_bits(port: int) -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        await spawn(port=port)


async def test_check_23_another_version_is_warned_of(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = make_standin(directory / "rerun", version="rerun-cli 0.30.1")
    for _ in range(2):
        async with await spawn(port=free_port(), detach_process=False, executable_path=program):
            pass
    assert [record.getMessage().count("0.30.1") for record in caplog.records] == [1]


async def test_ci_is_warned_of(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(FileNotFoundError):
        await spawn(port=free_port(), executable_path=directory / "absent")
    assert ["CI" in record.getMessage() for record in caplog.records] == [True]


async def test_a_slow_viewer_is_waited_for(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    program, port = make_standin(directory / "rerun", delay=0.7), free_port()
    async with await spawn(port=port, detach_process=False, executable_path=program):
        assert await is_listening(port)
    assert caplog.records == []


async def test_a_viewer_that_never_listens_is_warned_of(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_TIMEOUT", 0.5)
    program, port = make_standin(directory / "rerun", listens=False), free_port()
    async with await spawn(port=port, detach_process=False, executable_path=program) as viewer:
        assert viewer.is_running
    [record] = caplog.records
    assert str(port) in record.getMessage()


async def test_a_viewer_that_ends_at_once_is_not_waited_for(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begin = time.monotonic()
    viewer = await spawn(port=free_port(), executable_path=make_standin(directory / "rerun", status=1))
    assert time.monotonic() - begin < module.START_TIMEOUT
    assert not viewer.is_running
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "headless=True" in record.getMessage()
    await viewer.close()
