"""Files of all formats, imported by both SDKs: what comes of them is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aiorerun.sync as blocking_rr
from aiorerun.importers.plain import IMAGES, MESHES, TEXTS
from tests.conformance.blueprint_rows import blueprints_in
from tests.conformance.comparing import comparable_rows, compare
from tests.conformance.real_files import SHIPPED, write_files
from tests.reading import rows_of
from tests.unit.importers.files import (
    BROKEN_PLYS,
    PLYS,
    write_program,
    write_recording,
    write_tables,
    write_video,
)

pytest.importorskip("rerun")

# The official SDK ignores that it is not asked for static rows, so both are.
OFFICIAL = """
import json, os, sys
import rerun as rr

folder, names = sys.argv[1], json.loads(sys.argv[2])
for number, (name, prefix, contents) in enumerate(names):
    rec = rr.RecordingStream("app", recording_id="same")
    rec.save(os.path.join(folder, f"{number}.rrd"))
    options = {"entity_path_prefix": prefix, "static": True, "recording": rec}
    try:
        if contents:
            rr.log_file_from_contents(name, open(name, "rb").read(), **options)
        else:
            rr.log_file_from_path(name, **options)
    except Exception as error:
        print(number, type(error).__name__)
    rec.flush()
    rec.disconnect()
"""

APART = ("run.rrd", "view.rbl", "dataset")
"""Several recordings, or blueprints: files that the comparison of the official program does not take."""

Case = tuple[str, str | None, bool]
"""A path, the prefix, and whether the contents are passed."""


def make_files(folder: Path) -> list[Case]:
    """Files of all formats in the current directory."""
    names: list[str] = []
    for extension in (*IMAGES, *MESHES, "rvl"):
        (folder / f"file.{extension}").write_bytes(b"contents of " + extension.encode())
        names.append(f"file.{extension}")
    for extension in TEXTS:
        (folder / f"file.{extension}").write_text("größer\r\nals", newline="")
        names.append(f"file.{extension}")
    (folder / "UPPER.JPG").write_bytes(b"")
    (folder / "broken.txt").write_bytes(b"\xff\xfe")
    for name, data in {**PLYS, **BROKEN_PLYS}.items():
        (folder / f"{name}.ply").write_bytes(data)
        names.append(f"{name}.ply")
    names += write_tables(folder)
    write_video(folder / "frames.mp4")
    write_video(folder / "unsupported.mp4", "mpeg4")
    for name in ("broken.mp4", "broken.parquet", "broken.rrd"):
        (folder / name).write_bytes(b"nothing of the kind" * 10)
    below = folder / "some dir" / "below"
    below.mkdir(parents=True)
    (below / "a.txt").write_text("a")
    (below / "unknown.csv").write_text("a,b")
    (folder / "some dir" / ".hidden.md").write_text("b")
    names += ["UPPER.JPG", "broken.txt", "frames.mp4", "unsupported.mp4", "broken.mp4"]
    names += ["broken.parquet", "broken.rrd", "some dir"]
    cases: list[Case] = [(name, None, False) for name in names]
    cases += [(name, "pre/fi x", True) for name in names if name not in ("some dir", "broken.parquet")]
    paths = ("./file.png", "some dir/../file.png", "../file.png", str(folder / "file.png"))
    for path in paths:
        cases.append((path, None, True))
    return cases


def import_ours(folder: Path, cases: list[Case]) -> None:
    for number, (name, prefix, contents) in enumerate(cases):
        rec = blocking_rr.RecordingStream("app", recording_id="same")
        rec.save(folder / f"{number}.rrd")
        if contents:
            try:
                with open(name, "rb") as file:
                    data = file.read()
            except OSError:
                data = b"not there"
            rec.log_file_from_contents(name, data, entity_path_prefix=prefix, static=True)
        else:
            rec.log_file_from_path(name, entity_path_prefix=prefix, static=True)
        rec.disconnect()


@pytest.mark.filterwarnings("ignore:entity path 'pre/fi x'")
def test_both_import_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, ours, official = (tmp_path / name for name in ("files", "ours", "official"))
    for folder in (files, ours, official):
        folder.mkdir()
    cases = [case for case in make_files(files) if not case[0].startswith("../")]
    monkeypatch.chdir(files)
    monkeypatch.setenv("RERUN_LOG_TICK", "0")
    command = [sys.executable, "-c", OFFICIAL, str(official), json.dumps(cases)]
    done = subprocess.run(command, check=True, timeout=100, capture_output=True, text=True)
    assert done.stdout == ""
    import_ours(ours, cases)
    different = [
        (case, compare(ours / f"{number}.rrd", official / f"{number}.rrd"))
        for number, case in enumerate(cases)
    ]
    assert [each for each in different if each[1]] == []
    assert len(cases) > 120


def test_real_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that libraries write, passed as files and as contents."""
    pytest.importorskip("foxglove")
    pytest.importorskip("mcap")
    files, ours, official = (tmp_path / name for name in ("files", "ours", "official"))
    for folder in (files, ours, official):
        folder.mkdir()
    names = write_files(files)
    monkeypatch.chdir(files)
    monkeypatch.setenv("RERUN_LOG_TICK", "0")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    cases: list[Case] = [(name, None, False) for name in names]
    cases += [(name, "pre/fix", True) for name in names if (files / name).is_file()]
    command = [sys.executable, "-c", OFFICIAL, str(official), json.dumps(cases)]
    done = subprocess.run(command, check=True, timeout=100, capture_output=True, text=True)
    assert done.stdout == ""
    import_ours(ours, cases)
    different = []
    for number, case in enumerate(cases):
        both = ours / f"{number}.rrd", official / f"{number}.rrd"
        if case[0] not in APART:
            assert len(rows_of(both[0])) > 0, case
            different.append((case, compare(*both)))
        else:
            found = blueprints_in if case[0].endswith("rbl") else comparable_rows
            assert found(both[0]) == found(both[1]) != [], case
    assert [each for each in different if each[1]] == []
    assert len({case[0] for case, _ in different}) >= 30


