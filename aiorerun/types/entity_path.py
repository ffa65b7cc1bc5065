"""Entity paths: from what a user writes to the one form that is written to files.

A path is a list of non-empty parts; the root has none and is written ``/``. In the written form
each part follows a ``/`` and everything but letters, digits, ``_``, ``-`` and ``.`` is escaped.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_right
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from aiorerun.errors import RerunWarning, caller_stacklevel

if TYPE_CHECKING:
    from collections.abc import Sequence

_CACHED_PATHS: Final = 16_384
_WARNED_PATHS: Final = 1_000
"""So many different paths are complained about per process; who has more has been told."""

_PLAIN: Final = re.compile(r"/?[0-9A-Za-z_.\-]+(?:/[0-9A-Za-z_.\-]+)*")
"""Paths without empty parts and without anything to escape or unescape."""
_NOT_PLAIN: Final = re.compile(r"[^0-9A-Za-z_.\-]", re.DOTALL)

# White space as Unicode defines it. Neither `\s` nor `str.isspace` will do: both take in the
# separators U+001C to U+001F too.
_SPACES: Final = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

_SLASH: Final = re.compile(r"(?<!\\)/")
"""Separates parts in the forgiving parse, which looks at one character back and no further."""

_DOUBTFUL: Final = re.compile(rf"\\(.)|[{_SPACES}]", re.DOTALL)
"""What the forgiving parse of a part looks at: a backslash with what follows, or white space."""
_CODE_POINT: Final = re.compile(r"\{([0-9A-Fa-f]{1,6})\}")
_STRICT_ESCAPE: Final = re.compile(r"\\u\{([0-9A-F]{4,6})\}|\\(.)", re.DOTALL)
_STRICT_PART: Final = re.compile(r"/((?:[^\\/]|\\.)+)", re.DOTALL)

_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_CONTROLS: Final = {char: "\\" + letter for letter, char in _LETTERS.items()}
_PUNCTUATION: Final = frozenset(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

# What Unicode 17.0 counts as alphabetic (which takes in Other_Alphabetic: vowel signs, circled
# letters) or numeric, as far as `str.isalnum` of Python 3.11 does not: it looks at the general
# category alone, and knows Unicode 14.0. Ranges run over letters between two such characters.
_MORE_ALPHANUMERICS: Final = """
345 363-36F 5B0-5BD 5BF 5C1-5C2 5C4-5C5 5C7 610-61A 64B-657 659-65F 670 6D6-6DC 6E1-6E8 6ED 711-73F
7A6-7B0 816-817 81B-82C 88F 897 8D4-8DF 8E3-8E9 8F0-93B 93E-94C 94E-94F 955-963 981-983 9BE-9C4 9C7-9C8
9CB-9CC 9D7 9E2-9E3 A01-A03 A3E-A42 A47-A48 A4B-A4C A51 A70-A75 A81-A83 ABE-AC5 AC7-AC9 ACB-ACC AE2-AE3
AFA-AFC B01-B03 B3E-B44 B47-B48 B4B-B4C B56-B57 B62-B63 B82 BBE-BC2 BC6-BC8 BCA-BCC BD7 C00-C04 C3E-C44
C46-C48 C4A-C4C C55-C56 C5C C62-C63 C81-C83 CBE-CC4 CC6-CC8 CCA-CCC CD5-CD6 CDC CE2-CE3 CF3 D00-D03
D3E-D44 D46-D48 D4A-D4C D57-D63 D81-D83 DCF-DD4 DD6 DD8-DDF DF2-DF3 E31-E3A E4D EB1-EB9 EBB-EBC ECD
F71-F83 F8D-F97 F99-FBC 102B-1036 1038 103B-103E 1056-109D 1712-1713 1732-1733 1752-1753 1772-1773
17B6-17C8 1885-18A9 1920-192B 1930-1938 1A17-1A1B 1A55-1A5E 1A61-1A74 1ABF-1AC0 1ACC-1ACE 1B00-1B04
1B35-1B43 1B80-1BA9 1BAC-1BAD 1BE7-1BF1 1C24-1C36 1C89-1C8A 1DD3-1DF4 24B6-24E9 2DE0-2DFF A674-A67B
A69E-A69F A7CB-A7DC A7F1-A802 A80B-A827 A880-A8C3 A8C5 A8FF-A92A A947-A952 A980-A983 A9B4-A9BF A9E5
AA29-AA36 AA43-AA4D AA7B-AABE AAEB-AAEF AAF5 ABE3-ABEA FB1E 10376-1037A 105C0-105F3 10940-10959
10A01-10A03 10A05-10A06 10A0C-10A0F 10D24-10D27 10D40-10D65 10D69 10D6F-10D85 10EAB-10EAC 10EC2-10EC7
10EFA-10EFC 11000-11045 11073-11074 11080-110B8 110C2 11100-11132 11145-11146 11180-111BF 111CE-111CF
1122C-11234 11237 1123E-11241 112DF-112E8 11300-11303 1133E-11344 11347-11348 1134B-1134C 11357
11362-11363 11380-11389 1138B 1138E 11390-113B5 113B7-113C0 113C2 113C5 113C7-113CA 113CC-113CD 113D1
113D3 11435-11441 11443-11445 114B0-114C1 115AF-115B5 115B8-115BE 115DC-115DD 11630-1163E 11640
116AB-116B5 116D0-116E3 1171D-1172A 1182C-11838 11930-11935 11937-11938 1193B-1193C 11940-11942
119D1-119D7 119DA-119DF 119E4 11A01-11A0A 11A35-11A3E 11A51-11A97 11B60-11B67 11BC0-11BE0 11BF0-11BF9
11C2F-11C36 11C38-11C3E 11C92-11CA7 11CA9-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D41 11D43 11D47
11D8A-11D8E 11D90-11D91 11D93-11D96 11DB0-11DDB 11DE0-11DE9 11EF3-11EF6 11F00-11F10 11F12-11F3A
11F3E-11F40 11F50-11F59 1342F 13441-13446 13460-143FA 16100-1612E 16130-16139 16D40-16D6C 16D70-16D79
16EA0-16EB8 16EBB-16ED3 16F4F-16F87 16F8F-16F92 16FF0-16FF6 187F8-187FF 18CFF-18D1E 18D80-18DF2 1B132
1B155 1BC9E 1CCF0-1CCF9 1D2C0-1D2D3 1DF25-1DF2A 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024
1E026-1E02A 1E030-1E06D 1E08F 1E4D0-1E4EB 1E4F0-1E4F9 1E5D0-1E5ED 1E5F0-1E5FA 1E6C0-1E6DE 1E6E0-1E6F5
1E6FE-1E6FF 1E947 1F130-1F149 1F150-1F169 1F170-1F189 2B739-2B73F 2CEA2-2CEAD 2EBF0-2EE5D 31350-33479
"""


def escape_entity_path_part(part: str) -> str:
    r"""Writes one part of a path so that it is taken literally.

    >>> print(escape_entity_path_part("my image!"))
    my\ image\!

    Args:
        part: Any text, slashes included.

    Raises:
        TypeError: ``part`` is not a string.
        ValueError: It holds half of a surrogate pair, which no file can.
    """
    if not isinstance(part, str):
        raise TypeError(f"part must be a str, got {type(part).__name__}: pass str(part)")
    _check_encodable(part, "part")
    return _escape(part)


def new_entity_path(parts: Sequence[object]) -> str:
    r"""Joins unescaped parts to a path; each is turned into a string first, empty ones vanish.

    >>> print(new_entity_path(["world", 42, "my image!"]))
    /world/42/my\ image\!

    Raises:
        TypeError: ``parts`` is a string or no sequence at all.
        ValueError: A part holds half of a surrogate pair.
    """
    if isinstance(parts, (str, bytes)):
        raise TypeError(f"parts must be a list of parts, got {type(parts).__name__}: pass [part, ...]")
    texts = [str(part) for part in parts]
    for text in texts:
        _check_encodable(text, "parts")
    return _join(texts)


def normalize_entity_path(path: str | list[object]) -> str:
    r"""The written form of a path.

    A string is parsed forgivingly: ``/`` separates parts, ``\`` escapes, superfluous slashes
    vanish. An unknown escape and white space without a backslash are taken as they are, with one
    warning for that path. A list holds unescaped parts.

    >>> print(normalize_entity_path("world//points"))
    /world/points
    >>> print(normalize_entity_path(["a/b", "c d", 1]))
    /a\/b/c\ d/1

    Raises:
        TypeError: ``path`` is something else.
        ValueError: It holds half of a surrogate pair.
    """
    if type(path) is str:
        return _normalize_text(path)
    if isinstance(path, list):
        joined = new_entity_path(path)
        # A part that ends in a backslash cannot stay apart from the next one: readers parse what is
        # written forgivingly, too, and take the slash after a backslash as a part of the name.
        return _normalize_text(joined) if "\\/" in joined else joined
    if isinstance(path, str):  # a subclass: its hash and its equality are its own
        return _normalize_text(str.__str__(path))
    raise TypeError(
        f"entity_path must be a str or a list of parts, got {type(path).__name__}: "
        "pass 'world/points' or ['world', 'points']"
    )


def split_entity_path(normal: str) -> list[str]:
    r"""The unescaped parts of a path in written form; undoes :func:`new_entity_path`.

    >>> split_entity_path(r"/world/my\ image\!")
    ['world', 'my image!']
    """
    return [_STRICT_ESCAPE.sub(_unescape_strictly, part) for part in _STRICT_PART.findall(normal)]


@lru_cache(_CACHED_PATHS)
def _normalize_text(path: str) -> str:
    if _PLAIN.fullmatch(path):
        return path if path[0] == "/" else "/" + path
    _check_encodable(path, "entity_path")
    complaints: list[str] = []
    parts = [_unescape(part, complaints) for part in _SLASH.split(path)]
    normal = _join(parts)
    if complaints:
        _warn_once(path, f"entity path {path!r}: {complaints[0]}. It is taken as {normal}")
    return normal


def _unescape(part: str, complaints: list[str]) -> str:
    """Takes a part as the forgiving parse does, and notes what is doubtful about it."""
    pieces: list[str] = []
    end = 0
    while (match := _DOUBTFUL.search(part, end)) is not None:
        pieces.append(part[end : match.start()])
        end = match.end()
        escaped = match[1]
        if escaped == "u":
            window = _window(part, end)
            pieces.append(_code_point(window))
            end += len(window)
        elif escaped is None:
            complaints.append(r"white space without a backslash before it (write '\ ', or pass a list)")
            pieces.append(match[0])
        else:
            if escaped not in _LETTERS and escaped not in _PUNCTUATION:
                complaints.append(rf"unknown escape '\{escaped}' (write '\\' for a backslash)")
            pieces.append(_LETTERS.get(escaped, escaped))
    pieces.append(part[end:])
    return "".join(pieces)


def _window(part: str, start: int) -> str:
    r"""What follows ``\u`` and may be a code point: up to the brace, or to 8 bytes of UTF-8."""
    end = start
    size = 0
    while size < 8 and end < len(part):
        char = part[end]
        end += 1
        size += len(char.encode())
        if char == "}":
            break
    return part[start:end]


def _code_point(window: str) -> str:
    r"""The character that ``\u`` and these characters stand for, or all of them literally."""
    digits = _CODE_POINT.fullmatch(window)
    if digits is not None:
        value = int(digits[1], 16)
        if value < 0x110000 and not 0xD800 <= value < 0xE000:
            return chr(value)
    return "\\u" + window


def _unescape_strictly(match: re.Match[str]) -> str:
    if match[1] is not None:
        return chr(int(match[1], 16))
    return _LETTERS.get(match[2], match[2])


def _join(parts: list[str]) -> str:
    return "".join(["/" + _escape(part) for part in parts if part]) or "/"


def _escape(part: str) -> str:
    return _NOT_PLAIN.sub(_escape_char, part)


def _escape_char(match: re.Match[str]) -> str:
    char = match[0]
    if char in _PUNCTUATION:
        return "\\" + char
    if char.isalnum():
        return char
    code = ord(char)
    if code > 0x7F and bisect_right(_more_alphanumerics(), code) % 2:
        return char
    return _CONTROLS.get(char) or f"\\u{{{code:04X}}}"


@cache
def _more_alphanumerics() -> list[int]:
    """First code point of a range, first one after it, first one of the next range, and so on."""
    bounds: list[int] = []
    for text in _MORE_ALPHANUMERICS.split():
        first, _, last = text.partition("-")
        bounds += (int(first, 16), int(last or first, 16) + 1)
    return bounds


def _check_encodable(text: str, argument: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{argument} {text!r} holds half of a surrogate pair at index {error.start}, which cannot be "
            "written as UTF-8: decode the text properly, or replace that character"
        ) from None


_warned: set[str] = set()


def _warn_once(path: str, message: str) -> None:
    if path in _warned or len(_warned) >= _WARNED_PATHS:
        return
    _warned.add(path)
    warnings.warn(message, RerunWarning, stacklevel=caller_stacklevel())
