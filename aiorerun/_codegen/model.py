"""The data of the type system as objects, and where each type goes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aiorerun._codegen import selection

DATA = Path(__file__).with_name("types.json")


def short(name: str) -> str:
    """``Points3D`` of ``rerun.archetypes.Points3D``."""
    return name.rpartition(".")[2]


def package_of(name: str) -> str:
    """What generated code calls the package of a type: ``datatypes`` of ``rerun.encodings.Vec3D``."""
    return "_".join(name.split(".")[1:-1]).replace("encodings", "datatypes")


def module_of(subject: str) -> str:
    """The module of a subject within its package."""
    return subject.removeprefix("blueprint_")


def constant(name: str) -> str:
    """``MARKER_SHAPE`` of ``MarkerShape``, ``VEC3D`` of ``Vec3D``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", short(name)).upper()


@dataclass
class Parameter:
    """One parameter of a constructor; ``default`` is source text, ``None`` if it is required."""

    name: str
    kind: str
    annotation: str
    default: str | None

    @property
    def keyword_only(self) -> bool:
        """Whether it stands after the ``*``."""
        return self.kind == "keyword_only"


@dataclass
class Type:
    """A component or an encoding (which users know as a datatype)."""

    name: str
    raw: dict[str, Any]
    variants: dict[str, int] | None

    @property
    def short(self) -> str:
        """Its name without the module."""
        return short(self.name)

    @property
    def is_component(self) -> bool:
        """Whether it is a component."""
        return ".components." in self.name

    @property
    def encoding(self) -> str:
        """Full name of the type whose encoding it uses: its own, or the one it delegates to."""
        return self.raw["delegates_to"] or self.name

    @property
    def parameters(self) -> list[Parameter]:
        """Of the native class's constructor."""
        return [Parameter(*item) for item in self.raw["constructor"]]


@dataclass
class Field:
    """One field of an archetype."""

    name: str
    component: str
    annotation: str
    many: bool
    columns_annotation: str | None


@dataclass
class Archetype:
    """An archetype."""

    name: str
    fields: list[Field]
    parameters: list[Parameter]
    has_columns: bool
    visualizer: str | None

    @property
    def short(self) -> str:
        """Its name without the module."""
        return short(self.name)


@dataclass
class View:
    """A kind of view: its name, how the viewer calls it, and the archetypes of its properties."""

    name: str
    class_identifier: str
    parameters: list[Parameter]
    properties: dict[str, str]


class Model:
    """One of the two vocabularies: what is logged, or what blueprints are made of.

    Args:
        data: The data of both.
        scope: ``""``, or ``"blueprint"``.
    """

    def __init__(self, data: dict[str, Any], scope: str = "") -> None:
        self.scope = scope
        self.sdk_version: str = data["sdk_version"]
        self.types = {
            name: Type(name, raw, data["enums"].get(name))
            for kind in ("components", "encodings")
            for name, raw in data[kind].items()
        }
        self.exports: dict[str, str] = data["blueprint_exports" if scope else "exports"]
        self.all_archetypes = {name: _archetype(name, raw) for name, raw in data["archetypes"].items()}
        self.views = [
            View(name, raw["class_identifier"], _parameters(raw), raw["properties"])
            for name, raw in sorted(data["views"].items())
        ]
        self._module = f"rerun.{scope}." if scope else "rerun."

    @classmethod
    def load(cls, scope: str = "") -> Model:
        """Reads the data beside this module."""
        return cls(json.loads(DATA.read_text()), scope)

    def package(self, kind: str) -> str:
        """The name that generated code has for a package: ``components``, ``blueprint_components``."""
        return f"{self.scope}_{kind}" if self.scope else kind

    @cached_property
    def archetypes(self) -> list[Archetype]:
        """The archetypes, by name."""
        found = [name for name in self.all_archetypes if name.startswith(f"{self._module}archetypes.")]
        return [self.all_archetypes[name] for name in sorted(found)]

    @cached_property
    def components(self) -> list[Type]:
        """The components, by name."""
        return self.types_of(self._module, "components")

    @cached_property
    def datatypes(self) -> list[Type]:
        """The encodings, which users know as datatypes, by name."""
        return self.types_of(self._module, "encodings")

    def types_of(self, module: str, kind: str) -> list[Type]:
        """The types of one kind in ``rerun.`` or ``rerun.blueprint.``, by name."""
        start = f"{module}{kind}."
        return [item for name, item in sorted(self.types.items()) if name.startswith(start)]

    @cached_property
    def encodings(self) -> list[Type]:
        """All types with an encoding of their own, by name."""
        found = [item for item in [*self.components, *self.datatypes] if item.encoding == item.name]
        return sorted(found, key=lambda item: item.name)

    def subject_of_archetype(self, name: str) -> str:
        """The subject of an archetype."""
        return selection.SUBJECTS[short(name)]

    def subject_of_type(self, item: Type) -> str:
        """The subject of a component or datatype: that of its users, or ``common`` if they differ."""
        if item.short in selection.TYPE_SUBJECTS:
            return selection.TYPE_SUBJECTS[item.short]
        subjects = {
            self.subject_of_type(self.types[user])
            if user in self.types
            else selection.SUBJECTS[user.partition(":")[0]]
            for user in item.raw["used_by"]
        }
        subject = subjects.pop() if len(subjects) == 1 else "common"
        is_shared = subject.startswith("blueprint") and ".blueprint." not in item.name
        return "common" if is_shared else subject


def _archetype(name: str, raw: dict[str, Any]) -> Archetype:
    columns = raw["columns"]
    return Archetype(
        name=name,
        fields=[
            Field(field, component, annotation, many, None if columns is None else columns[field])
            for field, component, annotation, many in raw["fields"]
        ],
        parameters=_parameters(raw),
        has_columns=columns is not None,
        visualizer=raw["visualizer"],
    )


def _parameters(raw: dict[str, Any]) -> list[Parameter]:
    return [Parameter(*item) for item in raw["constructor"]]