def test_real_files_that_have_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official SDK gives the times of the call to robots alone."""
    monkeypatch.setenv("RERUN_LOG_TICK", "0")
    monkeypatch.chdir(SHIPPED)
    script = """
import importlib, sys
rr = importlib.import_module(sys.argv[1])
rec = rr.RecordingStream("app", recording_id="same", send_properties=False)
rec.save(sys.argv[2])
rr.set_time("step", sequence=7, recording=rec)
rr.log_file_from_path("arm.urdf", recording=rec)
rec.flush()
rec.disconnect()
"""
    for module in ("aiorerun.sync", "rerun"):
        command = [sys.executable, "-c", script, module, str(tmp_path / module)]
        subprocess.run(command, check=True, timeout=100)
    rows = [comparable_rows(tmp_path / module) for module in ("aiorerun.sync", "rerun")]
    assert [row[:3] for row in rows[0]] == [row[:3] for row in rows[1]]
    assert {row[2] for row in rows[0]} == {"[('step', 7)] True", "[] False"}


@pytest.mark.parametrize("extension", ["rrd", "rbl"])
def test_recordings_and_blueprints(tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERUN_LOG_TICK", "0")
    source = tmp_path / f"source.{extension}"
    if extension == "rrd":
        write_recording(source)
    else:
        make = (
            "import sys, rerun.blueprint as rrb; rrb.Blueprint(rrb.TextLogView()).save('other', sys.argv[1])"
        )
        subprocess.run([sys.executable, "-c", make, str(source)], check=True, timeout=100)
    case: Case = (str(source), None, False)
    ours, official = tmp_path / "ours", tmp_path / "official"
    for folder in (ours, official):
        folder.mkdir()
    command = [sys.executable, "-c", OFFICIAL, str(official), json.dumps([case])]
    subprocess.run(command, check=True, timeout=100)
    import_ours(ours, [case])
    found = comparable_rows if extension == "rrd" else blueprints_in
    assert found(ours / "0.rrd") == found(official / "0.rrd") != []
    printed = [shown(folder / "0.rrd") for folder in (ours, official)]
    assert printed[0] == printed[1]
    assert any("BlueprintActivation" in line for line in printed[0]) == (extension == "rbl")


def shown(path: Path) -> list[str]:
    """The chunks and commands that the official program finds in a file."""
    from tests.reading import rerun_cli

    lines = rerun_cli("rrd", "print", path).stdout.splitlines()
    return sorted(
        line
        for line in lines
        if line.startswith(("Chunk", "Blueprint")) and "RecordingInfo:start_time" not in line
    )


def test_programs_are_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for times, where the official SDK takes the wrong flag for timestamps."""
    told = tmp_path / "told"
    write_program(
        tmp_path / "bin",
        f"with open({str(told)!r}, 'a') as file: file.write(json.dumps(sys.argv[1:]) + '\\n')\nsys.exit(66)",
    )
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "table.csv").write_text("a,b")
    script = """
import importlib, sys
rr = importlib.import_module(sys.argv[1])
rec = rr.RecordingStream("app", recording_id="same")
rec.memory_recording()
rec.set_time("count", sequence=3)
rec.set_time("after", duration=1.5)
rr.log_file_from_path(sys.argv[2], entity_path_prefix="pre/fix", recording=rec)
"""
    environment = {**os.environ, "PATH": path, "RERUN_LOG_TICK": "0", "RERUN_LOG_TIME": "0"}
    for module in ("aiorerun.sync", "rerun"):
        command = [sys.executable, "-W", "ignore", "-c", script, module, str(tmp_path / "table.csv")]
        subprocess.run(command, check=True, timeout=100, env=environment)
    ours, official = (json.loads(line) for line in told.read_text().splitlines())
    # The official SDK has no switch for `log_time`.
    assert ours == without(official, "log_time=")


def without(arguments: list[str], value: str) -> list[str]:
    """The arguments without the flags that have this value."""
    kept: list[str] = []
    for each in arguments:
        if each.startswith(value):
            kept.pop()
        else:
            kept.append(each)
    return kept
