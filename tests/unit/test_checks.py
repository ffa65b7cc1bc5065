"""What gRPC, servers and viewers have to do: 27 checks, each a test that is found by its number.

``pytest -k check_08`` runs the tests of the eighth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

CHECKS = {
    1: "records of an official file come back from the official server unchanged, in its order",
    2: "the official client leaves our server quickly, and everything is there",
    3: "the official reader saves the same from our server as from the official one",
    4: "the native viewer shows what our server has",
    5: "the official page shows what our server has",
    6: "our page shows what our server has",
    7: "our page shows what is logged after it was opened",
    8: "many tiny messages against a reader that never reads cost no connection and no message",
    9: "many tiny messages are replayed to the official reader",
    10: "no DATA frame is a short one but the last of a burst",
    11: "browsers are told who may read",
    12: "gRPC-web requests end as browsers expect, and others are refused",
    13: "readers and writers of both protocols at the same time on one port",
    14: "what is kept within the limit is what the official server keeps, apart from static data",
    15: "texts of URLs and memory limits have the official verdicts",
    16: "what is wrong has the official status",
    17: "a server that is not there holds up nobody, and what is lost is told",
    18: "a server that is killed is told by the next flush, without noise",
    19: "a server that comes late gets everything",
    20: "a server that never answers does not hold up the end",
    21: "huge messages go both ways",
    22: "idle connections live, frozen peers are dropped",
    23: "viewers are started with the official arguments",
    24: "nothing is left of a viewer that was closed",
    25: "equal sinks are refused",
    26: "ports that are taken are errors at the call",
    27: "our messages have the field numbers of the official programs",
}


def numbered() -> dict[int, list[str]]:
    """The tests that carry a number; those in need of a browser are found as well where there is none."""
    found = defaultdict(list)
    for path in TESTS.rglob("test_*.py"):
        if "node_modules" not in path.parts:
            text = path.read_text(encoding="utf-8")
            for name, number in re.findall(r"^ *(?:async )?def (test_check_(\d+)\w*)", text, re.MULTILINE):
                assert re.fullmatch(r"test_check_\d\d_\w+", name), f"{name} in {path}: two digits and a name"
                found[int(number)].append(f"{path.relative_to(TESTS)}::{name}")
    return found


@pytest.mark.parametrize("number", CHECKS, ids="{:02}".format)
def test_each_check_is_a_test(number: int) -> None:
    assert numbered()[number], f"no test for: {CHECKS[number]}"


def test_no_test_has_a_number_of_nothing() -> None:
    assert set(numbered()) == set(CHECKS) == set(range(1, 28))
