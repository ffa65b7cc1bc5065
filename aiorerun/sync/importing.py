"""Importing files: the methods of the blocking recording stream."""

from __future__ import annotations

import atexit
import threading

# Its own exit handler has to be registered before ours, which then comes first.
from concurrent.futures import thread, wait
from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.errors import ImportPathError, NoImporterError, report
from aiorerun.importing import BaseImporting
from aiorerun.stream_base import streams
from aiorerun.sync.live import Live

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

    from aiorerun.importing import _Order

T = TypeVar("T")


class Importing(BaseImporting, Live):
    """The methods of the blocking recording stream that import files."""

    if TYPE_CHECKING:

        def _call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T: ...

    def log_file_from_path(
        self,
        file_path: str | os.PathLike[str],
        *,
        entity_path_prefix: str | list[object] | None = None,
        static: bool = False,
    ) -> None:
        """Logs what is in a file, or in all files below a directory.

        It returns when the first of its rows were captured; the rest follows in the background, and
        :meth:`flush`, :meth:`disconnect` and the end of the program wait for it. See
        :meth:`aiorerun.AsyncRecordingStream.log_file_from_path`.

        Raises:
            ImportPathError: There is no such file; in strict mode only.
            NoImporterError: No importer takes the file; in strict mode only.
            TypeError: Wrong use, in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        self._import_reporting(self._order("log_file_from_path", file_path, None, entity_path_prefix, static))

    def log_file_from_contents(
        self,
        file_path: str | os.PathLike[str],
        file_contents: bytes | bytearray | memoryview,
        *,
        entity_path_prefix: str | list[object] | None = None,
        static: bool = False,
    ) -> None:
        """Logs the contents of a file that was read already; see :meth:`log_file_from_path`.

        Programs on the ``PATH`` do not get to see it.

        Raises:
            NoImporterError: No importer takes the file; in strict mode only.
            TypeError: Wrong use, in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        name = "log_file_from_contents"
        if self._are_contents(name, file_contents):
            self._import_reporting(self._order(name, file_path, file_contents, entity_path_prefix, static))

    def _import_reporting(self, order: _Order | None) -> None:
        if order is None:
            return
        _wait_at_exit()
        try:
            self._call(self._import, order)
        except (ImportPathError, NoImporterError) as error:
            report(order.name, error, recording=self)
        except KeyboardInterrupt:
            self._imports.stop()
            raise


class _AtExit:
    registered = False


def _wait_at_exit() -> None:
    """Makes the end of the program wait for imports, while threads can still be started."""
    if not _AtExit.registered:
        _AtExit.registered = True
        assert thread is not None
        getattr(threading, "_register_atexit", atexit.register)(_finish_imports)


def _finish_imports() -> None:
    importing = [stream for stream in list(streams) if isinstance(stream, Importing)]
    wait([done for stream in importing for done in stream._imports.done()])
