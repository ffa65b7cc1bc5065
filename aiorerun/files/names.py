"""Names of files for entities and recordings."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

import xxhash

from aiorerun.types.entity_path import split_entity_path

_PLAIN: Final = frozenset("_- .,+=()[]")
_LONGEST: Final = 180
"""Bytes of a name; file systems allow 255."""
ROOT: Final = "@root"
EMPTY: Final = "@empty"


def file_name(text: str) -> str:
    """A text as a name that every file system takes, different for different texts.

    Letters and digits stay, and so do blanks, dots and some signs; everything else is percent-encoded. Names
    that would be too long end in ``@`` and a checksum.
    """
    if not text:
        return EMPTY
    encoded = "".join(map(_encoded, text))
    if text[0] in ". ":
        encoded = _escaped(text[0]) + encoded[1:]
    if text[-1] in ". " and len(text) > 1:
        encoded = encoded[:-1] + _escaped(text[-1])
    # Otherwise a folder could have the name of a file.
    if encoded.lower().endswith(".parquet"):
        start = len(encoded) - len(".parquet")
        encoded = encoded[:start] + _escaped(".") + encoded[start + 1 :]
    data = encoded.encode()
    if len(data) <= _LONGEST:
        return encoded
    return f"{data[: _LONGEST - 20].decode(errors='ignore')}@{xxhash.xxh64_hexdigest(text.encode())}"


def _encoded(char: str) -> str:
    return char if char.isalnum() or char in _PLAIN else _escaped(char)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogatepass"))


def entity_file(path: str, variant: int) -> PurePosixPath:
    """Where the rows of an entity are, below the folder of its recording.

    Args:
        path: The entity path, in normal form.
        variant: From 1 on, for entities whose rows do not fit into one table.
    """
    parts = [file_name(part) for part in split_entity_path(path)] or [ROOT]
    suffix = ".parquet" if variant == 1 else f"@{variant}.parquet"
    return PurePosixPath(*parts[:-1], parts[-1] + suffix)
