"""PLY files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiorerun.importers.base import ImportedRow, ImportSettings, IncompatibleFileError
from aiorerun.importers.ply import PlyImporter
from aiorerun.importers.ply_format import parse_header
from tests.unit.importers.files import BROKEN_PLYS, PLYS, XYZ, ply

SETTINGS = ImportSettings("app", "rec")


def imported(data: bytes) -> Any:
    (item,) = PlyImporter().items(Path("a.ply"), data, SETTINGS)
    assert isinstance(item, ImportedRow)
    return item.entity


def values(entity: Any) -> dict[str, Any]:
    return {
        each.component_descriptor().component.partition(":")[2]: each.as_arrow_array().to_pylist()
        for each in entity.as_component_batches()
    }


def test_points_with_colors() -> None:
    entity = imported(PLYS["points"])
    assert entity.archetype_short_name() == "Points3D"
    assert values(entity) == {"positions": [[0, 1, 2], [3, 4, 5]], "colors": [0xFF000AFF, 0x010203FF]}


def test_points_in_a_plane() -> None:
    entity = imported(PLYS["flat"])
    assert entity.archetype_short_name() == "Points2D"
    assert values(entity) == {"positions": [[0, 1], [3, 4]], "colors": [0x7FFF003F, 0x00FF00FF]}


@pytest.mark.parametrize("name", ["little", "big"])
def test_binary_files_with_lists(name: str) -> None:
    assert values(imported(PLYS[name])) == {
        "positions": [[0, 0.5, 0], [1, 1.5, -1], [2, 2.5, -2]],
        "colors": [0x00020304, 0x01020304, 0x02020304],
        "radii": [0, 0.25, 0.5],
        "labels": ["ab"] * 3,
    }


def test_colors_of_other_types() -> None:
    assert values(imported(PLYS["wide_colors"]))["colors"] == [0xFBFFFFFF]
    assert "colors" not in values(imported(PLYS["two_colors"]))


@pytest.mark.parametrize("name", ["no_faces", "no_corners", "after_others", "crlf", "twice"])
def test_one_point(name: str) -> None:
    assert values(imported(PLYS[name])) == {"positions": [[0, 1, 2]]}


def test_meshes_stay_files() -> None:
    entity = imported(PLYS["mesh"])
    assert entity.archetype_short_name() == "Asset3D"
    assert values(entity)["media_type"] == ["application/x-ply"]
    assert bytes(values(entity)["blob"][0]) == PLYS["mesh"]


@pytest.mark.parametrize("name", BROKEN_PLYS)
def test_broken_files(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        imported(BROKEN_PLYS[name])


@pytest.mark.parametrize(
    "line",
    ["element vertex -1", "element vertex x", "property float", "property list float int v", "nonsense 1"],
)
def test_broken_headers(line: str) -> None:
    data = ply(("vertex", 1, XYZ), body="0 1 2\n").replace(b"end_header", line.encode() + b"\nend_header")
    with pytest.raises(ValueError, match="not understood"):
        imported(data)


def test_a_header_without_format() -> None:
    with pytest.raises(ValueError, match="in which format"):
        parse_header(b"ply\nelement vertex 0\nend_header\n")


def test_numbers_of_rows_are_not_believed() -> None:
    """Nothing is allocated for rows that are not there."""
    for properties in (XYZ, (*XYZ, "list uchar uchar label")):
        for form in ("ascii", "binary_little_endian"):
            with pytest.raises(ValueError, match="ends before"):
                imported(ply(("vertex", 10**15, properties), body=b"1 2 3 0\n4 5 6 0\n", form=form))
    longest = ply(("vertex", 1, XYZ), body="1 2 " + "3" * 1000)
    with pytest.raises(ValueError, match="too many digits"):
        imported(longest)


def test_lists_of_negative_length() -> None:
    data = ply(("vertex", 1, (*XYZ, "list char uchar label")), body="0 1 2 -1\n")
    with pytest.raises(ValueError, match="negative"):
        imported(data)
    data = ply(
        ("vertex", 1, ("list char uchar label", *XYZ)), body=b"\xff" + bytes(20), form="binary_big_endian"
    )
    with pytest.raises(ValueError, match="negative"):
        imported(data)


def test_splats_are_not_taken_for_points() -> None:
    names = ("f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "rot_0")
    data = ply(("vertex", 1, (*XYZ, *(f"float {name}" for name in names))), body="0 1 2 1 1 1 1 1 1\n")
    with pytest.raises(IncompatibleFileError):
        imported(data)
