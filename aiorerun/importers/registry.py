"""Which importers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.importers.base import extension_of
from aiorerun.importers.official import McapImporter
from aiorerun.importers.parquet import ParquetImporter
from aiorerun.importers.plain import DepthImporter, ImageImporter, MeshImporter, TextImporter
from aiorerun.importers.ply import PlyImporter
from aiorerun.importers.rrd import RrdImporter
from aiorerun.importers.urdf import UrdfImporter
from aiorerun.importers.video import VideoImporter

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.importers.base import FileImporter, Importer

_KINDS: tuple[type[FileImporter | McapImporter], ...] = (
    DepthImporter,
    ImageImporter,
    McapImporter,
    MeshImporter,
    ParquetImporter,
    PlyImporter,
    RrdImporter,
    TextImporter,
    UrdfImporter,
    VideoImporter,
)
_BY_EXTENSION = {extension: kind() for kind in _KINDS for extension in kind.extensions}
_registered: list[Importer] = []


def register_importer(importer: Importer) -> None:
    """Adds an importer of your own. All files are offered to it from now on, directories too.

    Importers do not exclude each other: if several take a file, all that they give is logged.

    Args:
        importer: An object with a ``name`` and the async generator ``import_file``.

    Raises:
        TypeError: It lacks one of them.
        ValueError: One of that name is there already.

    Example:
        class Lines:
            name = "lines"

            async def import_file(self, path, contents, settings):
                if path.suffix != ".log":
                    raise rr.importers.IncompatibleFileError
                text = str(contents or await asyncio.to_thread(path.read_bytes), "utf-8")
                for line in text.splitlines():
                    yield rr.importers.ImportedRow(settings.entity_path(path), rr.TextLog(line))

        rr.importers.register_importer(Lines())
    """
    given: Any = importer
    if not isinstance(getattr(given, "name", None), str) or not callable(getattr(given, "import_file", None)):
        raise TypeError(
            f"register_importer: {importer!r} needs a `name` and an async generator `import_file`; "
            "see aiorerun.importers.Importer"
        )
    if any(each.name == importer.name for each in _registered):
        raise ValueError(f"register_importer: {importer.name!r} is there already; use another name")
    _registered.append(importer)


def builtin_importer(path: Path) -> FileImporter | McapImporter | None:
    """The importer of this package for a file, by its extension."""
    return _BY_EXTENSION.get(extension_of(path))


def registered_importers() -> list[Importer]:
    """The importers that were added."""
    return list(_registered)
