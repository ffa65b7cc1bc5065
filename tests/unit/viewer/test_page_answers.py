"""Which answer requests for the page get."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from aiorerun.viewer.assets import Asset
from aiorerun.viewer.page_answers import Answer, Site, accepts_gzip, is_local_host

PLAIN = Asset(Path("page.html"), 100, "text/html; charset=utf-8", '"plain"', is_fixed=False)
PACKED = Asset(
    Path("v.wasm"), 1000, "application/wasm", '"wasm"', is_fixed=True, compressed=(Path("v.gz"), 300)
)
LOCAL = Site({"/": PLAIN, "/v.wasm": PACKED}, is_local=True)
OPEN = Site({"/": PLAIN, "/v.wasm": PACKED}, is_local=False)


def ask(target: str, method: str = "GET", site: Site = LOCAL, **headers: str) -> Answer:
    pairs = [("host", "127.0.0.1:9090"), *headers.items()]
    return site.answer(method, target, [(name.replace("_", "-"), value) for name, value in pairs])


def test_a_file_is_sent_with_what_browsers_need() -> None:
    answer = ask("/?url=rerun%2Bhttp%3A%2F%2F127.0.0.1%3A9876%2Fproxy")
    headers = dict(answer.headers)
    assert (answer.status, answer.file, answer.nbytes) == (200, PLAIN.path, 100)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-length"] == headers["rerun-final-length"] == "100"
    assert headers["etag"] == '"plain"'
    assert headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in headers


def test_scripts_only_come_from_the_server() -> None:
    policy = dict(
        part.split(" ", 1) for part in dict(ask("/").headers)["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["base-uri"] == "'none'"
    assert (
        dict(ask("/nothing").headers)["content-security-policy"]
        == dict(ask("/").headers)["content-security-policy"]
    )


def test_compressed_files_go_to_those_who_understand_them() -> None:
    answer = ask("/v.wasm", accept_encoding="deflate, gzip;q=1.0, br")
    headers = dict(answer.headers)
    assert (answer.file, answer.nbytes) == (Path("v.gz"), 300)
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/wasm"
    assert (headers["content-length"], headers["rerun-final-length"]) == ("300", "1000")
    assert headers["etag"] == '"wasm-gz"'
    assert headers["vary"] == "accept-encoding"
    plain = ask("/v.wasm")
    assert (plain.file, dict(plain.headers)["etag"]) == (PACKED.path, '"wasm"')
    assert dict(plain.headers)["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("GZIP ; q=0.5", True),
        ("br, x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("gzipped", False),
        ("*", False),
        ("", False),
    ],
)
def test_what_accept_encoding_says(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


@pytest.mark.parametrize("known", ['"wasm"', 'W/"wasm"', '"other", "wasm"', "*"])
def test_what_the_browser_has_is_not_sent_again(known: str) -> None:
    answer = ask("/v.wasm", if_none_match=known)
    assert (answer.status, answer.file, answer.nbytes) == (304, None, 0)
    assert dict(answer.headers)["etag"] == '"wasm"'
    assert "content-length" not in dict(answer.headers)


@pytest.mark.parametrize("known", ['"other"', '"wasm-gz"', "wasm", ""])
def test_what_it_has_not_is_sent(known: str) -> None:
    assert ask("/v.wasm", if_none_match=known).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/nothing",
        "",
        "*",
        "/../v.wasm",
        "//v.wasm",
        "/v.wasm/",
        "/%76.wasm",
        "/./v.wasm",
        "/v.wasm\x00",
        "/..%2f..%2fetc/passwd",
        "http://127.0.0.1/v.wasm",
        "/\\v.wasm",
    ],
)
def test_nothing_but_the_known_paths_is_found(target: str) -> None:
    answer = ask(target)
    assert (answer.status, answer.file) == (404, None)
    assert answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "CONNECT", "get"])
def test_other_methods_are_refused(method: str) -> None:
    answer = ask("/", method)
    assert answer.status == 405
    assert dict(answer.headers)["allow"] == "GET, HEAD"


def test_head_gets_the_same_headers() -> None:
    assert ask("/", "HEAD") == ask("/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:9090", True),
        ("127.8.9.1", True),
        ("localhost:1", True),
        ("LOCALHOST", True),
        ("app.localhost:9090", True),
        ("[::1]:9090", True),
        ("[::1]", True),
        ("", False),
        ("evil.example:9090", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:9090", False),
        ("192.168.1.1:9090", False),
        ("0.0.0.0:9090", False),
        ("evil@127.0.0.1", False),
        ("127.0.0.1, evil.example", False),
    ],
)
def test_only_names_of_this_machine_are_local(host: str, expected: bool) -> None:
    assert is_local_host(host) is expected
    answer = LOCAL.answer("GET", "/", [("host", host)])
    assert answer.status == (200 if expected else 421)
    assert OPEN.answer("GET", "/", [("host", host)]).status == 200


def test_a_second_host_does_not_help() -> None:
    hosts = [("host", "127.0.0.1"), ("host", "evil.example")]
    assert LOCAL.answer("GET", "/", hosts).status == 421
    assert LOCAL.answer("GET", "/", []).status == 421


@given(
    st.text(),
    st.text(),
    st.lists(
        st.tuples(
            st.sampled_from(["host", "accept-encoding", "if-none-match", "x"]),
            st.text() | st.sampled_from(["127.0.0.1", "gzip", '"wasm"']),
        )
    ),
)
def test_there_is_an_answer_to_everything(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    for site in (LOCAL, OPEN):
        answer = site.answer(method, target, headers)
        assert answer.status in (200, 304, 404, 405, 421)
        assert (answer.file is None) == (answer.status != 200)
        assert answer.file in (None, PLAIN.path, PACKED.path, Path("v.gz"))
