"""The official SDK says the same about URLs and memory limits."""

from __future__ import annotations

import ipaddress
import json
import random
import re
import socket
import subprocess
import sys
from typing import Any

import pytest

from aiorerun.errors import BadMemoryLimitError, InvalidUrlError
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.memory_limit import parse_memory_limit
from tests.unit.net.test_endpoint import ACCEPTED, REFUSED
from tests.unit.net.test_memory_limit import ACCEPTED as LIMITS, REFUSED as NO_LIMITS

pytest.importorskip("rerun", reason="compares with the official SDK")

URLS_SCRIPT = """
import json, sys, rerun
for url in json.load(sys.stdin):
    try:
        print(json.dumps([True, str(rerun.GrpcSink(url))]))
    except Exception as error:
        print(json.dumps([False, str(error)]))
"""

LIMITS_SCRIPT = """
import json, os, sys, rerun
port = int(sys.argv[1])
for text in json.load(sys.stdin):
    try:
        rerun.serve_grpc(grpc_port=port, server_memory_limit=text, recording=rerun.RecordingStream("a"))
        print(json.dumps(None))
    except Exception as error:
        print(json.dumps(str(error)))
sys.stdout.flush()
os._exit(0)
"""

PARTS: list[list[str]] = [
    ["rerun+http://", "rerun://", "rerun+https://", "rerun http://", "", "http://", "rerun+http:/", "//"],
    ["", "", "", "u@", "u:p@", "@", "a@b@"],
    [
        *("localhost", "127.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::]", "rerun.io", "h", "A.b-c_d", "1e3"),
        *(
            "bücher.de",
            "日本",
            "xn--a",
            "a..b",
            "a.",
            ".a",
            "0x7f000001",
            "1.2.3",
            "256.1",
            "a b",
            "a<b",
            "%41",
        ),
        *(
            "[1::2::3]",
            "[::1.2.3.4]",
            "[fe80::1%1]",
            "[",
            "",
            "a%zz",
            "\u0301a",
            "\uff11.2.3.4",
            "a\u200db",
            "ⅷ",
        ),
    ],
    ["", "", "", ":9876", ":", ":0", ":65536", ":x", ":1:2", ": 1"],
    [
        "/proxy",
        "/proxy",
        "/proxy",
        "/proxy/",
        "",
        "/",
        "/foo",
        "/proxy/x",
        "/catalog",
        "/entry/x",
        "/a/../proxy",
    ],
    ["", "", "", "?a=b", "#c", " ", "\t", "\\", "?localhost"],
]


def odd_urls(count: int) -> list[str]:
    chooser = random.Random(9876)
    return ["".join(chooser.choice(choices) for choices in PARTS) for _ in range(count)]


def ask(script: str, questions: list[str], *arguments: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def official_endpoint(text: str) -> tuple[bool, str, int]:
    """What is in the text form of an official sink."""
    found = re.search(r"scheme: (\w+),\s*host: \w+\(\s*(.*?),\s*\),\s*port: (\d+)", text, re.DOTALL)
    assert found, text
    return found[1] == "RerunHttps", normal(found[2].strip('"').replace('\\"', '"')), int(found[3])


def normal(host: str) -> str:
    try:
        return ipaddress.ip_address(host).exploded
    except ValueError:
        return host


def test_check_15_urls() -> None:
    urls = [url for url, _ in ACCEPTED + REFUSED] + odd_urls(400)
    # The official SDK takes the port for left out when it is the scheme's own, and puts 9876 there.
    urls = [url for url in urls if not re.search("localhost:(80|443)/", url)]
    verdicts = ask(URLS_SCRIPT, urls)
    assert len(verdicts) == len(urls)
    accepted = 0
    for url, (is_accepted, said) in zip(urls, verdicts, strict=True):
        if is_accepted:
            ours = Endpoint.parse(url)
            assert (ours.is_tls, normal(ours.host), ours.port) == official_endpoint(said), url
            accepted += 1
        else:
            with pytest.raises(InvalidUrlError) as caught:
                Endpoint.parse(url)
            assert reason(str(caught.value)) == reason(said), url
    assert 50 < accepted < len(urls) - 50


def reason(text: str) -> str:
    """What comes after the URL, which the official SDK shows with escapes and passwords."""
    return re.sub(r"//u:(p|\*\*\*)@", "//u:@", text.split('": ', 1)[1])


def test_check_15_memory_limits() -> None:
    texts = [text for text, _ in LIMITS + NO_LIMITS]
    with socket.socket() as taken:
        # So that no server comes up.
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        verdicts = ask(LIMITS_SCRIPT, texts, str(taken.getsockname()[1]))
    assert len(verdicts) == len(texts)
    for text, said in zip(texts, verdicts, strict=True):
        if said is None:
            parse_memory_limit(text)
        else:
            with pytest.raises(BadMemoryLimitError) as caught:
                parse_memory_limit(text)
            assert str(caught.value) == said
