"""The package :mod:`aiorerun.blueprint` under the name a drop-in needs: saving and sending block.

All classes are the same, but for the two that can be saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun import blueprint
from aiorerun._lazy import lazy

if TYPE_CHECKING:
    from aiorerun.blueprint import *  # noqa: F403
    from aiorerun.sync.blueprint._saving import Blueprint as Blueprint, TableBlueprint as TableBlueprint

__all__: list[str] = []
__all__ += blueprint.__all__

_OWN: Final = {
    "Blueprint": "aiorerun.sync.blueprint._saving",
    "TableBlueprint": "aiorerun.sync.blueprint._saving",
    "archetypes": "aiorerun.sync.blueprint.archetypes",
    "components": "aiorerun.sync.blueprint.components",
    "datatypes": "aiorerun.sync.blueprint.datatypes",
    "encodings": "aiorerun.sync.blueprint.encodings",
    "table": "aiorerun.sync.blueprint.table",
    "views": "aiorerun.sync.blueprint.views",
    "visualizers": "aiorerun.sync.blueprint.visualizers",
}

_own, _ = lazy(__name__, _OWN)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _own(name) if name in _OWN else getattr(blueprint, name)


def __dir__() -> list[str]:
    return dir(blueprint)
