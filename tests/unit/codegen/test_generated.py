"""The generated modules are what the data says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

import aiorerun.archetypes as archetypes
import aiorerun.blueprint as blueprint
import aiorerun.blueprint.archetypes as blueprint_archetypes
import aiorerun.blueprint.components as blueprint_components
import aiorerun.blueprint.datatypes as blueprint_datatypes
import aiorerun.components as components
import aiorerun.datatypes as datatypes
from aiorerun._codegen import selection
from aiorerun._codegen.__main__ import generate, main, outdated
from aiorerun._codegen.extract import dumps
from aiorerun._codegen.model import DATA, Archetype, Model, Type, package_of
from aiorerun.types.coerce import catalog
from tests import recipes

MODEL = Model.load()
BLUEPRINT = Model.load("blueprint")
MISSING = inspect.Parameter.empty

ARCHETYPES = [*MODEL.archetypes, *BLUEPRINT.archetypes]
COMPONENTS = [*MODEL.components, *BLUEPRINT.components]
TYPES = [*COMPONENTS, *MODEL.datatypes, *BLUEPRINT.datatypes]
PACKAGES = {
    "archetypes": archetypes,
    "components": components,
    "datatypes": datatypes,
    "blueprint_archetypes": blueprint_archetypes,
    "blueprint_components": blueprint_components,
    "blueprint_datatypes": blueprint_datatypes,
}


def _name(item: Archetype | Type) -> str:
    return item.name


def _made(item: Archetype | Type, suffix: str = "") -> Any:
    """What was generated, by hand or by the generator."""
    return getattr(PACKAGES[package_of(item.name)], item.short + suffix)


@cache
def generated() -> dict[str, str]:
    """What the generator makes now; it takes seconds."""
    return generate()


def test_nothing_has_drifted() -> None:
    assert outdated(generated()) == []


def test_the_check_tells_of_drift(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {**generated(), "archetypes/missing.py": "# nothing like it\n"}
    monkeypatch.setattr("aiorerun._codegen.__main__.generate", lambda: texts)
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "differs: archetypes/missing.py\n"


def test_the_data_is_in_its_own_form() -> None:
    import json

    assert dumps(json.loads(DATA.read_text())) == DATA.read_text()


def test_every_archetype_of_the_data_has_a_subject() -> None:
    shorts = {item.short for item in MODEL.all_archetypes.values()}
    assert set(selection.SUBJECTS) == shorts


def parameters(function: Any) -> list[tuple[str, str, str | None]]:
    found = inspect.signature(function).parameters.values()
    return [
        (item.name, item.kind.name.lower(), None if item.default is MISSING else repr(item.default))
        for item in found
        if item.name != "self"
    ]


@pytest.mark.parametrize("item", ARCHETYPES, ids=_name)
def test_constructors_have_the_official_parameters(item: Archetype) -> None:
    wanted = [(parameter.name, parameter.kind, parameter.default) for parameter in item.parameters]
    assert parameters(_made(item)) == wanted


@pytest.mark.parametrize("item", ARCHETYPES, ids=_name)
def test_from_fields_and_columns_have_the_fields_as_parameters(item: Archetype) -> None:
    cls = _made(item)
    fields = [(field.name, "keyword_only", "None") for field in item.fields]
    assert parameters(cls.from_fields) == [("clear_unset", "keyword_only", "False"), *fields]
    assert hasattr(cls, "columns") is item.has_columns
    if item.has_columns:
        assert parameters(cls.columns) == fields


@pytest.mark.parametrize("item", ARCHETYPES, ids=_name)
def test_fields_and_descriptors(item: Archetype) -> None:
    cls = _made(item)
    assert cls.NAME == cls.archetype() == item.name
    assert cls.archetype_short_name() == item.short
    for field, found in zip(item.fields, cls.FIELDS, strict=True):
        descriptor = found.descriptor
        assert (found.name, descriptor.component_type) == (field.name, field.component)
        assert (descriptor.component, descriptor.archetype) == (f"{item.short}:{field.name}", item.name)
        assert getattr(cls, f"descriptor_{field.name}")() is descriptor


@pytest.mark.parametrize("item", TYPES, ids=_name)
def test_batches_have_the_arrow_type_of_the_data(item: Type) -> None:
    batch = _made(item, "Batch")
    wanted = recipes.arrow_type(item.raw["arrow"])
    assert recipes.same_type(batch.ENCODING.arrow_type(), wanted)
    assert recipes.same_type(batch(None).as_arrow_array().type, wanted)
    if item.is_component:
        assert item.name == batch.COMPONENT_TYPE


@pytest.mark.parametrize(
    "item",
    [item for item in TYPES if not item.variants],
    ids=_name,
)
def test_native_classes_have_the_official_parameters(item: Type) -> None:
    cls = _made(item)
    wanted = [(parameter.name, parameter.kind, parameter.default) for parameter in item.parameters]
    assert parameters(cls) == wanted
    for attribute, _ in item.raw["attributes"]:
        assert item.short == "TensorData" or hasattr(cls, attribute)


@pytest.mark.parametrize(
    "item",
    [item for item in TYPES if item.variants],
    ids=_name,
)
def test_enums_have_the_official_members(item: Type) -> None:
    cls = _made(item)
    assert {member.name: member.value for member in cls} == item.variants
    for member in cls:
        assert cls.auto(member.name.swapcase()) is cls.auto(member.value) is cls.auto(member) is member
        assert str(member) == member.name


@pytest.mark.parametrize("item", [item for item in COMPONENTS if item.raw["constants"]], ids=_name)
def test_constants_have_the_official_values(item: Type) -> None:
    cls = _made(item)
    for name, value in item.raw["constants"].items():
        constant = getattr(cls, name)
        assert type(constant) is cls
        # Of natives with one attribute the record has it by name.
        plain = next(iter(value.values())) if isinstance(value, dict) else value
        assert constant.as_arrow_array().to_pylist() == [plain]


def test_encodings_exist_once() -> None:
    assert archetypes.Points3D.FIELDS[0].encoding is catalog.VEC3D
    assert components.Position3DBatch.ENCODING is components.Vector3DBatch.ENCODING is catalog.VEC3D


@pytest.mark.parametrize("package", [*PACKAGES.values(), blueprint])
def test_everything_offered_exists(package: Any) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_encodings_are_another_name_of_datatypes() -> None:
    from aiorerun import encodings
    from aiorerun.blueprint import encodings as blueprint_encodings

    assert encodings.Quaternion is datatypes.Quaternion
    assert blueprint_encodings.SortBy is blueprint_datatypes.SortBy
    for one, other in ((encodings, datatypes), (blueprint_encodings, blueprint_datatypes)):
        assert one.__all__ == other.__all__
        assert dir(one) == dir(other)
    with pytest.raises(AttributeError):
        _ = blueprint_encodings.NoSuchType
    with pytest.raises(AttributeError):
        _ = encodings.NoSuchType
    # The protocols of the interpreter ask for such names.
    assert not hasattr(encodings, "__no_such_name__")


def test_exports_are_the_official_ones() -> None:
    for name, target in BLUEPRINT.exports.items():
        home = PACKAGES[package_of(target)]
        assert getattr(blueprint, name) is getattr(home, name)
    for view in BLUEPRINT.views:
        cls = getattr(blueprint, view.name.rpartition(".")[2])
        wanted = [(parameter.name, parameter.kind, parameter.default) for parameter in view.parameters]
        assert parameters(cls) == wanted
        assert cls().class_identifier == view.class_identifier


@pytest.mark.parametrize("item", MODEL.archetypes, ids=_name)
def test_visualizers_are_the_official_ones(item: Archetype) -> None:
    cls = _made(item)
    assert hasattr(cls, "visualizer") is (item.visualizer is not None)
    if item.visualizer is not None:
        assert parameters(cls.visualizer) == [("mappings", "keyword_only", "None")]
        assert cls.from_fields().visualizer().visualizer_type == item.visualizer


def test_nothing_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys, aiorerun.archetypes as a, aiorerun.components, aiorerun.datatypes\n"
        "before = [name for name in sys.modules if name.startswith('aiorerun.archetypes.')]\n"
        "a.Scalars(1.5)\n"
        "heavy = {'numpy', 'pyarrow', 'aiorerun.components.common'} & set(sys.modules)\n"
        "print(before, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] set()\n"


@pytest.mark.parametrize("package", ["archetypes", "blueprint.archetypes", "blueprint"])
def test_all_archetypes_together_load_nothing_heavy(package: str) -> None:
    code = (
        f"import sys, aiorerun.{package} as a\n"
        "for name in a.__all__:\n"
        "    getattr(a, name)\n"
        "print({'numpy', 'pyarrow', 'PIL', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
