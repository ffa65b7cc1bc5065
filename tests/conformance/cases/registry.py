"""The scripted cases: each is written once and runs with the official SDK and with this one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION: Final = "conformance"


class Case(NamedTuple):
    """One script.

    Attributes:
        name: What it is called; also its recording id.
        run: Gets a module (``rerun`` or ``aiorerun.sync``) and a recording stream of it.
        same_chunks: Whether rows that wait together become the same chunks at both. They do not where
            the rows of an entity have different components: chunks are then cut differently.
        comparable: Whether the official program can tell that two files are the same: NaN is never equal.
    """

    name: str
    run: Callable[[Any, Any], None]
    same_chunks: bool
    comparable: bool


_cases: dict[str, Case] = {}


def case(
    *, same_chunks: bool = True, comparable: bool = True
) -> Callable[[Callable[[Any, Any], None]], Callable[[Any, Any], None]]:
    """Registers a function as a case."""

    def register(run: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        assert run.__name__ not in _cases, run.__name__
        _cases[run.__name__] = Case(run.__name__, run, same_chunks, comparable)
        return run

    return register


def all_cases() -> dict[str, Case]:
    """All cases by name."""
    for subject in ("archetypes", "columns", "rows", "tables", "times", "vocabulary"):
        importlib.import_module(f"tests.conformance.cases.{subject}")
    return dict(_cases)
