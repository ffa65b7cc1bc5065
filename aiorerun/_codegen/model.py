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

    @property
    def short(self) -> str:
        """Its name without the module."""
        return short(self.name)


class Model:
    """Everything that is selected."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.sdk_version: str = data["sdk_version"]
        self.types = {
            name: Type(name, raw, data["enums"].get(name))
            for kind in ("components", "encodings")
            for name, raw in data[kind].items()
        }
        self.exports: dict[str, str] = data["exports"]
        self.all_archetypes = {name: _archetype(name, raw) for name, raw in data["archetypes"].items()}

    @classmethod
    def load(cls) -> Model:
        """Reads the data beside this module."""
        return cls(json.loads(DATA.read_text()))

    @cached_property
    def archetypes(self) -> list[Archetype]:
        """The selected archetypes, by name."""
        by_short = {item.short: item for item in self.all_archetypes.values()}
        return [by_short[name] for name in sorted(selection.SELECTED)]

    @cached_property
    def components(self) -> list[Type]:
        """The components, by name."""
        return self._types_of("rerun.components.")

    @cached_property
    def datatypes(self) -> list[Type]:
        """The encodings, which users know as datatypes, by name."""
        return self._types_of("rerun.encodings.")

    def _types_of(self, module: str) -> list[Type]:
        return [item for name, item in sorted(self.types.items()) if name.startswith(module)]

    @cached_property
    def encodings(self) -> list[Type]:
        """All types with an encoding of their own, by name."""
        found = [item for item in [*self.components, *self.datatypes] if item.encoding == item.name]
        return sorted(found, key=lambda item: item.name)

    def subject_of_archetype(self, name: str) -> str:
        """The module an archetype is in."""
        return selection.SUBJECTS[short(name)]

    def subject_of_type(self, item: Type) -> str:
        """The module a component or datatype is in: its users' subject, or ``common`` if they differ.

        All types count, not only the selected ones, so that selecting more moves little.
        """
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
        parameters=[Parameter(*item) for item in raw["constructor"]],
        has_columns=columns is not None,
    )
