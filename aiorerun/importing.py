"""Importing files: what both recording streams share, and the methods of the asyncio one."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiorerun.engine.cargo import Ready
from aiorerun.errors import FlushTimeoutError, ImportPathError, NoImporterError, report
from aiorerun.forward import admit
from aiorerun.live import AsyncLive
from aiorerun.pipeline.capture import CLOSED, DISABLED
from aiorerun.sending import BaseSending
from aiorerun.sinks.parcel import message_rank, rank_of
from aiorerun.stream_base import logger
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.ids import ids
from aiorerun.types.rows import row_of

if TYPE_CHECKING:
    import os
    from collections.abc import Coroutine

    from aiorerun.codec.messages import Message
    from aiorerun.importers.base import Imported, ImportedRow, ImportSettings
    from aiorerun.types.form import Row
    from aiorerun.types.store import StoreId
    from aiorerun.types.timepoint import RowLayout

_OVERHEAD: Final = 1024
"""About what a row of its own costs besides its values."""

_inside: Final[ContextVar[bool]] = ContextVar("aiorerun_importing", default=False)
"""Whether this is an importer: one that flushes must not wait for itself."""


class _Order(NamedTuple):
    """What is to be imported.

    Attributes:
        name: The function that was called.
        path: The file.
        contents: What is in it, if the caller has that.
        settings: For the importers.
        stamp: The times of the rows.
    """

    name: str
    path: Path
    contents: bytes | None
    settings: ImportSettings
    stamp: tuple[RowLayout, bytes]


class Imports:
    """The imports of a recording that still run. Any thread may ask."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], Future[None]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts an import on the running loop."""
        task = asyncio.get_running_loop().create_task(call)
        self._running[task] = Future()
        task.add_done_callback(self._remove)
        return task

    def _remove(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task).set_result(None)

    def done(self) -> list[Future[None]]:
        """Futures that are done when the imports are that run now."""
        return list(self._running.values())

    async def wait(self) -> None:
        """Waits for the imports that run now; they may be those of another loop."""
        if self._running and not _inside.get():
            await asyncio.wait([asyncio.wrap_future(each) for each in self.done()])

    def stop(self) -> None:
        """Cancels the imports that run now."""
        for task in list(self._running):
            with contextlib.suppress(RuntimeError):  # Its loop is closed.
                task.get_loop().call_soon_threadsafe(task.cancel)


