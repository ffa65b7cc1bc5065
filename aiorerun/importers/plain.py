"""Files that are logged as they are: images, texts and meshes. What is in them is not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import FileImporter, ImportedRow, extension_of, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiorerun.importers.base import Imported, ImportSettings

IMAGES: Final[dict[str, str | None]] = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "dds": "image/vnd-ms.dds",
    "exr": "image/x-exr",
    "farbfeld": None,
    "ff": "application/octet-stream",
    "gif": "image/gif",
    "hdr": "image/vnd.radiance",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "pam": "image/x-portable-anymap",
    "pbm": "image/x-portable-anymap",
    "pgm": "image/x-portable-anymap",
    "png": "image/png",
    "ppm": "image/x-portable-anymap",
    "tga": "image/x-targa",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
"""Media types of images by extension."""

TEXTS: Final = {"txt": "text/plain", "md": "text/markdown"}
"""Media types of texts by extension."""

MESHES: Final = {
    "dae": "model/vnd.collada+xml",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "obj": "model/obj",
    "stl": "model/stl",
}
"""Media types of meshes by extension."""


class ImageImporter(FileImporter):
    """Images become :class:`aiorerun.EncodedImage`."""

    name: str = "images"
    extensions: ClassVar[frozenset[str]] = frozenset(IMAGES)

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        from aiorerun.archetypes import EncodedImage

        media_type = IMAGES[extension_of(path)]
        image = EncodedImage.from_fields(blob=read(path, contents), media_type=media_type)
        yield ImportedRow(settings.entity_path(path), image)


class DepthImporter(FileImporter):
    """Depth images in RVL become :class:`aiorerun.EncodedDepthImage`."""

    name: str = "depth images"
    extensions: ClassVar[frozenset[str]] = frozenset({"rvl"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        from aiorerun.archetypes import EncodedDepthImage

        image = EncodedDepthImage.from_fields(blob=read(path, contents), media_type="application/rvl")
        yield ImportedRow(settings.entity_path(path), image)


class TextImporter(FileImporter):
    """Texts in UTF-8 become :class:`aiorerun.TextDocument`."""

    name: str = "texts"
    extensions: ClassVar[frozenset[str]] = frozenset(TEXTS)

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        from aiorerun.archetypes import TextDocument

        text = str(read(path, contents), "utf-8")
        yield ImportedRow(
            settings.entity_path(path), TextDocument(text, media_type=TEXTS[extension_of(path)])
        )


class MeshImporter(FileImporter):
    """Meshes become :class:`aiorerun.Asset3D`."""

    name: str = "meshes"
    extensions: ClassVar[frozenset[str]] = frozenset(MESHES)

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        from aiorerun.archetypes import Asset3D

        mesh = Asset3D.from_fields(blob=read(path, contents), media_type=MESHES[extension_of(path)])
        yield ImportedRow(settings.entity_path(path), mesh)
