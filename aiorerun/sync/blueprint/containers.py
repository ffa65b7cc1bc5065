"""The module :mod:`aiorerun.blueprint.containers` under the name a drop-in needs: the same classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint import containers

if TYPE_CHECKING:
    from aiorerun.blueprint.containers import *  # noqa: F403

__all__: list[str] = []
__all__ += containers.__all__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(containers, name)


def __dir__() -> list[str]:
    return dir(containers)
