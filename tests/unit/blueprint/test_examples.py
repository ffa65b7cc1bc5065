"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import textwrap
from typing import Any

import pytest

import aiorerun.blueprint as rrb
from aiorerun.blueprint import filters


@pytest.mark.parametrize(
    ("documented", "result"),
    [(rrb.Blueprint, rrb.Blueprint), (rrb.VisibleTimeRanges, rrb.VisibleTimeRanges)],
    ids=["Blueprint", "VisibleTimeRanges"],
)
def test_an_example_makes_what_it_shows(documented: Any, result: type[Any]) -> None:
    assert documented.__doc__
    _, found, example = documented.__doc__.partition("Example:\n")
    assert found
    names: dict[str, Any] = {"rrb": rrb}
    exec(textwrap.dedent(example), names)
    assert any(isinstance(made, result) for made in names.values())


def test_filters() -> None:
    done = doctest.testmod(filters)
    assert (done.failed, done.attempted) == (0, 3)
