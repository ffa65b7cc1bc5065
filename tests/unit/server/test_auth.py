"""Tokens, and addresses that are open to others."""

from __future__ import annotations

import pytest

from aiorerun.net.hosts import is_loopback
from aiorerun.server.auth import Authorization, check_exposure
from aiorerun.server.rpc_error import Code, RpcError


def test_without_a_token_everybody_may_come() -> None:
    authorization = Authorization(None)
    assert not authorization.is_required
    authorization.check(None)
    authorization.check("Bearer whatever")


@pytest.mark.parametrize("header", ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret "])
def test_the_right_token(header: str) -> None:
    Authorization("s3cret").check(header)


@pytest.mark.parametrize(
    "header", [None, "", "s3cret", "Bearer", "Bearer s3cre", "Bearer s3cret2", "Basic s3cret", "Bearer \xfc"]
)
def test_the_wrong_token(header: str | None) -> None:
    with pytest.raises(RpcError) as caught:
        Authorization("s3cret").check(header)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " padded ", "newline\n", "ümlaut"])
def test_tokens_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Authorization(token)


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Authorization("s3cret"))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "::ffff:127.0.0.1"],
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "10.0.0.1", "example.com", "localhost.evil.com", "127.0.0.1.nip.io", "fe80::1"],
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_open_addresses_need_a_token_or_the_word_insecure() -> None:
    check_exposure("127.0.0.1", token=None, insecure=False)
    check_exposure("0.0.0.0", token="t", insecure=False)
    check_exposure("0.0.0.0", token=None, insecure=True)
    with pytest.raises(ValueError, match=r"token=.*insecure=True"):
        check_exposure("0.0.0.0", token=None, insecure=False)
