"""Importers: what turns files into rows for ``log_file_from_path`` and ``log_file_from_contents``.

Formats have a module each. Importers of your own are added with :func:`register_importer`; programs named
``rerun-importer-*`` on the ``PATH`` take part without it.
"""

from __future__ import annotations

from aiorerun.importers.base import (
    ImportedColumns,
    ImportedRow,
    Importer,
    ImportSettings,
    IncompatibleFileError,
)
from aiorerun.importers.registry import register_importer

__all__ = [
    "ImportSettings",
    "ImportedColumns",
    "ImportedRow",
    "Importer",
    "IncompatibleFileError",
    "register_importer",
]
