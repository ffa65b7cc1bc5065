"""The files of the web viewer's page: our own, and those of the installed ``rerun-notebook`` wheel."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import logging
import os
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

PACKAGE: Final = "rerun_notebook"
"""The package that has the viewer for browsers."""

PAGE: Final = Path(__file__).parent / "page"
"""Where our own files are."""

_KEPT: Final = 4
"""Compressed files that stay in the cache: two for each version of the viewer."""

_BLOCK: Final = 1024 * 1024
_LEVEL: Final = 6
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
}
_OURS: Final = ("page.js", "page.css", "icon.svg")
_PAGES: Final = {"index.html": (), "live.html": ("live.js",)}
"""The pages, and what only they need. The second one shows one recording of the server that it comes from."""
_THEIRS: Final = ("widget.js", "widget.css", "re_viewer_bg.wasm")
_SMALL: Final = 4096
"""Smaller files are not worth compressing."""

logger = logging.getLogger("aiorerun")


@dataclass(slots=True)
class Asset:
    """One file that is served.

    Attributes:
        path: Where it is.
        nbytes: Its size.
        content_type: What it is.
        etag: Differs whenever the file does; with quotes.
        is_fixed: Whether it belongs to an installed version of the viewer.
        compressed: The same in gzip form, and its size; ``None`` as long as there is none.
    """

    path: Path
    nbytes: int
    content_type: str
    etag: str
    is_fixed: bool
    compressed: tuple[Path, int] | None = None


def find_assets(page: Literal["index.html", "live.html"] = "index.html") -> dict[str, Asset]:
    """All files of a page by URL path. It reads directories, so it is not for the event loop.

    Args:
        page: The page that is served as ``/``.

    Raises:
        ImportError: The wheel with the viewer is not installed.
    """
    directory = _widget_directory()
    ours = (page, *_PAGES[page], *_OURS)
    assets = {f"/{name}": _asset(PAGE / name, is_fixed=False) for name in ours}
    assets |= {f"/{name}": _asset(directory / name, is_fixed=True) for name in _THEIRS}
    assets["/"] = assets[f"/{page}"]
    return assets


def _widget_directory() -> Path:
    """Found without importing the package, which would load half of Jupyter."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except (ImportError, ValueError):
        spec = None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        directory = Path(place) / "static"
        if all((directory / name).is_file() for name in _THEIRS):
            return directory
    found = "is not installed" if spec is None else "has no web viewer of the kind that is known here"
    raise ImportError(f"the package rerun-notebook {found}: pip install 'aiorerun[web]'", name=PACKAGE)


def _asset(path: Path, *, is_fixed: bool) -> Asset:
    status = path.stat()
    key = f"{path}:{status.st_size}:{status.st_mtime_ns}".encode()
    digest = hashlib.sha256(key).hexdigest()[:20]
    return Asset(path, status.st_size, _TYPES[path.suffix], f'"{digest}"', is_fixed)


def default_cache() -> Path:
    """The directory where this user's programs keep what they can make again."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        wanted = os.environ.get("XDG_CACHE_HOME", "")
        base = Path(wanted) if os.path.isabs(wanted) else Path.home() / ".cache"
    return base / "aiorerun" / "web-viewer"


def compress_assets(assets: dict[str, Asset], cache: Path | None, is_over: Callable[[], bool]) -> None:
    """Makes the compressed form of the viewer's large files, or finds it in the cache.

    Takes some seconds the first time; for a thread. Whatever fails is left out: the files are served as
    they are then.

    Args:
        assets: What :func:`find_assets` gave; gets the compressed files one by one.
        cache: The directory to keep them in; ``None`` is the user's cache.
        is_over: Asked now and then whether nobody wants them any more.
    """
    try:
        cache = default_cache() if cache is None else cache
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        for asset in assets.values():
            if asset.is_fixed and asset.nbytes > _SMALL and not is_over():
                asset.compressed = _compressed(asset, cache, is_over)
        _tidy(cache)
    except (OSError, RuntimeError, zlib.error) as error:
        # RuntimeError: nobody knows the user's home.
        logger.debug("the web viewer is served without compression: %s", error)


def _compressed(asset: Asset, cache: Path, is_over: Callable[[], bool]) -> tuple[Path, int] | None:
    target = cache / f"{asset.path.stem}-{asset.etag.strip(chr(34))}{asset.path.suffix}.gz"
    if not _is_complete(target, asset.nbytes):
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=cache)
        try:
            with open(descriptor, "wb") as file:
                if not _compress(asset.path, file, is_over):
                    return None
            # Whole or not at all, also for other programs that want it now.
            os.replace(name, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    # Says that it is still used.
    os.utime(target)
    return target, target.stat().st_size


def _compress(source: Path, file: Any, is_over: Callable[[], bool]) -> bool:
    with source.open("rb") as plain, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
        while block := plain.read(_BLOCK):
            if is_over():
                return False
            packed.write(block)
    return True


def _is_complete(path: Path, nbytes: int) -> bool:
    """Whether a compressed file is there and ends with the size that it should have."""
    try:
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            return int.from_bytes(file.read(), "little") == nbytes & 0xFFFFFFFF
    except OSError:
        return False


def _tidy(cache: Path) -> None:
    """Forgets what has not been used for longest, and what a killed program left unfinished."""
    files = sorted(cache.glob("*.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    unfinished = sorted(cache.glob(".new-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in (*files[_KEPT:], *unfinished[_KEPT:]):
        path.unlink(missing_ok=True)
