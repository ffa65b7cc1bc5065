"""Names of parts: patterns, what fits them, and what does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiorerun.sinks.part_names import PartNames

NOON = 1_700_000_000.5
"""2023-11-14T22:13:20.5Z"""


def names(pattern: str, *, numbered: bool = True) -> PartNames:
    return PartNames(pattern, "path", numbered=numbered)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("run.rrd", "run-000007.rrd"),
        ("run", "run-000007"),
        ("run-{index}.rrd", "run-000007.rrd"),
        ("run-{index:02}.rrd", "run-07.rrd"),
        ("{start}-{index:d}.rrd", "20231114-221320-7.rrd"),
        ("{index:03}_{start:%Y-%m-%dT%H.%M.%S.%f}.rrd", "007_2023-11-14T22.13.20.500000.rrd"),
        ("{{run}}-{index:01}.x.rrd", "{run}-7.x.rrd"),
        ("run-{index}-{index:1}.rrd", "run-000007-7.rrd"),
    ],
)
def test_a_name_is_made_and_recognised(pattern: str, name: str) -> None:
    made = names(pattern)
    assert made.name(7, NOON) == name
    assert made.index_of(name) == 7


def test_names_without_an_index_get_a_number_when_they_are_taken() -> None:
    made = names("run-{start:%j}.rrd")
    assert [made.name(number, NOON) for number in (1, 2, 10)] == [
        "run-318.rrd",
        "run-318-2.rrd",
        "run-318-10.rrd",
    ]
    assert [made.index_of(made.name(number, NOON)) for number in (1, 2, 10)] == [1, 2, 10]


def test_a_plain_name_is_numbered_only_where_all_are() -> None:
    assert names("crash.rrd", numbered=False).name(1, NOON) == "crash.rrd"
    assert names("crash.rrd", numbered=False).name(2, NOON) == "crash-2.rrd"


@pytest.mark.parametrize(
    "other",
    ["run-.rrd", "run-7.rrd.bak", "xrun-7.rrd", "run-7xrrd", "run-a.rrd", "run-7.rrd.part", "run-7-7.rrd"],
)
def test_what_does_not_fit_is_no_part(other: str) -> None:
    assert names("run-{index}.rrd").index_of(other) is None


def test_parts_of_other_processes_are_not_ours() -> None:
    made = names("run-{pid}-{index}.rrd")
    assert made.name(1, NOON) == f"run-{os.getpid()}-000001.rrd"
    assert made.index_of(f"run-{os.getpid()}-000001.rrd") == 1
    assert made.index_of(f"run-{os.getpid() + 1}-000001.rrd") is None


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("run-{what}.rrd", "fields"),
        ("run-{}.rrd", "fields"),
        ("run-{index!r}.rrd", "conversions"),
        ("run-{index.real}.rrd", "fields"),
        ("run-{index:x}.rrd", "decimal"),
        ("run-{index.rrd", "double braces"),
        ("{pid}/run-{index}.rrd", "directory"),
    ],
)
def test_wrong_patterns_are_errors(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^path: .*{message}"):
        names(pattern)


def test_the_lock_is_of_the_pattern() -> None:
    assert names("/logs/run.rrd").folder == Path("/logs")
    assert names("run.rrd").lock_name == ".run-N.rrd.lock"
    assert names("run-{start}{pid}.rrd").lock_name == f".run-T{os.getpid()}.rrd.lock"


def test_any_start_time_fits() -> None:
    made = names("run-{start:%A %Y}-{index}.rrd")
    assert made.index_of("run-Sunday 2024-3.rrd") == 3
    assert made.index_of(Path("run-24-3.rrd").name) is None
