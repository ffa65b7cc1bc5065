"""Lazy exports."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from aiorerun._lazy import lazy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def package() -> Iterator[types.ModuleType]:
    module = types.ModuleType("lazy_test_package")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_names_are_loaded_when_they_are_used(package: types.ModuleType) -> None:
    get, _ = lazy(package.__name__, {"dumps": "json", "other_name": "json:loads", "decoder": "json.decoder"})
    import json

    assert get("dumps") is json.dumps
    assert get("other_name") is json.loads
    assert get("decoder") is json.decoder
    assert vars(package)["dumps"] is json.dumps  # found at once from now on


def test_unknown_names(package: types.ModuleType) -> None:
    get, _ = lazy(package.__name__, {})
    with pytest.raises(AttributeError, match="module 'lazy_test_package' has no attribute 'nothing'"):
        get("nothing")


def test_all_names_are_listed(package: types.ModuleType) -> None:
    package.already = 1  # type: ignore[attr-defined]
    _, names = lazy(package.__name__, {"dumps": "json"})
    assert {"already", "dumps", "__name__"} <= set(names())
    assert names() == sorted(names())
