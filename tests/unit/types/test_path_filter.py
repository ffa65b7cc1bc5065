"""Path expressions mean what they mean in Rerun's views."""

from __future__ import annotations

import pytest

from aiorerun.types.path_filter import PathFilter

MEANT = [
    ("camera", "/camera", True),
    ("/camera", "/camera", True),
    ("camera", "/camera/left", False),
    ("camera/**", "/camera", True),
    ("camera/**", "/camera/left/depth", True),
    ("camera/**", "/cameras", False),
    ("/**", "/", True),
    ("/**", "/anything/at/all", True),
    ("/**", "/__warnings", False),
    ("/__warnings", "/__warnings", True),
    ("/__properties/**", "/__properties/a", True),
    ("+ /world/**\n- /world/roads/**\n+ /world/roads/main", "/world/car", True),
    ("+ /world/**\n- /world/roads/**\n+ /world/roads/main", "/world/roads", False),
    ("+ /world/**\n- /world/roads/**\n+ /world/roads/main", "/world/roads/side", False),
    ("+ /world/**\n- /world/roads/**\n+ /world/roads/main", "/world/roads/main", True),
    ("+/a/** -/a/b", "/a/b", False),
    ("a b", "/b", True),
    ("+ /a - /a", "/a", False),
    ("- /a + /a", "/a", True),
    ("/a/** - /a", "/a", False),
    (r"/my\ camera/**", r"/my\ camera/left", True),
    (r"/a\*b", r"/a\*b", True),
]


@pytest.mark.parametrize(("pattern", "path", "meant"), MEANT)
def test_what_is_meant(pattern: str, path: str, meant: bool) -> None:
    assert (PathFilter(pattern).specificity(path) is not None) == meant


def test_specific_expressions_are_greater() -> None:
    found = [PathFilter(text).specificity("/a/b") for text in ("/**", "/a/**", "/a/b/**", "/a/b")]

    assert None not in found
    assert found == sorted(found)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "includes no entity"),
        ("- /a", "includes no entity"),
        ("/a/*/b", "star"),
        ("/a*", "star"),
        ("$origin/**", "no view"),
    ],
)
def test_what_is_not_understood(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PathFilter(pattern)


def test_only_texts() -> None:
    with pytest.raises(TypeError, match="pattern must be a str"):
        PathFilter(["camera"])  # type: ignore[arg-type]
