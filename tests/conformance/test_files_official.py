"""What commands make of files of the official SDK, judged by the official program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aiorerun.cli.main import main
from aiorerun.files.merge import merge
from aiorerun.files.parquet import to_parquet
from aiorerun.files.recover import recover
from aiorerun.files.split import split_by_size
from aiorerun.files.split_time import Between, Every, split_by_time
from aiorerun.files.summary import summarize
from aiorerun.files.verify import verify
from tests.reading import assert_verified, rerun_cli
from tests.unit.files.making import assert_footer_is_right

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("rerun")

OFFICIAL = """
import sys
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

folder = sys.argv[1]


def recording(name, path, **options):
    rec = rr.RecordingStream("app", recording_id=name)
    rec.save(f"{folder}/{path}", **options)
    return rec


def fill(rec, start):
    rec.log("static", rr.TextLog("static"), static=True)
    for frame in range(start, start + 20):
        rec.set_time("frame", sequence=frame)
        rec.set_time("t", timestamp=1.7e9 + frame)
        rec.log("p/q", rr.Points3D(np.random.default_rng(frame).random((50, 3)), colors=[1, 2, 3]))
        rec.log("sp ace", rr.AnyValues(x=["a"] * (frame % 3 + 1)))
        rec.log("tensor", rr.Tensor(np.zeros((2, 2), np.float32)))
        if frame % 6 == 0:
            rec.flush()
    rec.send_columns("c", [rr.TimeColumn("frame", sequence=[3, 1, 2])], rr.Scalars.columns(scalars=[1, 2, 3]))
    rec.send_property("foo/bar baz", rr.AnyValues(y=1))
    rec.send_recording_name("a name")
    rec.disconnect()


fill(recording("one", "a.rrd", default_blueprint=rrb.Blueprint(rrb.Spatial3DView())), 0)
fill(recording("one", "b.rrd"), 20)
fill(recording("two", "c.rrd", write_footer=False), 0)
"""


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that the official SDK has written."""
    folder = tmp_path_factory.mktemp("official")
    subprocess.run([sys.executable, "-c", OFFICIAL, folder], check=True, timeout=100)
    return folder


def stats(*paths: Path) -> dict[str, str]:
    """What the official program counts in files."""
    result = rerun_cli("rrd", "stats", *paths)
    assert result.returncode == 0, result.stderr
    found = dict(re.findall(r"^(\S+?)(?: =|:) (\d+)", result.stdout, re.MULTILINE))
    # How often an index occurs differs with the number of chunks only.
    return {name: value for name, value in found.items() if not name.endswith(("_min", "_max", "_avg"))}


@pytest.mark.parametrize("name", ["a.rrd", "b.rrd", "c.rrd"])
def test_official_files_are_in_order(official: Path, name: str) -> None:
    found: list[str] = []
    verify(official / name, lambda note: found.append(note.text), check_footers=name != "c.rrd")
    assert found == []


@pytest.mark.parametrize("name", ["a.rrd", "b.rrd", "c.rrd"])
def test_recovered_files_are_equal(official: Path, tmp_path: Path, name: str) -> None:
    recover(official / name, tmp_path / "recovered.rrd")
    assert_footer_is_right(tmp_path / "recovered.rrd")
    assert_verified([tmp_path / "recovered.rrd"])
    compared = rerun_cli("rrd", "compare", official / name, tmp_path / "recovered.rrd")
    assert compared.returncode == 0, compared.stderr
    result = rerun_cli("rrd", "print", "-vvv", tmp_path / "recovered.rrd")
    assert result.returncode == 0
    assert "WARN" not in result.stderr
    assert "ERROR" not in result.stderr


def test_footers_of_ours_are_read_by_the_official_library(official: Path, tmp_path: Path) -> None:
    from rerun.chunk import RrdReader

    for name in ("a.rrd", "b.rrd"):
        recover(official / name, tmp_path / name)
        mine, theirs = (RrdReader(str(folder / name)).store() for folder in (tmp_path, official))
        assert mine.schema() == theirs.schema()
        assert sorted(chunk.id for chunk in mine.stream()) == sorted(chunk.id for chunk in theirs.stream())


