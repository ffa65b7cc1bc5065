"""PLY files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiorerun.importers.base import ImportedRow, ImportSettings
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


SPLAT = (
    "f_dc_0",
    "f_dc_1",
    "f_dc_2",
    "opacity",
    "scale_0",
    "scale_1",
    "scale_2",
    *map("rot_{}".format, range(4)),
)


def splat_file(values: str, *more: str) -> bytes:
    return ply(("vertex", 1, (*XYZ, *(f"float {name}" for name in (*SPLAT, *more)))), body=values)


def test_splats() -> None:
    harmonics = [f"f_rest_{number}" for number in range(9)]
    entity = imported(splat_file("1 2 3  10 0 -10  0  0 1 -1  0 3 0 4  1 2 3 4 5 6 7 8 9\n", *harmonics))
    assert entity.archetype_short_name() == "GaussianSplats3D"
    found = values(entity)
    assert found["centers"] == [[1, 2, 3]]
    assert found["scales"][0] == pytest.approx([1, 2.7182817, 0.36787945])
    assert found["quaternions"][0] == pytest.approx([0.6, 0, 0.8, 0])
    assert found["colors"] == [0xFF800080]
    assert np.reshape(found["sh_coefficients"], (15, 3)).tolist() == [
        *([1, 4, 7], [2, 5, 8], [3, 6, 9]),
        *[[0, 0, 0]] * 12,
    ]


def test_splats_that_are_odd(caplog: pytest.LogCaptureFixture) -> None:
    """Without a rotation, without harmonics that make sense, and out of all ranges."""
    found = values(imported(splat_file("nan 2 3  0 0 0  -200  1000 0 0  0 0 0 0  1\n", "f_rest_0")))
    assert found["quaternions"] == [[0, 0, 0, 1]]
    assert found["colors"] == [0x80808000]
    assert found["scales"] == [[np.inf, 1, 1]]
    assert "sh_coefficients" not in found
    assert "not the same number for each color" in caplog.text


def test_harmonics_of_a_high_degree(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"f_rest_{number}" for number in range(72)]
    data = splat_file("0 0 0  0 0 0  0  0 0 0  1 0 0 0 " + " ".join(map(str, range(72))), *names)
    found = np.reshape(values(imported(data))["sh_coefficients"], (15, 3))
    assert found.T.tolist() == [list(range(start, start + 15)) for start in (0, 24, 48)]
    assert "the first 15 are kept" in caplog.text


def test_splats_need_all_their_properties() -> None:
    names = [f"float {name}" for name in SPLAT if name != "rot_3"]
    data = ply(("vertex", 1, (*XYZ, *names)), body="0 1 2 " + "1 " * 10 + "\n")
    assert imported(data).archetype_short_name() == "Points3D"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_comments_may_tell_of_the_end_of_the_header(line_end: str) -> None:
    lines = ["ply", "format ascii 1.0", "comment end_header is below", "element vertex 2", "end_header", ""]
    data = line_end.join(lines).encode()
    header = parse_header(data)
    assert header.count("vertex") == 2
    assert header.size == len(data)
