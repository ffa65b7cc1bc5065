"""The plugin of pytest, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiorerun.integrations.pytest_plugin import file_name
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[3]
PLUGIN = "aiorerun.integrations.pytest_plugin"

PROGRAM = """
import asyncio
import logging

import aiorerun
import aiorerun.sync
import pytest


def test_passes(rerun_recording):
    rerun_recording.log("seen", aiorerun.Scalars(1))


def test_saves_what_is_active(tmp_path):
    aiorerun.sync.save(tmp_path / "its.rrd")
    aiorerun.sync.log("seen", aiorerun.Scalars(1))


def test_fails(rerun_recording):
    password = "".join(["eni", "gma"])
    logging.getLogger("shop.cart").warning("password=%s", password, extra={"item": "lamp"})
    print(f"printed, token={password}")
    rerun_recording.log("by/fixture", aiorerun.Scalars(1))
    aiorerun.sync.log("by/blocking", aiorerun.Scalars(2))

    async def run():
        await aiorerun.log("by/asyncio", aiorerun.Scalars(3))
        await aiorerun.flush()

    asyncio.run(run())
    assert {"password": password} == {}


@pytest.fixture
def broken():
    raise RuntimeError("no database")


def test_has_no_setup(broken):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_some(number):
    aiorerun.sync.log("number", aiorerun.Scalars(number))
    assert number == 1


def test_has_its_own_recording():
    rec = aiorerun.sync.RecordingStream("own")
    aiorerun.sync.set_global_data_recording(rec)
    aiorerun.sync.log("own", aiorerun.Scalars(1))
    aiorerun.sync.set_global_data_recording(None)
    assert False


@pytest.mark.skip
def test_skipped():
    pass


@pytest.mark.xfail
def test_expected():
    assert False
"""


def run_pytest(folder: Path, *options: str, env: dict[str, str] | None = None) -> str:
    command = [
        sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-W", "error", *options
    ]  # fmt: skip
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**environment, **(env or {})},
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_shop.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def output(project: Path) -> str:
    return run_pytest(project, "--rerun-dir=out")


def recording_of(project: Path, test: str) -> Path:
    return project / "out" / file_name(f"test_shop.py::{test}")


def texts_at(path: Path, entity: str) -> Iterable[str]:
    return [
        text for row in rows_of(path) if row.path == entity for text in row.values.get("TextLog:text", [])
    ]


def test_each_failed_test_leaves_a_recording(project: Path, output: str) -> None:
    failed = ["test_fails", "test_has_no_setup", "test_some[2]", "test_has_its_own_recording"]
    files = {recording_of(project, test) for test in failed}
    assert set((project / "out").iterdir()) == files
    assert_verified(files)
    assert "recordings of failed tests" in output
    for file in files:
        assert f"rerun {file}" in output
    assert "3 failed, 3 passed, 1 skipped, 1 xfailed, 1 error" in output


def test_what_a_test_has_logged(project: Path, output: str) -> None:
    rows = rows_of(recording_of(project, "test_fails"))
    values = {row.path: row.values for row in rows}
    assert {row.recording for row in rows} == {"test_shop.py::test_fails"}
    assert [values[f"/by/{way}"]["Scalars:scalars"] for way in ("fixture", "blocking", "asyncio")] == [
        [1.0],
        [2.0],
        [3.0],
    ]
    log = values["/test/log/shop/cart"]
    assert (log["TextLog:text"], log["extra:item"]) == (["password=***"], ["lamp"])
    phases = [row.values["StateChange:state"] for row in rows if row.path == "/test/phase"]
    assert phases == [["setup"], [], ["call"], [], ["teardown"], []]
    assert set(values) >= {f"/test/duration/{phase}" for phase in ("setup", "call", "teardown")}
    outcomes = {row.path: row.values["TextLog:text"] for row in rows if "/outcome/" in row.path}
    assert outcomes == {
        "/test/outcome/setup": ["passed"],
        "/test/outcome/call": ["failed"],
        "/test/outcome/teardown": ["passed"],
    }
    (failure,) = texts_at(recording_of(project, "test_fails"), "/test/failure")
    assert "assert {'password': ***} == {}" in failure
    assert "printed, token=***\n" in texts_at(recording_of(project, "test_fails"), "/test/output")
    assert b"enigma" not in recording_of(project, "test_fails").read_bytes()


def test_an_error_in_the_setup(project: Path, output: str) -> None:
    (failure,) = texts_at(recording_of(project, "test_has_no_setup"), "/test/failure")
    assert "no database" in failure


def test_a_recording_of_its_own_is_its_own(project: Path, output: str) -> None:
    paths = {row.path for row in rows_of(recording_of(project, "test_has_its_own_recording"))}
    assert "/own" not in paths


def test_a_test_that_passes_now_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "test_it.py"
    program.write_text("def test_it():\n    assert False\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nrerun_dir = recordings\n")
    run_pytest(tmp_path)
    assert len(list((tmp_path / "recordings").iterdir())) == 1
    program.write_text("def test_it():\n    assert True\n")
    run_pytest(tmp_path)
    assert list((tmp_path / "recordings").iterdir()) == []


def test_without_a_directory_it_is_off(project: Path, tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(PROGRAM + "\n\ndef test_loaded():\n    import sys\n    "
        "assert 'aiorerun.integrations.recorded_test' not in sys.modules\n")  # fmt: skip
    output = run_pytest(tmp_path, "-k", "passes or loaded or number")
    assert "failed" not in output
    assert "2 passed" in output
    assert [path.name for path in tmp_path.iterdir()] == ["test_shop.py"]


def test_switched_off_recordings_are_not_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    run_pytest(tmp_path, "--rerun-dir=out", env={"RERUN": "off"})
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    (tmp_path / "out").write_text("a file")
    output = run_pytest(tmp_path, "--rerun-dir=out")
    assert "not written" in output
    assert "1 failed" in output


def test_names_of_files() -> None:
    assert file_name("tests/test_a.py::TestB::test_c[x y/z]").startswith(
        "tests_test_a.py.TestB.test_c_x_y_z-"
    )
    assert file_name("a::b") != file_name("a.b")
    assert len(file_name("x" * 5000)) < 160
