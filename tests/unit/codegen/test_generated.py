"""The generated modules are what the data says."""

from __future__ import annotations

import inspect
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

import aiorerun.archetypes as archetypes
import aiorerun.components as components
import aiorerun.datatypes as datatypes
from aiorerun._codegen import selection
from aiorerun._codegen.__main__ import generate, main, outdated
from aiorerun._codegen.extract import dumps
from aiorerun._codegen.model import DATA, Archetype, Model, Type
from aiorerun.types.coerce import catalog
from tests import recipes

MODEL = Model.load()
MISSING = inspect.Parameter.empty


TYPES = [*MODEL.components, *MODEL.datatypes]


def _name(item: Type) -> str:
    return item.name


def _short(item: Archetype | Type) -> str:
    return item.short


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


@pytest.mark.parametrize("item", MODEL.archetypes, ids=_short)
def test_constructors_have_the_official_parameters(item: Archetype) -> None:
    wanted = [(parameter.name, parameter.kind, parameter.default) for parameter in item.parameters]
    assert parameters(getattr(archetypes, item.short)) == wanted


@pytest.mark.parametrize("item", MODEL.archetypes, ids=_short)
def test_from_fields_and_columns_have_the_fields_as_parameters(item: Archetype) -> None:
    cls = getattr(archetypes, item.short)
    fields = [(field.name, "keyword_only", "None") for field in item.fields]
    assert parameters(cls.from_fields) == [("clear_unset", "keyword_only", "False"), *fields]
    assert parameters(cls.columns) == fields


@pytest.mark.parametrize("item", MODEL.archetypes, ids=_short)
def test_fields_and_descriptors(item: Archetype) -> None:
    cls = getattr(archetypes, item.short)
    assert cls.NAME == cls.archetype() == item.name
    assert cls.archetype_short_name() == item.short
    for field, found in zip(item.fields, cls.FIELDS, strict=True):
        descriptor = found.descriptor
        assert (found.name, descriptor.component_type) == (field.name, field.component)
        assert (descriptor.component, descriptor.archetype) == (f"{item.short}:{field.name}", item.name)
        assert getattr(cls, f"descriptor_{field.name}")() is descriptor


@pytest.mark.parametrize("item", TYPES, ids=_name)
def test_batches_have_the_arrow_type_of_the_data(item: Type) -> None:
    batch = getattr(components if item.is_component else datatypes, f"{item.short}Batch")
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
    cls = getattr(components if item.is_component else datatypes, item.short)
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
    cls = getattr(components if item.is_component else datatypes, item.short)
    assert {member.name: member.value for member in cls} == item.variants
    for member in cls:
        assert cls.auto(member.name.swapcase()) is cls.auto(member.value) is cls.auto(member) is member
        assert str(member) == member.name


@pytest.mark.parametrize("item", [item for item in MODEL.components if item.raw["constants"]], ids=_short)
def test_constants_have_the_official_values(item: Type) -> None:
    cls = getattr(components, item.short)
    for name, value in item.raw["constants"].items():
        constant = getattr(cls, name)
        assert type(constant) is cls
        # Of natives with one attribute the record has it by name.
        plain = next(iter(value.values())) if isinstance(value, dict) else value
        assert constant.as_arrow_array().to_pylist() == [plain]


def test_encodings_exist_once() -> None:
    assert archetypes.Points3D.FIELDS[0].encoding is catalog.VEC3D
    assert components.Position3DBatch.ENCODING is components.Vector3DBatch.ENCODING is catalog.VEC3D


@pytest.mark.parametrize("package", [archetypes, components, datatypes])
def test_everything_offered_exists(package: Any) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_encodings_are_another_name_of_datatypes() -> None:
    from aiorerun import encodings

    assert encodings.Quaternion is datatypes.Quaternion
    assert encodings.__all__ == datatypes.__all__
    assert dir(encodings) == dir(datatypes)
    with pytest.raises(AttributeError):
        _ = encodings.NoSuchType
    # The protocols of the interpreter ask for such names.
    assert not hasattr(encodings, "__no_such_name__")


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


def test_all_archetypes_together_load_nothing_heavy() -> None:
    code = (
        "import sys, aiorerun.archetypes as a\n"
        "for name in a.__all__:\n"
        "    getattr(a, name)\n"
        "print({'numpy', 'pyarrow', 'PIL', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
