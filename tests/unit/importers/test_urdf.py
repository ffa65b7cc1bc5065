"""URDF files: what is read, what is refused, and where meshes are looked for."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from aiorerun.importers import urdf_format
from aiorerun.importers.base import ImportedColumns, ImportedRow, ImportSettings
from aiorerun.importers.urdf import UrdfImporter, media_type, mesh_path
from aiorerun.importers.urdf_format import Pose, parse_robot, srgb_color

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = ImportSettings("app", "rec", "/pre")
BOX = '<geometry><box size="1 2 3"/></geometry>'


def robot(body: str, name: str = "r") -> bytes:
    return f'<robot name="{name}">{body}</robot>'.encode()


def link(name: str, body: str = "") -> str:
    return f'<link name="{name}">{body}</link>'


def joint(parent: str, child: str, more: str = "", kind: str = "fixed") -> str:
    ends = f'<parent link="{parent}"/><child link="{child}"/>'
    return f'<joint name="{parent}{child}" type="{kind}">{ends}{more}</joint>'


def visual(body: str) -> bytes:
    return robot(link("a", f"<visual>{body}</visual>"))


def items(data: bytes, path: str = "a.urdf") -> Iterator[Any]:
    return UrdfImporter().items(Path(path), data, SETTINGS)


def values(entity: Any) -> dict[str, Any]:
    return {
        each.component_descriptor().component: each.as_arrow_array().to_pylist()
        for each in entity.as_component_batches()
    }


def shapes(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    return [(str(row.entity_path), values(row.entity)) for row in items(data) if isinstance(row, ImportedRow)]


def test_shapes_and_their_places() -> None:
    body = (
        f'<visual name="a/b"><origin xyz="1 2 3"/>{BOX}</visual>'
        '<collision><geometry><cylinder radius="0.5" length="2"/></geometry></collision>'
    )
    found = shapes(robot(link("l 1", body), "my bot"))
    assert found == [
        (r"/pre/my\ bot", {"CoordinateFrame:frame": ["l 1"]}),
        (
            r"/pre/my\ bot/visual_geometries/l\ 1/a\/b",
            {"InstancePoses3D:translations": [[1, 2, 3]], "InstancePoses3D:quaternions": [[0, 0, 0, 1]]},
        ),
        (r"/pre/my\ bot/visual_geometries/l\ 1/a\/b", {"CoordinateFrame:frame": ["l 1"]}),
        (
            r"/pre/my\ bot/visual_geometries/l\ 1/a\/b",
            {"Boxes3D:half_sizes": [[0.5, 1, 1.5]], "Boxes3D:colors": [0xFFFFFFFF]},
        ),
        (
            r"/pre/my\ bot/collision_geometries/cylinder/l\ 1/collision_0",
            {"InstancePoses3D:translations": [[0, 0, 0]], "InstancePoses3D:quaternions": [[0, 0, 0, 1]]},
        ),
        (
            r"/pre/my\ bot/collision_geometries/cylinder/l\ 1/collision_0",
            {"CoordinateFrame:frame": ["l 1"]},
        ),
        (
            r"/pre/my\ bot/collision_geometries/cylinder/l\ 1/collision_0",
            {"Cylinders3D:lengths": [2], "Cylinders3D:radii": [0.5], "Cylinders3D:colors": [0xFFFFFFFF]},
        ),
    ]


def test_joints_are_static_and_not_below_the_prefix() -> None:
    data = robot(link("a") + link("b") + joint("a", "b", '<origin xyz="0 0 1"/>', "revolute"))
    last = list(items(data))[-1]
    assert isinstance(last, ImportedColumns)
    assert (last.entity_path, list(last.indexes)) == ("tf_static", [])
    found = {
        each.component_descriptor().component: each.as_arrow_array().to_pylist() for each in last.columns
    }
    assert found["Transform3D:translation"] == [[[0, 0, 1]]]
    assert found["Transform3D:parent_frame"] == [["a"]]
    assert found["Transform3D:child_frame"] == [["b"]]


def test_materials() -> None:
    """By name, of the shape itself, and unknown ones; the last one of a name counts."""
    red, green = '<color rgba="1 0 0 1"/>', '<color rgba="0 1 0 1"/>'
    named = f'<material name="m">{green}</material><material name="m">{red}</material>'
    uses = ('<material name="m"/>', f'<material name="m">{green}</material>', '<material name="other"/>')
    body = "".join(f"<visual>{BOX}{use}</visual>" for use in uses)
    colors = [
        row["Boxes3D:colors"]
        for _, row in shapes(robot(link("a", body) + named))
        if len(row) == 2 and "Boxes3D:colors" in row
    ]
    assert colors == [[0xFF0000FF], [0x00FF00FF], [0xFFFFFFFF]]


@pytest.mark.parametrize(
    ("linear", "color"),
    [
        ((0.5, 0.02, 0, 1), (188, 39, 0, 255)),
        ((0.1, 0.2, 0.3, 0.4), (90, 125, 150, 102)),
        ((2, -1, 0.5, 0.5), (255, 0, 187, 128)),
        ((0.001, 0.0031308, 0.0032, 0.25), (4, 12, 12, 64)),
        ((1, 1, 1, 0), (0, 0, 0, 0)),
        ((float("nan"), 1, float("inf"), 1), (0, 255, 255, 255)),
    ],
)
def test_colors_are_those_of_the_official_sdk(linear: Any, color: Any) -> None:
    assert srgb_color(linear) == color


def test_rotations_are_about_fixed_axes() -> None:
    angles = 0.1, 0.2, 0.3
    turns = []
    for axis, angle in enumerate(angles):
        turn, (c, s) = np.eye(3), (np.cos(angle), np.sin(angle))
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn[[one, one, other, other], [one, other, one, other]] = c, -s, s, c
        turns.append(turn)
    x, y, z, w = Pose(rpy=angles).quaternion
    assert (turns[2] @ turns[1] @ turns[0] @ [1, 2, 3]) == pytest.approx(
        np.array([1, 2, 3])
        + 2 * np.cross([x, y, z], np.cross([x, y, z], [1, 2, 3]) + w * np.array([1, 2, 3]))
    )


BROKEN = {
    "no XML": b"nothing of the kind",
    "cut off": robot(link("a"))[:-5],
    "empty": b"",
    "two numbers": visual('<origin xyz="1 2"/>' + BOX),
    "no number": visual('<geometry><sphere radius="x"/></geometry>'),
    "underscores": visual('<geometry><sphere radius="1_0"/></geometry>'),
    "no geometry": visual(""),
    "no shape": visual("<geometry/>"),
    "two shapes": visual('<geometry><box size="1 1 1"/><sphere radius="2"/></geometry>'),
    "unknown shape": visual('<geometry><cone radius="1"/></geometry>'),
    "two origins": visual("<origin/><origin/>" + BOX),
    "material without name": visual(BOX + '<material><color rgba="1 0 0 1"/></material>'),
    "mesh without file": visual("<geometry><mesh/></geometry>"),
    "no links": robot(""),
    "two roots": robot(link("a") + link("b")),
    "no root": robot(link("a") + link("b") + joint("a", "b") + joint("b", "a")),
    "unknown link": robot(link("a") + joint("a", "b")),
    "unknown joint": robot(link("a") + link("b") + joint("a", "b", kind="rope")),
    "joint without parent": robot(link("a") + '<joint name="j" type="fixed"><child link="a"/></joint>'),
    "link without name": robot("<link/>"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_is_given_of_broken_files(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        next(items(BROKEN[name]))


def test_entities_are_refused() -> None:
    """A few lines of them would make gigabytes of text."""
    lines = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 12))
    bomb = f'<!DOCTYPE r [<!ENTITY e0 "aaaaaaaaaa">{lines}]><robot name="&e11;"/>'.encode()
    start = time.monotonic()
    with pytest.raises(ValueError, match="entities"):
        next(items(bomb))
    with pytest.raises(ValueError, match="entities"):
        next(items(b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><robot name="&e;"/>'))
    assert time.monotonic() - start < 5


def test_huge_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urdf_format, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="longer"):
        parse_robot(robot(link("a") + " " * 1000))
    monkeypatch.undo()
    monkeypatch.setattr(urdf_format, "MAX_ELEMENTS", 50)
    with pytest.raises(ValueError, match="too many"):
        parse_robot(robot(link("a") * 60))
    with pytest.raises(ValueError, match="too deep"):
        parse_robot(b"<robot>" + b"<a>" * 300)


def test_long_chains_and_rings() -> None:
    """No recursion, and every link once."""
    count = 5000
    names = [f"l{number}" for number in range(count)]
    chain = "".join(joint(one, other) for one, other in pairwise(names))
    found = parse_robot(robot("".join(map(link, names)) + chain))
    assert [each.name for each in found.links] == names
    assert len(found.joints) == count - 1
    ring = parse_robot(robot("".join(map(link, "abc")) + joint("a", "b") + joint("b", "c") + joint("c", "b")))
    assert [each.name for each in ring.links] == ["a", "b", "c"]
    assert len(ring.joints) == 3


def test_where_meshes_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/robots")
    (tmp_path / "one" / "pkg1").mkdir(parents=True)
    (tmp_path / "two" / "share" / "pkg2").mkdir(parents=True)
    monkeypatch.setenv("ROS_PACKAGE_PATH", f"/nowhere:{tmp_path / 'one'}")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path / "two"))
    assert mesh_path("meshes/a.stl", folder) == folder / "meshes/a.stl"
    assert mesh_path("/abs/a.stl", folder) == Path("/abs/a.stl")
    assert mesh_path("file:///abs/a.stl", folder) == Path("/abs/a.stl")
    assert mesh_path("package://any//abs/a.stl", folder) == Path("/abs/a.stl")
    assert mesh_path("package://pkg1/m/a.stl", folder) == tmp_path / "one/pkg1/m/a.stl"
    assert mesh_path("package://pkg2/m/a.stl", folder) == tmp_path / "two/share/pkg2/m/a.stl"
    for name in ("package://pkg3/a.stl", "package://pkg1", "http://127.0.0.1/a.stl", "model://a/b.stl"):
        with pytest.raises(ValueError, match=r"package|not read"):
            mesh_path(name, folder)


def test_what_meshes_are() -> None:
    assert media_type("a/b.STL", b"") == "model/stl"
    assert media_type("a.obj?size=1.stl#x", b"") == "model/obj"
    assert media_type("a.ply", b"") == "application/x-ply"
    assert media_type("mesh", b"glTF\x02") == "model/gltf-binary"
    assert media_type("mesh", b"x") is None


def test_a_mesh_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The rest of the robot is logged."""
    body = "".join(
        f'<visual><geometry><mesh filename="{name}" scale="1 2 3"/></geometry></visual>'
        for name in ("missing.stl", "/dev/zero", ".", "here.stl")
    )
    (tmp_path / "here.stl").write_bytes(b"mesh")
    rows = list(items(robot(link("a", body)), str(tmp_path / "a.urdf")))
    assert [row.entity.archetype_short_name() for row in rows] == [
        "CoordinateFrame",
        *["InstancePoses3D", "CoordinateFrame"] * 4,
        "Asset3D",
    ]
    assert values(rows[1].entity)["InstancePoses3D:scales"] == [[1, 2, 3]]
    assert len(caplog.records) == 3


def test_numbers_out_of_range() -> None:
    found = shapes(
        visual('<origin xyz="1e300 nan -inf" rpy="inf 0 0"/><geometry><sphere radius="-1"/></geometry>')
    )
    places = np.array(found[1][1]["InstancePoses3D:translations"])
    assert np.isposinf(places[0, 0])
    assert np.isnan(places[0, 1])
    assert found[3][1]["Ellipsoids3D:half_sizes"] == [[-1, -1, -1]]
