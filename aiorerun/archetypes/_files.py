"""Archetypes that are whole files: reading them, and what kind of file they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiorerun.archetypes._base import converted


def blob_of_file(
    path: Any, contents: Any, media_type: Any, *, contents_need_type: bool = False
) -> tuple[Any, Any]:
    """The contents of a file and its media type, of exactly one of path and contents.

    Raises:
        ValueError: Neither or both were given, or contents without a media type that is needed.
        OSError: The file cannot be read.
    """
    if (path is None) == (contents is None):
        raise ValueError("exactly one of `path` and `contents` is needed")
    if path is None:
        if media_type is None and contents_need_type:
            raise ValueError("`contents` need a `media_type`")
        return contents, media_type
    file = converted("path", Path, path)
    if media_type is None:
        from aiorerun.components import MediaType

        media_type = MediaType.guess_from_path(file)
    return converted("path", Path.read_bytes, file), media_type
