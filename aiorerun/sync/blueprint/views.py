"""The module :mod:`aiorerun.blueprint.views` under the name a drop-in needs: the same classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint import views

if TYPE_CHECKING:
    from aiorerun.blueprint.views import *  # noqa: F403

__all__: list[str] = []
__all__ += views.__all__


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(views, name)


def __dir__() -> list[str]:
    return dir(views)
