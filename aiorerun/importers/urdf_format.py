"""The URDF format: robots described in XML. Pure.

Only what is shown is read: links with their geometries, joints with their origins, and colors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 64 << 20
"""A longer description is refused: in memory it takes many times as much."""

MAX_ELEMENTS: Final = 500_000
"""A description with more elements is refused."""

MAX_DEPTH: Final = 200
"""Elements may be nested so deep."""

JOINT_TYPES: Final = frozenset(
    {"revolute", "continuous", "prismatic", "fixed", "floating", "planar", "spherical"}
)
"""The kinds of joints."""

Vector: TypeAlias = tuple[float, ...]


class Pose(NamedTuple):
    """Where something is: a translation, and the angles about x, y and z in radians."""

    xyz: Vector = (0.0, 0.0, 0.0)
    rpy: Vector = (0.0, 0.0, 0.0)

    @property
    def quaternion(self) -> Vector:
        """The rotation as x, y, z, w."""
        halves = (each / 2 if math.isfinite(each) else math.nan for each in self.rpy)
        (sx, cx), (sy, cy), (sz, cz) = ((math.sin(each), math.cos(each)) for each in halves)
        return (
            sx * cy * cz - cx * sy * sz,
            cx * sy * cz + sx * cy * sz,
            cx * cy * sz - sx * sy * cz,
            cx * cy * cz + sx * sy * sz,
        )


class Geometry(NamedTuple):
    """A shape.

    Attributes:
        kind: ``box``, ``cylinder``, ``capsule``, ``sphere`` or ``mesh``.
        size: Of a box its three sides, of a sphere the radius, of the others radius and length; of a mesh
            its scale, if it has one.
        file: Of a mesh, as it is written there.
    """

    kind: str
    size: Vector
    file: str = ""


class Shape(NamedTuple):
    """A visual or collision geometry of a link.

    Attributes:
        name: Its name; ``None`` if it has none.
        pose: In the frame of the link.
        geometry: What it is.
        color: Red, green, blue and alpha, linear; ``None`` if there is none.
    """

    name: str | None
    pose: Pose
    geometry: Geometry
    color: Vector | None


class Link(NamedTuple):
    """A part of a robot."""

    name: str
    visuals: list[Shape]
    collisions: list[Shape]


class Joint(NamedTuple):
    """Where a link is with respect to its parent."""

    name: str
    parent: str
    child: str
    pose: Pose


class Robot(NamedTuple):
    """A robot.

    Attributes:
        name: Its name, which may be empty.
        links: From the root on, every parent before its children.
        joints: In the order in which a walk from the root meets them.
    """

    name: str
    links: list[Link]
    joints: list[Joint]


def parse_robot(data: bytes) -> Robot:
    """Reads a description.

    Raises:
        ValueError: It is no XML, lacks something, or its links are no tree.
    """
    root = parse_xml(data)
    colors = {_text(each, "name"): _color(each) for each in root.iterfind("material")}
    links = {link.name: link for link in (_link(each, colors) for each in root.iterfind("link"))}
    return _walk(root.get("name", ""), links, [_joint(each) for each in root.iterfind("joint")])


def _walk(name: str, links: dict[str, Link], joints: list[Joint]) -> Robot:
    below: dict[str, list[Joint]] = {}
    for joint in joints:
        for link in (joint.parent, joint.child):
            if link not in links:
                raise ValueError(f"joint {joint.name!r} is at a link {link!r}, which is not there")
        below.setdefault(joint.parent, []).append(joint)
    children = {joint.child for joint in joints}
    roots = [link for link in links if link not in children]
    if len(roots) != 1:
        raise ValueError(f"a robot has one link that is the child of no joint, but here are {len(roots)}")
    found: dict[str, Link] = {}
    passed: list[Joint] = []
    open_links: list[tuple[Joint | None, str]] = [(None, roots[0])]
    # No recursion: chains may be long. A link that two joints lead to, or one in a ring, is passed once.
    while open_links:
        via, link = open_links.pop()
        if via is not None:
            passed.append(via)
        if link not in found:
            found[link] = links[link]
            open_links += [(each, each.child) for each in reversed(below.get(link, []))]
    return Robot(name, list(found.values()), passed)


def _link(element: Element, colors: dict[str, Vector | None]) -> Link:
    return Link(
        _text(element, "name"),
        [_shape(each, colors) for each in element.iterfind("visual")],
        [_shape(each, None) for each in element.iterfind("collision")],
    )


def _shape(element: Element, colors: dict[str, Vector | None] | None) -> Shape:
    geometry = _child(element, "geometry")
    if geometry is None:
        raise ValueError(f"a <{element.tag}> has no <geometry>")
    color = None
    material = _child(element, "material")
    if material is not None and colors is not None:
        name = _text(material, "name")
        # A material that says nothing itself is the one of that name.
        is_empty = material.find("color") is None and material.find("texture") is None
        color = colors.get(name) if is_empty else _color(material)
    return Shape(element.get("name"), _pose(element), _geometry(geometry), color)


def _geometry(element: Element) -> Geometry:
    if len(element) != 1:
        raise ValueError(f"a <geometry> has one shape, but here are {len(element)}")
    shape = element[0]
    match shape.tag:
        case "box":
            return Geometry("box", _numbers(shape, "size", 3))
        case "sphere":
            return Geometry("sphere", _numbers(shape, "radius", 1))
        case "cylinder" | "capsule":
            size = _numbers(shape, "radius", 1) + _numbers(shape, "length", 1)
            return Geometry(shape.tag, size)
        case "mesh":
            scale = () if shape.get("scale") is None else _numbers(shape, "scale", 3)
            return Geometry("mesh", scale, _text(shape, "filename"))
        case _:
            raise ValueError(f"<{shape.tag}> is no shape")


def _joint(element: Element) -> Joint:
    name = _text(element, "name")
    kind = _text(element, "type")
    if kind not in JOINT_TYPES:
        raise ValueError(f"joint {name!r} is of type {kind!r}; there are {sorted(JOINT_TYPES)}")
    ends = [_child(element, side) for side in ("parent", "child")]
    parent, child = ("" if each is None else _text(each, "link") for each in ends)
    if None in ends:
        raise ValueError(f"joint {name!r} needs a <parent> and a <child>")
    return Joint(name, parent, child, _pose(element))


def _pose(element: Element) -> Pose:
    origin = _child(element, "origin")
    if origin is None:
        return Pose()
    return Pose(
        **{each: _numbers(origin, each, 3) for each in ("xyz", "rpy") if origin.get(each) is not None}
    )


def _color(material: Element) -> Vector | None:
    color = _child(material, "color")
    return None if color is None else _numbers(color, "rgba", 4)


def _child(element: Element, name: str) -> Element | None:
    found = element.findall(name)
    if len(found) > 1:
        raise ValueError(f"a <{element.tag}> has {len(found)} <{name}>, where one is allowed")
    return found[0] if found else None


def _text(element: Element, name: str) -> str:
    text = element.get(name)
    if text is None:
        raise ValueError(f"a <{element.tag}> has no {name!r}")
    return text


def _numbers(element: Element, name: str, count: int) -> Vector:
    text = _text(element, name)
    words = text.split()
    try:
        # Python allows underscores, the format does not.
        numbers = tuple(float(word.replace("_", "?")) for word in words)
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise ValueError(f"{name}={text[:100]!r} of <{element.tag}> is not {count} numbers")
    return numbers


def srgb_color(linear: Vector) -> tuple[int, int, int, int]:
    """A color as bytes.

    As the official SDK makes them: steps are lost where a color is almost transparent, because it is
    multiplied with its opacity on the way.
    """
    *channels, opacity = (0.0 if math.isnan(each) else min(max(each, 0.0), 1.0) for each in linear)
    alpha = int(opacity * 255 + 0.5)
    if alpha == 0:
        return 0, 0, 0, 0
    curved = (_curved(each) for each in channels)
    red, green, blue = (
        each if alpha == 255 else min(255, int(int(each * opacity + 0.5) * 255 / alpha + 0.5))
        for each in curved
    )
    return red, green, blue, alpha


def _curved(linear: float) -> int:
    """The curve of sRGB."""
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return int(value * 255 + 0.5)


class _Reader:
    """Builds the tree, within limits. Entities are refused: a few of them make gigabytes."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._count = 0
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        self._depth += 1
        if self._count > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise ValueError("it has too many elements, or they are nested too deep")
        self._builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag)

    def entity(self, *_: object) -> None:
        raise ValueError("it declares entities, which are not read")

    def close(self) -> Element:
        return self._builder.close()


def parse_xml(data: bytes) -> Element:
    """The root of a document. Text and declarations are left out.

    Raises:
        ValueError: It is no XML, declares entities, or is too large.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES >> 20} MiB")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.EntityDeclHandler = reader.entity
    try:
        for piece in _pieces(data.lstrip()):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML: {error}") from None
    return reader.close()


def _pieces(data: bytes) -> Iterator[memoryview]:
    """Other threads get their turn between them."""
    view = memoryview(data)
    for start in range(0, len(view), 1 << 16):
        yield view[start : start + (1 << 16)]
