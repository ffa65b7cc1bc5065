"""Another name of :mod:`aiorerun.blueprint.datatypes`, as newer releases of Rerun call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint import datatypes

if TYPE_CHECKING:
    from aiorerun.blueprint.datatypes import *  # noqa: F403

__all__: list[str] = []
__all__ += datatypes.__all__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(datatypes, name)


def __dir__() -> list[str]:
    return dir(datatypes)
