"""Blueprints as messages and files."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aiorerun.errors import SinkOpenError
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind, normalize_application_id, random_blueprint_id

if TYPE_CHECKING:
    import os

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.tuid import TuidSource


class Stored(Protocol):
    """What becomes a store of its own."""

    def _chunks(self, store: StoreId, ids: TuidSource) -> list[Chunk]: ...


def messages_of(
    blueprint: Stored, application_id: str, *, make_active: bool, make_default: bool
) -> list[Message]:
    """A blueprint as a store of its own: its announcement, its chunks, and last what puts it to use."""
    from aiorerun.codec.messages import blueprint_activation_message, chunk_message, store_info_message

    application_id = normalize_application_id(application_id)
    store = StoreId(StoreKind.BLUEPRINT, application_id, random_blueprint_id())
    # Official programs announce a blueprint twice, and readers are used to it.
    return [
        *(store_info_message(store, ids.next(), sys.version_info[:3]) for _ in range(2)),
        *(chunk_message(store, chunk) for chunk in blueprint._chunks(store, ids)),
        blueprint_activation_message(store, make_active=make_active, make_default=make_default),
    ]


def default_path(application_id: str, path: str | os.PathLike[str] | None) -> Path:
    """Where a blueprint is saved."""
    return Path(f"{application_id}.rbl" if path is None else path)


async def save_in_thread(blueprint: Stored, application_id: str, path: str | os.PathLike[str] | None) -> None:
    """Captures a blueprint now, and writes it in a thread."""
    messages = messages_of(blueprint, application_id, make_active=True, make_default=True)
    await asyncio.to_thread(write_file, default_path(application_id, path), messages)


def save(blueprint: Stored, application_id: str, path: str | os.PathLike[str] | None) -> None:
    """Writes a blueprint; blocks."""
    messages = messages_of(blueprint, application_id, make_active=True, make_default=True)
    write_file(default_path(application_id, path), messages)


def write_file(path: Path, messages: list[Message]) -> None:
    """Writes a whole RRD file; blocks.

    Raises:
        SinkOpenError: It cannot be created.
        OSError: It cannot be written.
    """
    from aiorerun.codec.rrd import RrdEncoder

    encoder = RrdEncoder()
    parts = [*encoder.start()]
    for message in messages:
        parts.extend(encoder.encode(message))
    parts.extend(encoder.finish())
    try:
        file = path.open("wb")
    except OSError as error:
        raise SinkOpenError(
            error.errno, f"cannot create {str(path)!r}: {error.strerror} (its directory must exist)"
        ) from error
    with file:
        file.writelines(parts)
