"""Writes the ``__init__`` modules, which load nothing before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun._codegen import selection, types
from aiorerun._codegen.archetypes import class_name
from aiorerun._codegen.source import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun._codegen.model import Model

_ABOUT = {
    "archetypes": "Archetypes: what is logged. Each is a set of components that mean something together.",
    "components": "Components: values with a meaning, such as a position or a color.",
    "datatypes": "Datatypes: what components are made of, such as a vector of three numbers.",
}


def modules(model: Model) -> Iterator[tuple[str, str]]:
    """Path (below the package) and text of each module."""
    archetypes = {
        item.short: selection.HANDWRITTEN_ARCHETYPES.get(item.short) or model.subject_of_archetype(item.name)
        for item in model.archetypes
    }
    assert all(class_name(item) for item in model.archetypes)
    yield "archetypes/__init__.py", _init("archetypes", archetypes | selection.EXTRA_EXPORTS["archetypes"])
    for package, items in (("components", model.components), ("datatypes", model.datatypes)):
        names = dict(selection.EXTRA_EXPORTS[package])
        for item in items:
            names |= types.public_names(model, item)
        for subject, aliases in selection.ALIASES.items():
            if package == "datatypes":
                names |= dict.fromkeys(aliases, subject)
        yield f"{package}/__init__.py", _init(package, names)
    yield "_vocabulary.py", _top_level(model)


def _top_level(model: Model) -> str:
    """The part of the vocabulary that the faces offer themselves."""
    homes = {
        name: f"aiorerun.{target.split('.')[1].replace('encodings', 'datatypes')}"
        for name, target in model.exports.items()
    }
    homes |= selection.EXTRA_TOP_LEVEL
    by_home: dict[str, list[str]] = {}
    for name, home in sorted(homes.items()):
        by_home.setdefault(home, []).append(f"{name} as {name}")
    imports = "".join(
        f"    from {home} import {', '.join(names)}\n" for home, names in sorted(by_home.items())
    )
    table = "".join(f'    "{name}": "{home}",\n' for name, home in sorted(homes.items()))
    listed = ", ".join(f'"{name}"' for name in sorted(homes))
    return (
        f'{HEADER}"""What of the vocabulary both faces offer themselves, and where it is."""\n\n'
        "from __future__ import annotations\n\n"
        "from typing import TYPE_CHECKING, Final\n\n"
        f"if TYPE_CHECKING:\n{imports}\n"
        f"__all__ = [{listed}]\n\n"
        f"HOMES: Final = {{\n{table}}}\n"
    )


def _init(package: str, names: dict[str, str]) -> str:
    by_module: dict[str, list[str]] = {}
    for name, module in sorted(names.items()):
        by_module.setdefault(module, []).append(name)
    imports = "".join(
        f"    from aiorerun.{package}.{module} import {', '.join(f'{name} as {name}' for name in members)}\n"
        for module, members in sorted(by_module.items())
    )
    table = "".join(
        f'    "{name}": "aiorerun.{package}.{module}",\n' for name, module in sorted(names.items())
    )
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return (
        f'{HEADER}"""{_ABOUT[package]}"""\n\n'
        "from __future__ import annotations\n\n"
        "from typing import TYPE_CHECKING, Final\n\n"
        "from aiorerun._lazy import lazy\n\n"
        f"if TYPE_CHECKING:\n{imports}\n"
        f"__all__ = [{listed}]\n\n"
        f"_HOMES: Final = {{\n{table}}}\n\n"
        "__getattr__, __dir__ = lazy(__name__, _HOMES)\n"
    )
