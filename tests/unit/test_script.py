"""Options that make any script send its recording where the caller wants it, in both APIs."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FACES = {"asyncio": rr, "blocking": aiorerun.sync}


def arguments(*given: str) -> argparse.Namespace:
    """What a script gets that was called with these options."""
    parser = argparse.ArgumentParser()
    rr.script_add_args(parser)
    return parser.parse_args(given)


async def call(function: Any, *args: Any, **options: Any) -> Any:
    """Calls a function of either API, a blocking one in a thread of its own."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **options)
    return await asyncio.to_thread(function, *args, **options)


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Any:
    return FACES[request.param]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mode of a new process, and no recording left behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    yield
    for face in FACES.values():
        face.set_global_data_recording(None)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, face: Any) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """What was called of the functions that send somewhere; they do nothing."""
    seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def replace(owner: Any, name: str, result: Any = None) -> None:
        def note(self: Any, *args: Any, **options: Any) -> Any:
            seen.append((name, args, options))
            return result

        async def note_async(self: Any, *args: Any, **options: Any) -> Any:
            return note(self, *args, **options)

        monkeypatch.setattr(owner, name, note_async if face is rr else note)

    for name in ("stdout", "connect_grpc", "save", "spawn"):
        replace(face.RecordingStream, name)
    replace(face.RecordingStream, "serve_grpc", "rerun+http://127.0.0.1:1/proxy")
    replace_api = "aiorerun.live_api" if face is rr else "aiorerun.sync.live_api"

    def serve_page(**options: Any) -> None:
        seen.append(("serve_web_viewer", (), options))

    async def serve_page_async(**options: Any) -> None:
        serve_page(**options)

    monkeypatch.setattr(f"{replace_api}.serve_web_viewer", serve_page_async if face is rr else serve_page)
    return seen


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--headless"], []),
        ([], ["spawn"]),
        (["--save", "a.rrd", "--headless"], ["save"]),
        (["--connect", "--save", "a.rrd"], ["connect_grpc"]),
        (["--serve", "--connect"], ["serve_grpc", "serve_web_viewer"]),
        (["--stdout", "--serve", "--connect"], ["stdout"]),
    ],
)
async def test_the_first_that_was_asked_for_is_done(
    face: Any, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]], given: list[str], wanted: list[str]
) -> None:
    rec = await call(face.script_setup, arguments(*given), "rerun_example_script", recording_id="given")

    assert [name for name, _, _ in calls] == wanted
    assert rec.get_recording_id() == "given"
    assert face.get_global_data_recording() is rec
    assert face.strict_mode()


async def test_values_are_passed_on(
    face: Any, calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
) -> None:
    url = "rerun+http://127.0.0.1:9999/proxy"
    await call(face.script_setup, arguments("--connect", "--url", url), "script")
    await call(face.script_setup, arguments("--save", "b.rrd"), "script")
    await call(face.script_setup, arguments("--serve"), "script")

    assert [args for _, args, _ in calls[:2]] == [(url,), ("b.rrd", None)]
    assert calls[3] == ("serve_web_viewer", (), {"connect_to": "rerun+http://127.0.0.1:1/proxy"})


async def test_only_a_script_that_serves_waits_at_the_end(face: Any) -> None:
    await asyncio.wait_for(call(face.script_teardown, arguments("--headless")), 5)


async def test_waiting_ends_with_cancelling() -> None:
    task = asyncio.create_task(rr.script_teardown(arguments("--serve")))
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.wait_for(task, 5)


@pytest.mark.may_block
def test_a_script_that_serves_ends_with_ctrl_c(tmp_path: Path) -> None:
    code = (
        "import argparse, os, signal, sys, threading, time, traceback\n"
        "from aiorerun.sync import script_teardown\n"
        "main = threading.get_ident()\n"
        "def names():\n"
        "    return [name.name for name in traceback.extract_stack(sys._current_frames()[main])]\n"
        "def interrupt():\n"
        "    while not {'script_teardown', 'wait'} <= set(names()):\n"
        "        time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=interrupt).start()\n"
        "script_teardown(argparse.Namespace(serve=True))\n"
        "print('over')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")
