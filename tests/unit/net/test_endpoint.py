"""URLs of message proxies: every row of the table, and what people get wrong."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from aiorerun.errors import InvalidUrlError
from aiorerun.net.endpoint import DEFAULT_PORT, DEFAULT_URL, Endpoint

SCHEMES = "Invalid or missing scheme (expected one of: `rerun://`, `rerun+http://`, `rerun+https://`)"

ACCEPTED = [
    ("rerun+http://127.0.0.1:9876/proxy", Endpoint(False, "127.0.0.1", 9876)),
    ("rerun+http://h/proxy", Endpoint(False, "h", 80)),
    ("rerun://h/proxy", Endpoint(True, "h", 443)),
    ("rerun+https://h/proxy", Endpoint(True, "h", 443)),
    ("rerun+http://h:1234/proxy", Endpoint(False, "h", 1234)),
    ("rerun+http://h:/proxy", Endpoint(False, "h", 80)),
    ("rerun+http://h:0080/proxy", Endpoint(False, "h", 80)),
    # A host of this machine, without port.
    ("rerun+http://localhost/proxy", Endpoint(False, "localhost", 9876)),
    ("rerun+http://LOCALHOST/proxy", Endpoint(False, "localhost", 9876)),
    ("rerun+http://127.5.1.1/proxy", Endpoint(False, "127.5.1.1", 9876)),
    ("rerun+http://[::1]/proxy", Endpoint(False, "::1", 9876)),
    ("rerun+http://0.0.0.0/proxy", Endpoint(False, "0.0.0.0", 9876)),
    ("rerun+http://[::]/proxy", Endpoint(False, "::", 9876)),
    ("rerun://localhost/proxy", Endpoint(True, "localhost", 9876)),
    ("rerun+http://localhost:80/proxy", Endpoint(False, "localhost", 80)),
    ("rerun+http://localhost./proxy", Endpoint(False, "localhost.", 80)),
    ("rerun+http://[::ffff:127.0.0.1]:5/proxy", Endpoint(False, "::ffff:7f00:1", 5)),
    # Without scheme.
    ("localhost/proxy", Endpoint(False, "localhost", 9876)),
    ("localhost:5/proxy", Endpoint(False, "localhost", 5)),
    ("127.0.0.1:5/proxy", Endpoint(False, "127.0.0.1", 5)),
    ("rerun.io/proxy", Endpoint(True, "rerun.io", 443)),
    ("api.rerun.io:90/proxy", Endpoint(True, "api.rerun.io", 90)),
    # What is ignored.
    ("rerun+http://h/proxy/", Endpoint(False, "h", 80)),
    ("rerun+http://h//proxy//", Endpoint(False, "h", 80)),
    ("rerun+http://h/a/../proxy/.", Endpoint(False, "h", 80)),
    ("rerun+http://h/proxy?x=1", Endpoint(False, "h", 80)),
    ("rerun+http://h/proxy#y", Endpoint(False, "h", 80)),
    ("rerun+http://user:pw@h/proxy", Endpoint(False, "h", 80)),
    ("rerun+http://u@h:80@g:90/proxy", Endpoint(False, "g", 90)),
    ("rerun+http://h/proxy \n", Endpoint(False, "h", 80)),
    ("rerun+http://h\\proxy", Endpoint(False, "h", 80)),
    # A plus sign that a query string has turned into a blank.
    ("rerun http://h/proxy", Endpoint(False, "h", 80)),
    ("rerun https://h/proxy", Endpoint(True, "h", 443)),
    # Names and addresses in other forms.
    ("rerun+http://BÜCHER.de/proxy", Endpoint(False, "xn--bcher-kva.de", 80)),
    ("rerun+http://xn--bcher-kva.de/proxy", Endpoint(False, "xn--bcher-kva.de", 80)),
    ("rerun+http://faß.de/proxy", Endpoint(False, "xn--fa-hia.de", 80)),
    ("rerun+http://%41b/proxy", Endpoint(False, "ab", 80)),
    ("rerun+http://a_b-/proxy", Endpoint(False, "a_b-", 80)),
    ("rerun+http://127.1/proxy", Endpoint(False, "127.0.0.1", 9876)),
    ("rerun+http://0x7f.1/proxy", Endpoint(False, "127.0.0.1", 9876)),
    ("rerun+http://0177.0.0.1/proxy", Endpoint(False, "127.0.0.1", 9876)),
    ("rerun+http://1/proxy", Endpoint(False, "0.0.0.1", 80)),
]

REFUSED = [
    ("", SCHEMES),
    ("9876", SCHEMES),
    ("http://h/proxy", SCHEMES),
    ("http://localhost/proxy", SCHEMES),
    ("RERUN+HTTP://localhost/proxy", SCHEMES),
    ("Localhost/proxy", SCHEMES),
    ("example.com/proxy", SCHEMES),
    (" rerun+http://h/proxy", SCHEMES),
    ("rerun+http:/h/proxy", SCHEMES),
    ("rerun+http://h", "Unexpected URI:: rerun+http://h"),
    ("rerun+http://h/", "Unexpected URI:: rerun+http://h/"),
    ("rerun+http://h?x=1", "Unexpected URI:: rerun+http://h?x=1"),
    ("localhost:9876", "Unexpected URI:: localhost:9876"),
    ("rerun+http://h/catalog", "Unexpected URI:: rerun+http://h/catalog"),
    ("rerun+http://h/entry/" + "a" * 32, "Unexpected URI:: rerun+http://h/entry/" + "a" * 32),
    ("rerun+http://h/entry/abc", "Invalid TUID: expected exactly 32 hex characters, got 3 bytes"),
    ("rerun+http://h/foo", "Unexpected URI:: foo/"),
    ("rerun+http://h/foo bar/x", "Unexpected URI:: foo%20bar/"),
    ("rerun+http://h/Proxy", "Unexpected URI:: Proxy/"),
    ("rerun+http://h/pro%78y", "Unexpected URI:: pro%78y/"),
    ("rerun+http://h/proxy/extra", "Unexpected URI:: proxy/"),
    ("rerun+http://h:99999/proxy", "invalid port number"),
    ("rerun+http://h:65536/proxy", "invalid port number"),
    ("rerun+http://h:-1/proxy", "invalid port number"),
    ("rerun+http://h:٣/proxy", "invalid port number"),
    ("rerun+http://h:" + "9" * 5000 + "/proxy", "invalid port number"),
    ("rerun+http://a b/proxy", "invalid international domain name"),
    ("rerun+http://a%20b/proxy", "invalid international domain name"),
    ("rerun+http://a%ffb/proxy", "invalid international domain name"),
    ("rerun+http://xn--a/proxy", "invalid international domain name"),
    ("rerun+http://\u0301a/proxy", "invalid international domain name"),
    ("rerun+http://:80/proxy", "empty host"),
    ("rerun+http://", "empty host"),
    ("rerun+http://::1/proxy", "empty host"),
    ("rerun+http://[::1/proxy", "invalid IPv6 address"),
    ("rerun+http://[::1%25eth0]/proxy", "invalid IPv6 address"),
    ("rerun+http://[g::1]/proxy", "invalid IPv6 address"),
    ("rerun+http://1.2.3.256/proxy", "invalid IPv4 address"),
    ("rerun+http://1.2.3.4.5/proxy", "invalid IPv4 address"),
    ("rerun+http://08.1/proxy", "invalid IPv4 address"),
    ("rerun+http://" + "9" * 5000 + "/proxy", "invalid IPv4 address"),
]


@pytest.mark.parametrize(("url", "expected"), ACCEPTED)
def test_check_15_accepted_urls(url: str, expected: Endpoint) -> None:
    parsed = Endpoint.parse(url)
    assert parsed == expected
    assert hash(parsed) == hash(expected)
    # What it writes means the same.
    assert Endpoint.parse(str(parsed)) == parsed


@pytest.mark.parametrize(("url", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_check_15_refused_urls(url: str, reason: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        Endpoint.parse(url)
    assert str(caught.value) == f'invalid endpoint "{url}": {reason}'
    assert isinstance(caught.value, RuntimeError)


def test_what_is_no_text_is_refused() -> None:
    for other in (5, None, b"localhost/proxy"):
        with pytest.raises(TypeError, match=f"url must be a str, got {type(other).__name__}: pass one such"):
            Endpoint.parse(other)  # type: ignore[arg-type]


def test_passwords_are_not_shown() -> None:
    for url in ("rerun+http://me:secret@h/foo", "rerun+http://me:secret@h", "localhost://me:secret@x"):
        with pytest.raises(InvalidUrlError) as caught:
            Endpoint.parse(url)
        assert "secret" not in str(caught.value)
        assert "me" in str(caught.value)
    assert "secret" not in repr(Endpoint.parse("rerun+http://me:secret@h/proxy"))


def test_the_default() -> None:
    assert Endpoint.parse(DEFAULT_URL) == Endpoint(False, "127.0.0.1", DEFAULT_PORT)
    assert str(Endpoint.parse(DEFAULT_URL)) == DEFAULT_URL
    assert Endpoint.parse("rerun+http://localhost:9876/proxy") != Endpoint.parse(DEFAULT_URL)


@pytest.mark.parametrize(
    ("host", "connect_host"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "::1"), ("a.b", "a.b")],
)
def test_check_15_where_to_connect(host: str, connect_host: str) -> None:
    assert Endpoint(False, host, 1).connect_host == connect_host


def test_text_forms() -> None:
    assert str(Endpoint(True, "::1", 5)) == "rerun://[::1]:5/proxy"
    assert Endpoint(False, "h", 5).authority == "h:5"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Endpoint(False, "h", 5).port = 6  # type: ignore[misc]


def test_pure_parts_load_no_network_library() -> None:
    modules = ["endpoint", "hosts", "memory_limit", "logmsg", "methods", "data_frames", "assembling", "tls"]
    code = (
        "import sys, aiorerun\n"
        + "".join(f"import aiorerun.net.{name}\n" for name in modules)
        + "print({'grpclib', 'h2', 'betterproto2', 'idna'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
