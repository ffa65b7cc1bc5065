"""The page that holds a recording: what is in it, and that nothing gets into it as code."""

from __future__ import annotations

import html.parser
from typing import Any

import pytest

from aiorerun.widget.page import render_page

APP = "https://app.rerun.io"


class Elements(html.parser.HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.script += data

    def one(self, tag: str, **wanted: str) -> dict[str, str | None]:
        [attributes] = [
            attributes
            for name, attributes in self.found
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]
        return attributes


def page(**changes: Any) -> str:
    options: dict[str, Any] = {"width": 950, "height": 712, "app_url": APP, "timeout_ms": 2000, **changes}
    return render_page("QUJD", **options)


def test_what_is_in_the_page() -> None:
    elements = Elements(page(width=300, height=200, timeout_ms=7))
    frame = elements.one("iframe")
    assert frame["src"] == f"{APP}?url=web_event://&persist=0&notebook=1"
    assert (frame["width"], frame["height"], frame["style"]) == ("300", "200", "display: none")
    assert elements.one("div", style="display: none")["data-rrd"] == "QUJD"
    assert ", 7);" in elements.script


def test_the_recording_goes_to_the_viewer_only() -> None:
    script = Elements(page()).script
    assert "postMessage(bytes, origin)" in script
    assert '"*"' not in script
    assert "event.source !== frame.contentWindow || event.origin !== origin" in script


def test_the_elements_of_two_pages_do_not_mix() -> None:
    names = {Elements(page()).found[0][1]["id"] for _ in range(2)}
    assert len(names) == 2


def test_a_url_with_a_query_of_its_own() -> None:
    frame = Elements(page(app_url="http://127.0.0.1:9090/?theme=dark")).one("iframe")
    assert frame["src"] == "http://127.0.0.1:9090/?theme=dark&url=web_event://&persist=0&notebook=1"


@pytest.mark.parametrize("evil", ['"><script>alert(1)</script>', "'onload='alert(1)", "{data}", "</script>"])
def test_a_url_is_never_code(evil: str) -> None:
    url = f"{APP}/{evil}"
    elements = Elements(page(app_url=url))
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert elements.one("iframe")["src"] == f"{url}?url=web_event://&persist=0&notebook=1"
    assert evil not in elements.script


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//x.io", "x.io", "", "http://", "http://[", "https://x/#a"],
)
def test_only_pages_of_the_web_are_framed(url: str) -> None:
    with pytest.raises(ValueError, match="app_url"):
        page(app_url=url)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"width": 0}, ValueError),
        ({"width": "100%"}, TypeError),
        ({"height": -1}, ValueError),
        ({"height": True}, TypeError),
        ({"height": 2.5}, TypeError),
        ({"width": '1" onload="alert(1)'}, TypeError),
        ({"timeout_ms": -1}, ValueError),
        ({"timeout_ms": "0); alert(1"}, TypeError),
        ({"app_url": 3}, TypeError),
    ],
    ids=str,
)
def test_numbers_are_numbers(options: dict[str, Any], error: type[Exception]) -> None:
    [name] = options
    with pytest.raises(error, match=name):
        page(**options)
