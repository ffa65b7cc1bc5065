from __future__ import annotations

import enum
import sys
import unicodedata
import warnings
from typing import Any

import pytest

from aiorerun.errors import RerunWarning, strict_scope
from aiorerun.types import entity_path
from aiorerun.types.entity_path import (
    escape_entity_path_part,
    new_entity_path,
    normalize_entity_path,
    split_entity_path,
)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts as a process does: nothing parsed, nothing warned about."""
    entity_path._normalize_text.cache_clear()
    monkeypatch.setattr(entity_path, "_warned", set())


def quietly(path: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RerunWarning)
        return normalize_entity_path(path)


SILENT = {
    "foo/": "/foo",
    "/foo": "/foo",
    "foo": "/foo",
    "/foo//bar/": "/foo/bar",
    "": "/",
    "/": "/",
    "//": "/",
    r"foo\ bar": r"/foo\ bar",
    "a:b": r"/a\:b",
    "a#b": r"/a\#b",
    "a[1]": r"/a\[1\]",
    "a,b": r"/a\,b",
    "a.b": "/a.b",
    "a-b_c": "/a-b_c",
    "héllo": "/héllo",
    "日本": "/日本",
    "☮": r"/\u{262E}",
    "😀": r"/\u{1F600}",
    r"a\/b": r"/a\/b",
    r"a\\/b": r"/a\\\/b",
    r"a\\\/b": r"/a\\\/b",
    r"\/": r"/\/",
    "a\\": r"/a\\",
    "/\\": r"/\\",
    r"\u{41}": "/A",
    r"\u{000041}": "/A",
    r"\u{5c}": r"/\\",
    r"\u{2F}x": r"/\/x",
    r"\u{0}": r"/\u{0000}",
    r"\u{1F600}": r"/\u{1F600}",
    r"\u{}": r"/\\u\{\}",
    r"\u{0000041}": r"/\\u\{0000041\}",
    r"\u{D800}": r"/\\u\{D800\}",
    r"\u{DFFF}": r"/\\u\{DFFF\}",
    r"\u{110000}": r"/\\u\{110000\}",
    r"\u{zz}": r"/\\u\{zz\}",
    r"\u{+41}": r"/\\u\{\+41\}",
    r"\u{41": r"/\\u\{41",
    r"\u0041": r"/\\u0041",
    r"\u": r"/\\u",
    # What follows \u is taken literally up to a brace or 8 bytes, blanks and escapes included.
    r"\u{4 1}": r"/\\u\{4\ 1\}",
    r"\u{\n}": r"/\\u\{\\n\}",
    r"\uabc\q": r"/\\uabc\\q",
    r"\u\u{41}": r"/\\u\\u\{41\}",
    r"\u{/x}": r"/\\u\{/x\}",
    r"\u{☮☮\q": r"/\\u\{\u{262E}\u{262E}\\q",
    r"\n\r\t": r"/\n\r\t",
    "x\0y": r"/x\u{0000}y",
    "\x7f": r"/\u{007F}",
    "\x1cx": r"/\u{001C}x",
    "\u200b": r"/\u{200B}",
    "\ufeff": r"/\u{FEFF}",
    "é/日": "/é/日",
}


@pytest.mark.parametrize("path", SILENT)
def test_a_string_is_parsed_forgivingly(path: str) -> None:
    assert normalize_entity_path(path) == SILENT[path]


BLANK = "white space"
WARNED = {
    "foo bar": (r"/foo\ bar", BLANK),
    " ": (r"/\ ", BLANK),
    "a/ /b": (r"/a/\ /b", BLANK),
    "a\tb": (r"/a\tb", BLANK),
    "a\nb": (r"/a\nb", BLANK),
    "a\x0bb": (r"/a\u{000B}b", BLANK),
    "a\u00a0b": (r"/a\u{00A0}b", BLANK),
    "a\u2028b": (r"/a\u{2028}b", BLANK),
    "\u0085x": (r"/\u{0085}x", BLANK),
    r"a\\ b": (r"/a\\\ b", BLANK),
    r"\u{110000} x": (r"/\\u\{110000\}\ x", BLANK),
    r"\u{1234567 ": (r"/\\u\{1234567\ ", BLANK),
    r"C:\Users\image.jpg": (r"/C\:Usersimage.jpg", r"unknown escape '\U'"),
    r"\N": ("/N", r"unknown escape '\N'"),
    r"x\é": ("/xé", r"unknown escape '\é'"),
    "a\\\u3000b": (r"/a\u{3000}b", "unknown escape '\\\u3000'"),
    "a\\\nb": (r"/a\nb", "unknown escape '\\\n'"),
    # Only the first of several is told.
    r"a b\q": (r"/a\ bq", BLANK),
    r"\q b": (r"/q\ b", r"unknown escape '\q'"),
}


@pytest.mark.parametrize("path", WARNED)
def test_doubtful_strings_are_taken_and_warned_about(path: str) -> None:
    normal, complaint = WARNED[path]
    with pytest.warns(RerunWarning) as caught:
        assert normalize_entity_path(path) == normal
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith(f"entity path {path!r}: {complaint}")
    assert text.endswith(f"It is taken as {normal}")


def test_a_path_is_warned_about_once_though_it_is_parsed_again() -> None:
    with pytest.warns(RerunWarning):
        normalize_entity_path("foo bar")
    assert normalize_entity_path("foo bar") == r"/foo\ bar"
    entity_path._normalize_text.cache_clear()
    assert normalize_entity_path("foo bar") == r"/foo\ bar"
    with pytest.warns(RerunWarning):
        normalize_entity_path("another one")


def test_the_warning_points_at_the_line_of_the_caller() -> None:
    with pytest.warns(RerunWarning) as caught:
        normalize_entity_path("foo bar")
    assert caught[0].filename == __file__


def test_strict_mode_does_not_refuse_a_doubtful_path() -> None:
    with strict_scope(True), pytest.warns(RerunWarning):
        assert normalize_entity_path("foo bar") == r"/foo\ bar"


def test_a_warning_turned_into_an_error_does_not_stay_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RerunWarning):
            normalize_entity_path("foo bar")
        assert normalize_entity_path("foo bar") == r"/foo\ bar"


def test_the_memory_of_warnings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_path, "_WARNED_PATHS", 2)
    with pytest.warns(RerunWarning):
        normalize_entity_path("a 1")
    with pytest.warns(RerunWarning):
        normalize_entity_path("a 2")
    assert normalize_entity_path("a 3") == r"/a\ 3"
    assert len(entity_path._warned) == 2


def test_the_cache_is_used_and_bounded() -> None:
    first = normalize_entity_path("world/points")
    assert normalize_entity_path("world/points") is first
    info = entity_path._normalize_text.cache_info()
    assert (info.hits, info.misses) == (1, 1)
    assert info.maxsize is not None


@pytest.mark.parametrize(
    ("parts", "normal"),
    [
        (["a/b", "c d", 1], r"/a\/b/c\ d/1"),
        ([], "/"),
        ([""], "/"),
        (["a", "", "b"], "/a/b"),
        (["a", None, True, 1.5, b"x"], r"/a/None/True/1.5/b\'x\'"),
        ([r"\n", "\n"], r"/\\n/\n"),
        ([[]], r"/\[\]"),
        (["__properties", "x"], "/__properties/x"),
    ],
)
def test_a_list_holds_unescaped_parts(parts: list[object], normal: str) -> None:
    assert normalize_entity_path(parts) == normal
    assert new_entity_path(parts) == normal


def test_a_part_with_a_backslash_at_its_end_joins_the_next_one_as_readers_would() -> None:
    assert new_entity_path(["a\\", "b"]) == r"/a\\/b"
    assert normalize_entity_path(["a\\", "b"]) == r"/a\\\/b"
    assert quietly(new_entity_path(["a\\", "b"])) == r"/a\\\/b"


def test_a_list_is_never_warned_about() -> None:
    assert normalize_entity_path(["foo bar", r"\q"]) == r"/foo\ bar/\\q"


def test_text_and_list_of_the_same_path_are_equal() -> None:
    assert normalize_entity_path(r"world/my\ image\!") == normalize_entity_path(["world", "my image!"])


def test_subclasses_of_str_count_as_their_text() -> None:
    class Name(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    class Path(enum.StrEnum):
        CAMERA = "world/camera"

    assert normalize_entity_path(Name("a//b")) == "/a/b"
    assert normalize_entity_path(Name("c")) == "/c"
    assert normalize_entity_path(Path.CAMERA) == "/world/camera"
    assert type(normalize_entity_path(Name("/a/b"))) is str


@pytest.mark.parametrize("path", [None, 3, ("a", "b"), b"a", object(), {"a": 1}])
def test_other_types_are_refused(path: Any) -> None:
    message = rf"entity_path must be a str or a list of parts, got {type(path).__name__}: pass 'world/points'"
    with pytest.raises(TypeError, match=message):
        normalize_entity_path(path)


@pytest.mark.parametrize("path", ["a/\ud800", ["a", "\udfff"]])
def test_half_a_surrogate_pair_is_refused(path: Any) -> None:
    with pytest.raises(ValueError, match="half of a surrogate pair") as caught:
        normalize_entity_path(path)
    assert not isinstance(caught.value, UnicodeError)


@pytest.mark.parametrize(
    ("part", "escaped"),
    [
        ("my image!", r"my\ image\!"),
        ("", ""),
        ("a/b", r"a\/b"),
        ("\n\r\t", r"\n\r\t"),
        ("\\", r"\\"),
        ("\u0301", r"\u{0301}"),
        ("\U0010ffff", r"\u{10FFFF}"),
        ("".join(map(chr, range(0x21, 0x30))), r"\!\"\#\$\%\&\'\(\)\*\+\,-.\/"),
        (":;<=>?@", r"\:\;\<\=\>\?\@"),
        ("[\\]^_`", r"\[\\\]\^_\`"),
        ("{|}~", r"\{\|\}\~"),
    ],
)
def test_escaping_a_part(part: str, escaped: str) -> None:
    assert escape_entity_path_part(part) == escaped


@pytest.mark.parametrize("part", [None, 3, b"a", ["a"]])
def test_only_strings_can_be_escaped(part: Any) -> None:
    with pytest.raises(TypeError, match="part must be a str"):
        escape_entity_path_part(part)


@pytest.mark.parametrize("parts", ["abc", b"abc"])
def test_the_letters_of_a_string_are_no_parts(parts: Any) -> None:
    with pytest.raises(TypeError, match=r"parts must be a list of parts, got (str|bytes): pass \[part"):
        new_entity_path(parts)


def test_a_tuple_of_parts_can_be_joined() -> None:
    assert new_entity_path(("a", 1)) == "/a/1"


@pytest.mark.parametrize("code", [0x903, 0x24B6, 0x1F130, 0x345, 0x2CEAD, 0x33479, 0xB2, 0xBD, 0x2160, 0xAA])
def test_alphabetic_and_numeric_characters_are_kept(code: int) -> None:
    assert escape_entity_path_part(chr(code)) == chr(code)


@pytest.mark.parametrize("code", [0x300, 0x362, 0x378, 0x249C, 0x94D, 0x1F14A, 0x3347A])
def test_other_characters_are_written_as_code_points(code: int) -> None:
    assert escape_entity_path_part(chr(code)) == f"\\u{{{code:04X}}}"


def test_what_python_takes_for_alphanumeric_is_kept() -> None:
    """Holds for every Python up to the Unicode version of the table."""
    for code in range(0x80, sys.maxunicode + 1):
        if chr(code).isalnum() and tuple(map(int, unicodedata.unidata_version.split("."))) <= (17, 0, 0):
            assert escape_entity_path_part(chr(code)) == chr(code)


def test_the_table_of_ranges_is_in_order() -> None:
    bounds = entity_path._more_alphanumerics()
    assert bounds == sorted(set(bounds))
    assert len(bounds) % 2 == 0


@pytest.mark.parametrize(
    ("normal", "parts"),
    [
        ("/", []),
        ("/a", ["a"]),
        (r"/world/my\ image\!", ["world", "my image!"]),
        (r"/a\/b/c", ["a/b", "c"]),
        (r"/a\\/b", ["a\\", "b"]),
        (r"/\n\r\t", ["\n\r\t"]),
        (r"/\u{1F600}\u{0000}", ["😀\0"]),
        (r"/\\u\{41\}", [r"\u{41}"]),
    ],
)
def test_splitting_gives_the_unescaped_parts(normal: str, parts: list[str]) -> None:
    assert split_entity_path(normal) == parts
    assert new_entity_path(parts) == normal
