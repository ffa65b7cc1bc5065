from __future__ import annotations

from typing import Any

import pytest

from aiorerun.types.descriptors import ComponentDescriptor

FULL = ComponentDescriptor("Points3D:positions", "rerun.archetypes.Points3D", "rerun.components.Position3D")


def parts(descriptor: ComponentDescriptor) -> tuple[str, str | None, str | None]:
    return (descriptor.component, descriptor.archetype, descriptor.component_type)


def test_the_parts_can_be_read() -> None:
    assert parts(FULL) == (
        "Points3D:positions",
        "rerun.archetypes.Points3D",
        "rerun.components.Position3D",
    )
    assert parts(ComponentDescriptor("confidence")) == ("confidence", None, None)


@pytest.mark.parametrize("name", ["component", "archetype", "component_type", "other"])
def test_descriptors_cannot_be_changed(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(FULL, name, "x")


def test_the_text_is_the_identifier() -> None:
    assert str(FULL) == "Points3D:positions"


def test_the_representation_shows_all_parts() -> None:
    shown = repr(FULL)
    for part in parts(FULL):
        assert repr(part) in shown
    assert eval(shown) == FULL
    assert eval(repr(ComponentDescriptor("x"))) == ComponentDescriptor("x")


def test_descriptors_are_equal_and_hash_by_value() -> None:
    same = ComponentDescriptor(*parts(FULL))
    assert same == FULL
    assert FULL == FULL
    assert hash(same) == hash(FULL)
    assert len({FULL, same}) == 1


@pytest.mark.parametrize(
    "other",
    [
        ComponentDescriptor("Points3D:colors", FULL.archetype, FULL.component_type),
        ComponentDescriptor(FULL.component, None, FULL.component_type),
        ComponentDescriptor(FULL.component, FULL.archetype, None),
        "Points3D:positions",
        None,
    ],
)
def test_any_other_part_makes_another_descriptor(other: Any) -> None:
    assert other != FULL


def test_with_overrides_replaces() -> None:
    assert parts(FULL.with_overrides("A", "T")) == ("Points3D:positions", "A", "T")
    assert parts(FULL.with_overrides(archetype="A")) == ("Points3D:positions", "A", FULL.component_type)
    assert parts(FULL.with_overrides(component_type="T")) == ("Points3D:positions", FULL.archetype, "T")
    assert FULL.with_overrides() == FULL


def test_or_with_overrides_fills_in() -> None:
    assert FULL.or_with_overrides("A", "T") == FULL
    assert parts(ComponentDescriptor("x").or_with_overrides("A", "T")) == ("x", "A", "T")
    assert parts(ComponentDescriptor("x", "B").or_with_overrides("A", "T")) == ("x", "B", "T")
    assert parts(ComponentDescriptor("x", None, "U").or_with_overrides("A", "T")) == ("x", "A", "U")


def test_with_builtin_archetype_prefixes_the_short_name() -> None:
    loose = ComponentDescriptor("conf", component_type="T")
    assert parts(loose.with_builtin_archetype("MyArch")) == ("MyArch:conf", "MyArch", "T")
    assert parts(loose.with_builtin_archetype("rerun.archetypes.Points3D")) == (
        "Points3D:conf",
        "rerun.archetypes.Points3D",
        "T",
    )


def test_changing_a_copy_leaves_the_original() -> None:
    original = ComponentDescriptor("conf")
    original.with_overrides("A", "T")
    original.or_with_overrides("A", "T")
    original.with_builtin_archetype("A")
    assert parts(original) == ("conf", None, None)


@pytest.mark.parametrize("parts", [(5,), (None,), (b"x",), ("x", 5), ("x", None, 5)])
def test_names_are_texts(parts: Any) -> None:
    with pytest.raises(
        TypeError, match=r"(component|archetype|component_type) must be a str, got (int|NoneType|bytes)"
    ):
        ComponentDescriptor(*parts)
    with pytest.raises(TypeError, match="archetype must be a str, got int"):
        ComponentDescriptor("x").with_builtin_archetype(5)  # type: ignore[arg-type]


def test_names_that_no_reader_takes() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        ComponentDescriptor("")
    wrong: list[tuple[Any, ...]] = [("caf\udce9",), ("x", "caf\udce9"), ("x", None, "caf\udce9")]
    for parts in wrong:
        with pytest.raises(ValueError, match="must be valid Unicode"):
            ComponentDescriptor(*parts)


def test_an_empty_name_is_none() -> None:
    assert ComponentDescriptor("x", "", "") == ComponentDescriptor("x")
    assert ComponentDescriptor("x").with_builtin_archetype("") == ComponentDescriptor("x")
