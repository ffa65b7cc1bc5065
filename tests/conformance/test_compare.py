"""The same scripts with the official SDK and with this one: the official programs find the files equal."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun
import aiorerun.sync
from aiorerun import errors
from tests.conformance.cases.registry import APPLICATION, Case, all_cases
from tests.conformance.comparing import comparable_rows, compare
from tests.conformance.running import BATCHED, MODES, ROWS, environment, options, run_case
from tests.reading import assert_verified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("rerun")

CASES = all_cases()


class Files:
    """Where the files of one mode are."""

    def __init__(self, mode: str, folder: Path) -> None:
        self.mode = mode
        self.official = folder / mode / "official"
        self.ours = folder / mode / "ours"
        self.errors: dict[str, Exception] = {}
        self.complaints = ""


def run_official(files: Files) -> None:
    """Runs all cases with the official SDK, in one process of its own."""
    files.official.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.running", "rerun", str(files.official), files.mode],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, **environment(files.mode)},
    )
    files.complaints = done.stderr


def run_ours(files: Files) -> None:
    """Runs all cases with this package's blocking API."""
    files.ours.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors._Mode, "strict", True)
        for name, value in environment(files.mode).items():
            patch.setenv(name, value)
        for case in CASES.values():
            try:
                run_case(aiorerun.sync, case, files.ours / f"{case.name}.rrd", files.mode)
            except Exception as error:
                files.errors[case.name] = error


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Files]:
    """Gives the files of a mode; they are made when they are first asked for."""
    folder = tmp_path_factory.mktemp("compare")

    @cache
    def make(mode: str) -> Files:
        files = Files(mode, folder)
        with ThreadPoolExecutor(1) as pool:
            official = pool.submit(run_official, files)
            run_ours(files)
            official.result()
        return files

    return make


@pytest.fixture(scope="module", params=MODES)
def files(request: pytest.FixtureRequest, made: Callable[[str], Files]) -> Files:
    return made(request.param)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 50
    assert sum(case.same_chunks and case.comparable for case in CASES.values()) >= 40


@pytest.mark.parametrize("name", CASES)
def test_the_files_are_the_same(files: Files, name: str) -> None:
    case = CASES[name]
    if name in files.errors:
        raise files.errors[name]
    ours, official = (folder / f"{name}.rrd" for folder in (files.ours, files.official))
    assert official.exists(), files.complaints
    assert f"{name}: " not in files.complaints, files.complaints
    assert comparable_rows(ours) == comparable_rows(official)
    if case.comparable and (case.same_chunks or files.mode == ROWS):
        assert compare(ours, official) == ""


def test_all_our_files_verify(files: Files) -> None:
    ours = sorted(files.ours.glob("*.rrd"))
    assert len(ours) == len(CASES)
    # A file without a single chunk has no manifest, which verifying takes for a fault; the official one too.
    assert_verified(path for path in ours if path.stem != "nothing_at_all")


def test_our_files_are_not_larger(made: Callable[[str], Files]) -> None:
    files = made(BATCHED)
    sizes = {
        name: [(folder / f"{name}.rrd").stat().st_size for folder in (files.ours, files.official)]
        for name, case in CASES.items()
        if case.same_chunks and name not in files.errors
    }
    larger = {name: pair for name, pair in sizes.items() if pair[0] > 1.02 * pair[1] + 2048}
    assert larger == {}


class Recorder:
    """Writes down what a case calls, so that it can be replayed with another API."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))


class RecordingModule:
    """The names of the blocking API, with the functions that take a recording written down too."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("set_log_"):
            return lambda enabled, recording: getattr(self._recorder, name)(enabled)
        return getattr(aiorerun, name)


async def replay(case: Case, rec: aiorerun.AsyncRecordingStream) -> None:
    """Runs a case through the asyncio API."""
    recorder = Recorder()
    case.run(RecordingModule(recorder), recorder)
    for name, args, kwargs in recorder.calls:
        result = getattr(rec, name)(*args, **kwargs)
        if inspect.isawaitable(result):
            await result


@pytest.mark.may_block
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.comparable])
async def test_the_asyncio_api_writes_the_same(
    name: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    for variable, value in environment(files.mode).items():
        monkeypatch.setenv(variable, value)
    path = tmp_path / "asyncio.rrd"
    rec = aiorerun.AsyncRecordingStream(APPLICATION, recording_id=name, **options(aiorerun, files.mode))
    async with rec:
        await rec.save(path)
        await replay(case, rec)
    assert comparable_rows(path) == comparable_rows(files.official / f"{name}.rrd")


DRAINED = ["scalars", "static_and_temporal", "several_timelines", "one_and_many_instances"]


@pytest.mark.parametrize("name", DRAINED)
def test_a_drained_memory_recording_is_the_same(
    name: str, tmp_path: Path, made: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERUN_LOG_TICK", "0")
    rec = aiorerun.sync.RecordingStream(APPLICATION, recording_id=name, **options(aiorerun.sync, BATCHED))
    memory = rec.memory_recording()
    CASES[name].run(aiorerun.sync, rec)
    path = tmp_path / "drained.rrd"
    path.write_bytes(memory.drain_as_bytes())
    rec.disconnect()
    assert compare(path, made(BATCHED).official / f"{name}.rrd") == ""
    assert_verified([path])


class OfficialObjects:
    """The official archetypes, but functions that take a recording are ours."""

    def __getattr__(self, name: str) -> Any:
        import rerun

        return getattr(aiorerun.sync if name.startswith("set_log_") else rerun, name)


ARCHETYPE_CASES = [
    name
    for name, case in CASES.items()
    if case.run.__module__.endswith((".archetypes", ".columns", ".vocabulary")) and case.comparable
]


@pytest.mark.parametrize("name", ARCHETYPE_CASES)
def test_official_archetypes_are_taken_as_they_are(
    name: str, made: Callable[[str], Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors._Mode, "strict", True)
    for variable, value in environment(ROWS).items():
        monkeypatch.setenv(variable, value)
    path = tmp_path / "foreign.rrd"
    rec = aiorerun.sync.RecordingStream(APPLICATION, recording_id=name, **options(aiorerun.sync, ROWS))
    rec.save(path)
    CASES[name].run(OfficialObjects(), rec)
    rec.disconnect()
    assert compare(path, made(ROWS).official / f"{name}.rrd") == ""
