"""Writes the ``__init__`` modules, which load nothing before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun._codegen import selection, types
from aiorerun._codegen.model import module_of, package_of, short
from aiorerun._codegen.source import HEADER, docstring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun._codegen.model import Model

_ABOUT = {
    "archetypes": "Archetypes: what is logged. Each is a set of components that mean something together.",
    "components": "Components: values with a meaning, such as a position or a color.",
    "datatypes": "Datatypes: what components are made of, such as a vector of three numbers.",
    "blueprint_archetypes": "Archetypes that blueprints are made of, such as the background of a view.",
    "blueprint_components": "Components of blueprints, such as the state of a panel.",
    "blueprint_datatypes": "Datatypes of blueprints, such as the choice of a column.",
    "blueprint": "Blueprints: which views the viewer shows, where, and of what.\n\n"
    "    import aiorerun.blueprint as rrb",
}


def modules(model: Model) -> Iterator[tuple[str, str]]:
    """Path (below the package) and text of each module."""
    archetypes = {
        item.short: selection.HANDWRITTEN_ARCHETYPES.get(item.short)
        or module_of(model.subject_of_archetype(item.name))
        for item in model.archetypes
    }
    yield _init(model.package("archetypes"), archetypes)
    for kind, items in (("components", model.components), ("datatypes", model.datatypes)):
        package = model.package(kind)
        names: dict[str, str] = {}
        for item in items:
            names |= types.public_names(model, item)
        for subject, aliases in selection.ALIASES.items():
            if package == "datatypes":
                names |= dict.fromkeys(aliases, subject)
        yield _init(package, names)
    yield _init_blueprint(model) if model.scope else ("_vocabulary.py", _top_level(model))


def _init_blueprint(model: Model) -> tuple[str, str]:
    """The package of blueprints itself."""
    names = {name: package_of(target).removeprefix("blueprint_") for name, target in model.exports.items()}
    main = {name: f"aiorerun.{home}" for name, home in names.items() if not _is_own(model.exports[name])}
    views = {short(item.name): "views" for item in model.views}
    path, text = _init("blueprint", names | views, main)
    return path, text


def _is_own(target: str) -> bool:
    return target.startswith("rerun.blueprint.")


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


def _init(package: str, names: dict[str, str], elsewhere: dict[str, str] | None = None) -> tuple[str, str]:
    """Path and text of the module of a package; ``elsewhere`` are full names of modules outside of it."""
    dotted = f"aiorerun.{package.replace('_', '.')}"
    names = selection.EXTRA_EXPORTS.get(package, {}) | names
    homes = {name: f"{dotted}.{module}".removesuffix(".") for name, module in names.items()}
    homes |= elsewhere or {}
    by_module: dict[str, list[str]] = {}
    for name, home in sorted(homes.items()):
        by_module.setdefault(home.removesuffix(f".{name}"), []).append(f"{name} as {name}")
    imports = "".join(
        f"    from {home} import {', '.join(members)}\n" for home, members in sorted(by_module.items())
    )
    table = "".join(f'    "{name}": "{home}",\n' for name, home in sorted(homes.items()))
    listed = ", ".join(f'"{name}"' for name in sorted(homes))
    path = f"{package.replace('_', '/')}/__init__.py"
    return path, (
        f"{HEADER}{docstring(_ABOUT[package], 0)}\n"
        "from __future__ import annotations\n\n"
        "from typing import TYPE_CHECKING, Final\n\n"
        "from aiorerun._lazy import lazy\n\n"
        f"if TYPE_CHECKING:\n{imports}\n"
        f"__all__ = [{listed}]\n\n"
        f"_HOMES: Final = {{\n{table}}}\n\n"
        "__getattr__, __dir__ = lazy(__name__, _HOMES)\n"
    )
