"""Nameless files on disk, for bookkeeping that would fill the memory."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


def scratch_file(folder: Path | None = None) -> BinaryIO:
    """An empty file that goes when it is closed; on the disk of a folder if that is possible.

    Raises:
        OSError: There is no room for it anywhere.
    """
    if folder is not None:
        try:
            return tempfile.TemporaryFile(buffering=0, dir=folder)
        except OSError:
            pass
    return tempfile.TemporaryFile(buffering=0)
