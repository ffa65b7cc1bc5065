"""Entity paths of files, names of columns, the registry, and what programs are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.importers.base import MAX_FILE_BYTES, ImportSettings, read
from aiorerun.importers.external import arguments, find_programs
from aiorerun.importers.parquet import columns_by_entity
from aiorerun.types.timeline import Timeline, TimelineKind
from tests.unit.importers.files import write_program

if TYPE_CHECKING:
    from pathlib import Path

PATHS = {
    "img.png": "/img.png",
    "./img.png": "/img.png",
    "dir/sub/../a.txt": "/dir/a.txt",
    "../../a.txt": "/a.txt",
    "/data/x y.png": r"/data/x\ y.png",
    "a//b.png": "/a/b.png",
    "über/ß.png": "/über/ß.png",
    "a\\b.png": r"/a\\b.png",
    "caf\udce9.png": "/caf\\u{FFFD}.png",
}


@pytest.mark.parametrize("path", PATHS)
def test_entity_paths(path: str) -> None:
    assert ImportSettings("app", "rec").entity_path(path) == PATHS[path]


def test_prefixes() -> None:
    assert ImportSettings("app", "rec", "/pre/fi\\ x").entity_path("img.png") == r"/pre/fi\ x/img.png"
    assert ImportSettings("app", "rec", "/").entity_path("img.png") == "/img.png"


def test_columns() -> None:
    assert columns_by_entity(["a_b_c", "z", "z_q", "_lead", "trail_", "", "solo"]) == {
        "a": [(0, "b_c")],
        "z": [(1, "z"), (2, "q")],
        "": [(3, "lead"), (5, "")],
        "trail_": [(4, "trail_")],
        "solo": [(6, "solo")],
    }


def test_arguments() -> None:
    times = (
        (Timeline("count", TimelineKind.SEQUENCE), 3),
        (Timeline("after", TimelineKind.DURATION), 4),
        (Timeline("when", TimelineKind.TIMESTAMP), 5),
    )
    ids = "--application-id app --recording-id rec --opened-application-id app --opened-recording-id rec"
    assert " ".join(arguments(ImportSettings("app", "rec", "/p", times=times))) == (
        f"{ids} --entity-path-prefix /p --time_sequence count=3 --sequence count=3 "
        "--time_duration_nanos after=4 --time after=4 --time_timestamp_nanos when=5 --time when=5"
    )
    static = ImportSettings("app", "rec", is_static=True)
    assert " ".join(arguments(static)) == f"{ids} --timeless --static"


def test_programs_on_the_path(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = write_program(one, "", "rerun-importer-a")
    write_program(other, "", "rerun-importer-a")
    loader = write_program(other, "", "rerun-loader-b")
    write_program(other, "", "something-else")
    write_program(other, "", "rerun-importer-no").chmod(0o644)
    (other / "rerun-importer-dir").mkdir()
    assert find_programs(f"{one}:{tmp_path / 'missing'}::{other}") == [first, loader]


def test_what_is_no_importer() -> None:
    wrong: Any
    for wrong in (object(), type("Named", (), {"name": "x"})(), type("Odd", (), {"name": 1})()):
        with pytest.raises(TypeError, match="register_importer"):
            rr.register_importer(wrong)


def test_files_that_are_too_long(tmp_path: Path) -> None:
    with (tmp_path / "long.png").open("wb") as file:
        # It takes no space.
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="2 GiB"):
        read(tmp_path / "long.png", None)
