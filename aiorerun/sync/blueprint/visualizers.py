"""The module :mod:`aiorerun.blueprint.visualizers` under the name a drop-in needs: the same classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint import visualizers

if TYPE_CHECKING:
    from aiorerun.blueprint.visualizers import *  # noqa: F403

__all__: list[str] = []
__all__ += visualizers.__all__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(visualizers, name)


def __dir__() -> list[str]:
    return dir(visualizers)
