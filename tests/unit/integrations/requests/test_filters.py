"""Filters of paths, and sampling."""

from __future__ import annotations

from typing import Any

import pytest

from aiorerun.integrations.requests.filters import RequestSampler, UrlFilter


@pytest.mark.parametrize(
    ("include", "exclude", "path", "wanted"),
    [
        ((), (), "/any", True),
        ((), ("/health",), "/health", False),
        ((), ("/health",), "/healthy", True),
        ((), ("/static/*",), "/static/a/b.js", False),
        (("/api/*",), (), "/api/x", True),
        (("/api/*",), (), "/other", False),
        (("/api/*",), ("/api/secret*",), "/api/secrets", False),
        (("/a", "/b"), (), "/b", True),
    ],
)
def test_paths(include: tuple[str, ...], exclude: tuple[str, ...], path: str, wanted: bool) -> None:
    assert UrlFilter(include, exclude)(path) is wanted


def test_a_filter_of_nothing_lets_all_through() -> None:
    assert UrlFilter().lets_all_through
    assert not UrlFilter(exclude=["/a"]).lets_all_through


def test_a_single_text_is_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"exclude must hold patterns.*\['/health'\]"):
        UrlFilter(exclude="/health")


def test_shares() -> None:
    assert RequestSampler().takes_all
    assert RequestSampler(1)(None)
    assert not RequestSampler(0)(None)
    assert 200 < sum(RequestSampler(0.5)(None) for _ in range(1000)) < 800


def test_shares_by_function() -> None:
    def share(request: Any) -> float:
        return 1.0 if request == "wanted" else 0.0

    sampler = RequestSampler(share)
    assert not sampler.takes_all
    assert sampler("wanted")
    assert not sampler("other")


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match="sample must be from 0 to 1"):
        RequestSampler(share)