class BaseImporting(BaseSending):
    """What both recording streams need to import files."""

    _imports: Imports

    def _prepare(self) -> None:
        super()._prepare()
        self._imports = Imports()

    def _start_empty(self) -> None:
        self._imports = Imports()
        super()._start_empty()

    def _order(
        self, name: str, file_path: Any, contents: Any, entity_path_prefix: Any, static: bool
    ) -> _Order | None:
        """What was asked for; ``None`` if that is wrong, which was reported, or not wanted."""
        if not self._takes_rows(name):
            return None
        from aiorerun.importers.base import ImportSettings

        try:
            path = Path(file_path)
            prefix = None if entity_path_prefix is None else normalize_entity_path(entity_path_prefix)
        except (TypeError, ValueError) as error:
            report(name, error, recording=self)
            return None
        layout, head = self._capture.stamp(None if static else self._times.get())
        values = struct.unpack(layout.format, head)[1:]
        settings = ImportSettings(
            self._store.application_id,
            self._store.recording_id,
            prefix,
            bool(static),
            tuple(zip(layout.timelines, values, strict=True)),
        )
        return _Order(name, path, None if contents is None else bytes(contents), settings, (layout, head))

    def _are_contents(self, name: str, contents: Any) -> bool:
        """Whether these can be the contents of a file; if not that is reported."""
        if isinstance(contents, bytes | bytearray | memoryview):
            return True
        given = type(contents).__name__
        report(name, TypeError(f"file_contents must be bytes, got {given}"), recording=self)
        return False

    async def _import(self, order: _Order) -> None:
        """Imports a file; returns when there is something of it, and goes on by itself.

        Raises:
            ImportPathError, NoImporterError: There is no such file, or nobody who takes it.
        """
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._imports.start(self._run_import(order, first))
        try:
            await asyncio.wait([task, first], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if task.done():
            task.result()

    async def _run_import(self, order: _Order, first: asyncio.Future[None]) -> None:
        from aiorerun.importers import dispatch

        _inside.set(True)

        async def deliver(item: Imported) -> None:
            for ready in await self._ready_items(order, item):
                if self._capture.gate in (CLOSED, DISABLED) or not await admit(self, order.name, ready):
                    raise dispatch.ImportStoppedError
                if not first.done():
                    first.set_result(None)

        try:
            if order.contents is None:
                await dispatch.import_path(order.path, order.settings, deliver)
            else:
                await dispatch.import_contents(order.path, order.contents, order.settings, deliver)
        except dispatch.ImportStoppedError:
            logger.error("%s: not all of it was imported, %r was closed", order.path, self)

    async def _ready_items(self, order: _Order, item: Imported) -> list[Ready]:
        """What an importer has given, for the pipeline."""
        from aiorerun.importers.base import ImportedColumns, ImportedMessages, ImportedRow
        from aiorerun.pipeline.columns import ColumnBlock, capture_columns

        match item:
            case ColumnBlock():
                return [self._ready_block(item)]
            case ImportedMessages():
                return [_ready_message(message) for message in item.messages]
            case ImportedColumns():
                # What is large is copied.
                return [self._ready_block(await asyncio.to_thread(capture_columns, *item))]
            case ImportedRow():
                return self._ready_rows(order, item)
            case _:
                raise TypeError(f"importers give ImportedRow and ImportedColumns, not {type(item).__name__}")

    def _ready_rows(self, order: _Order, item: ImportedRow) -> list[Ready]:
        path = normalize_entity_path(item.entity_path)
        row = row_of(item.entity)
        form, fixed, objects = row
        if not form.columns:
            return []
        stamp = self._capture.stamp(None) if item.static else order.stamp
        cost = len(fixed) + sum(size(each) for size, each in zip(form.sizers, objects, strict=True))
        rank = rank_of(path, is_static=not stamp[0].timelines)
        return [Ready(partial(_row_messages, self._store, path, row, stamp), 1, cost + _OVERHEAD, rank)]

    # --- waiting for imports ---------------------------------------------------------------------

    async def _flush_sinks(self, timeout_sec: float, acknowledged: bool = False) -> None:
        if self._imports and timeout_sec > 0:
            loop = asyncio.get_running_loop()
            start = loop.time()
            try:
                async with asyncio.timeout(None if timeout_sec > 1e9 else timeout_sec):
                    await self._imports.wait()
            except TimeoutError:
                raise FlushTimeoutError(
                    f"flush: {len(self._imports)} files were not imported within {timeout_sec} s"
                ) from None
            # Not 0, which would mean not to wait.
            timeout_sec = max(1e-3, timeout_sec - (loop.time() - start))
        await super()._flush_sinks(timeout_sec, acknowledged)

    async def _disconnect_sinks(self) -> None:
        await self._finish_imports()
        await super()._disconnect_sinks()

    async def _close(self) -> None:
        await self._finish_imports()
        await super()._close()

    async def _finish_imports(self) -> None:
        try:
            await self._imports.wait()
        except asyncio.CancelledError:
            self._imports.stop()
            # As without imports: it goes on by itself.
            if self._engine.has_sinks:
                self._engine.disconnect_soon()
            raise


def _ready_message(message: Message) -> Ready:
    return Ready(lambda: [message], message.rows, message.nbytes + _OVERHEAD, message_rank(message))


def _row_messages(store: StoreId, path: str, row: Row, stamp: tuple[RowLayout, bytes]) -> list[Message]:
    from aiorerun.codec.messages import chunk_message
    from aiorerun.pipeline.assemble import stamped_row_chunk

    return [chunk_message(store, stamped_row_chunk(path, row, ids, stamp))]


class AsyncImporting(BaseImporting, AsyncLive):
    """The methods of the asyncio recording stream that import files."""

    async def log_file_from_path(
        self,
        file_path: str | os.PathLike[str],
        *,
        entity_path_prefix: str | list[object] | None = None,
        static: bool = False,
    ) -> None:
        """Logs what is in a file, or in all files below a directory.

        All importers see the file: those of this package by its extension, those added with
        ``aiorerun.importers.register_importer``, and, unless the extension is one of this package's, the
        programs ``rerun-importer-*`` and ``rerun-loader-*`` on the ``PATH``. MCAP files and LeRobot datasets
        are left to the official program ``rerun``, which must be installed. The entity is the path of the
        file as it is given. Rows get the current times; formats that bring times, ids or recordings of their
        own keep those. What is wrong with a file is logged as an error.

        It returns when the first of its rows were captured. The rest follows in the background:
        :meth:`flush`, :meth:`disconnect` and the end of ``async with`` wait for it, cancelling
        :meth:`disconnect` stops it. Cancelling the call before it returns stops the import. Files are read
        and parsed in threads.

        Args:
            file_path: The file or directory.
            entity_path_prefix: What entity paths begin with.
            static: Record rows without times.

        Raises:
            ImportPathError: There is no such file; in strict mode only.
            NoImporterError: No importer takes the file; in strict mode only.
            TypeError: Wrong use, in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        await self._import_reporting(
            self._order("log_file_from_path", file_path, None, entity_path_prefix, static)
        )

    async def log_file_from_contents(
        self,
        file_path: str | os.PathLike[str],
        file_contents: bytes | bytearray | memoryview,
        *,
        entity_path_prefix: str | list[object] | None = None,
        static: bool = False,
    ) -> None:
        """Logs the contents of a file that was read already; see :meth:`log_file_from_path`.

        Programs on the ``PATH`` do not get to see it.

        Args:
            file_path: Names the file: its extension tells the format, and it becomes the entity path. It is
                never read.
            file_contents: What is in it.
            entity_path_prefix: What entity paths begin with.
            static: Record rows without times.

        Raises:
            NoImporterError: No importer takes the file; in strict mode only.
            TypeError: Wrong use, in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        name = "log_file_from_contents"
        if self._are_contents(name, file_contents):
            order = self._order(name, file_path, file_contents, entity_path_prefix, static)
            await self._import_reporting(order)

    async def _import_reporting(self, order: _Order | None) -> None:
        if order is None:
            return
        try:
            await self._import(order)
        except (ImportPathError, NoImporterError) as error:
            report(order.name, error, recording=self)