def test_merged_files_hold_the_same_as_those_of_the_official_program(official: Path, tmp_path: Path) -> None:
    paths = [official / name for name in ("a.rrd", "b.rrd", "c.rrd", "a.rrd")]
    merge(paths, tmp_path / "ours.rrd")
    result = rerun_cli("rrd", "merge", *paths, "-o", tmp_path / "theirs.rrd")
    assert result.returncode == 0, result.stderr
    assert_verified([tmp_path / "ours.rrd"])
    assert_footer_is_right(tmp_path / "ours.rrd")
    assert stats(tmp_path / "ours.rrd") == stats(tmp_path / "theirs.rrd")
    assert len(stats(tmp_path / "ours.rrd")) > 8
    # Files of one recording can be compared row by row.
    merge(paths[:2], tmp_path / "one.rrd")
    rerun_cli("rrd", "merge", *paths[:2], "-o", tmp_path / "theirs_one.rrd")
    compared = rerun_cli("rrd", "compare", "--unordered", tmp_path / "one.rrd", tmp_path / "theirs_one.rrd")
    assert compared.returncode == 0, compared.stderr
    ours, theirs = summarize(tmp_path / "ours.rrd"), summarize(tmp_path / "theirs.rrd")
    assert {each.store: (each.rows, each.chunks, each.timelines) for each in ours.recordings} == {
        each.store: (each.rows, each.chunks, each.timelines) for each in theirs.recordings
    }


def test_parts_are_complete_and_become_the_same_file_again(official: Path, tmp_path: Path) -> None:
    path = official / "a.rrd"
    sized = split_by_size(path, tmp_path / "sized", 30_000)
    timed = split_by_time(path, tmp_path / "timed", "frame", lambda kind: Every(7))
    clock = split_by_time(path, tmp_path / "clock", "t", lambda kind: Between([1_700_000_005_000_000_000]))
    assert len(sized) > 2
    assert (len(timed), len(clock)) == (3, 2)
    assert_verified([part.path for part in (*sized, *timed, *clock)])
    for part in (*sized, *timed, *clock):
        assert_footer_is_right(part.path)
        result = rerun_cli("rrd", "print", part.path)
        assert "BlueprintActivationCommand" in result.stdout
        assert "/static" in result.stdout
        assert "RecordingInfo" in result.stdout
    merge([part.path for part in sized], tmp_path / "again.rrd")
    compared = rerun_cli("rrd", "compare", "--unordered", path, tmp_path / "again.rrd")
    assert compared.returncode == 0, compared.stderr
    for parts in (timed, clock):
        merge([part.path for part in parts], tmp_path / "again.rrd", force=True)
        before, after = (summarize(each).recordings for each in (path, tmp_path / "again.rrd"))
        assert {each.store: (each.rows, each.timelines) for each in before} == {
            each.store: (each.rows, each.timelines) for each in after
        }
        for each in before:
            other = next(recording for recording in after if recording.store == each.store)
            assert {p: e.rows for p, e in each.entities.items()} == {
                p: e.rows for p, e in other.entities.items()
            }


def test_parts_by_time_hold_what_those_of_the_official_program_do(official: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    result = rerun_cli(
        "rrd",
        "split",
        "-o",
        tmp_path / "theirs",
        "--timeline",
        "frame",
        "-t",
        "27",
        "-t",
        "34",
        official / "b.rrd",
    )
    assert result.returncode == 0, result.stderr
    parts = split_by_time(official / "b.rrd", tmp_path / "ours", "frame", lambda kind: Between([27, 34]))
    theirs = sorted((tmp_path / "theirs").iterdir(), key=lambda path: int(path.stem.split("_")[1]))

    def points(path: Path) -> int:
        return sum(
            each.entities["/p/q"].rows for each in summarize(path).recordings if "/p/q" in each.entities
        )

    assert [points(part.path) for part in parts] == [points(path) for path in theirs]


def test_counts_are_those_of_the_official_program(official: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.rrd", "c.rrd"):
        assert main(["info", "--json", str(official / name)]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        counted = stats(official / name)
        assert sum(each["chunks"] for each in found["recordings"]) == int(counted["num_chunks"])
        assert sum(each["rows"] for each in found["recordings"]) == int(counted["num_rows"])
        entities = {path for each in found["recordings"] for path in each["entities"]}
        assert len(entities) == int(counted["num_entity_paths"])
        recording = next(each for each in found["recordings"] if each["kind"] == "recording")
        assert recording["name"] == "a name"


def test_rows_of_official_files(official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cat", r"/sp\ ace", str(official / "a.rrd"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["components"].get("x") for row in rows] == [["a"] * (frame % 3 + 1) for frame in range(20)]
    made = to_parquet(official / "a.rrd", tmp_path / "tables")
    assert {file.entity_path: file.rows for file in made}["/p/q"] == 20
    assert main(["cat", "/tensor", str(official / "a.rrd")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 20
