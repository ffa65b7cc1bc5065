"""The version, and numbers that programs agree on."""

from __future__ import annotations

import platform
from typing import Final

from aiorerun import __version__

EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE: Final = 66
"""With this exit code an external importer says that a file is none of its business."""

EXTERNAL_DATA_LOADER_INCOMPATIBLE_EXIT_CODE: Final = EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE
"""The older name of :data:`EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE`."""


def version() -> str:
    """The version of the SDK, of the formats it writes, and of Python, in one line."""
    from aiorerun.codec.framing import RERUN_VERSION

    formats = ".".join(map(str, RERUN_VERSION))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.machine()}"
    return f"aiorerun {__version__} [formats of Rerun {formats}, {python}, {system}]"
