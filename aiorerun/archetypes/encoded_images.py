"""Images as files."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from aiorerun.archetypes._files import blob_of_file
from aiorerun.archetypes.image import EncodedImageFields
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.components import MagnificationFilterLike
    from aiorerun.datatypes import BlobLike, Float32Like, Utf8Like


class EncodedImage(EncodedImageFields):
    """An image as a file, such as PNG or JPEG.

    Either a path or the contents are given. A path is read at once, which blocks: in asyncio programs
    read the file in a thread and pass its contents.

    Args:
        path: The file; its extension tells the media type.
        contents: The contents of a file, or an open one. Needs ``media_type``.
        media_type: What kind of file it is, e.g. ``MediaType.PNG``.
        opacity: From 0, invisible, to 1, opaque.
        draw_order: What is drawn above what: higher values are on top.
        magnification_filter: How pixels are shown that are larger than those of the screen.

    Raises:
        ValueError: Not exactly one of path and contents, or contents without media type, in strict mode.
        OSError: The file cannot be read, in strict mode.

    Example:
        jpeg = await asyncio.to_thread(Path("photo.jpg").read_bytes)
        await rec.log("photo", rr.EncodedImage(contents=jpeg, media_type=rr.MediaType.JPEG))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        contents: bytes | IO[bytes] | BlobLike | None = None,
        media_type: Utf8Like | None = None,
        opacity: Float32Like | None = None,
        draw_order: Float32Like | None = None,
        magnification_filter: MagnificationFilterLike | None = None,
    ) -> None:
        try:
            blob, media_type = blob_of_file(path, contents, media_type, contents_need_type=True)
        except Exception as error:
            self._row = NOTHING
            self._report(error)
            return
        self._capture(blob, media_type, opacity, draw_order, magnification_filter)
