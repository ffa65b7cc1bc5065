"""Options that make no sense are errors that name them."""

from __future__ import annotations

from typing import Any

import pytest

from aiorerun.integrations.requests.settings import RequestOptions, RequestSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": "accept"}, "headers and redact must hold names"),
        ({"redact": "token"}, "headers and redact must hold names"),
        ({"bodies": -1}, "bodies must be 0 or more"),
        ({"rate_interval": -1}, "rate_interval must be 0 or more"),
        ({"rate_interval": float("inf")}, "rate_interval must be 0 or more"),
        ({"max_routes": 0}, "max_routes must be positive"),
        ({"sample": 2}, "sample must be from 0 to 1"),
        ({"include": "/a"}, "include must hold patterns"),
    ],
)
def test_nonsense(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        RequestSettings(**options)


def test_nothing_is_recorded_by_default_that_might_be_secret() -> None:
    settings = RequestSettings()

    assert not settings.wants_details
    assert settings.wants_headers is False
    assert (settings.max_body, settings.wants_query) == (0, False)


def test_all_options_are_told() -> None:
    parameters = set(RequestSettings.__init__.__annotations__) - {"return"}

    assert parameters == set(RequestOptions.__annotations__)


def test_entity_path() -> None:
    assert RequestSettings(entity_path="/my/service/").log_path == "my/service/log"
    assert RequestSettings(entity_path="").log_path == "log"
