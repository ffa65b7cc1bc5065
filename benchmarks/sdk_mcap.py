"""mcap, the pure-Python writer: one number as JSON to an MCAP file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcap.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Data


class Session:
    """One MCAP file with one channel."""

    def __init__(self, workload: str, sink: str, path: str) -> None:
        assert sink == "file", f"{workload}: only files are measured here"
        self._writer: Any = Writer(path)
        self.rec = self._writer
        self._writer.start()

    def close(self) -> int | None:
        """Finishes the file."""
        self._writer.finish()
        return None


def scalars(writer: Any, data: Data) -> None:
    schema = {"type": "object", "properties": {"value": {"type": "number"}}}
    schema_id = writer.register_schema("Scalar", "jsonschema", json.dumps(schema).encode())
    channel = writer.register_channel("scalar", "json", schema_id)
    for i, number in enumerate(data.numbers):
        message = json.dumps({"value": number}).encode()
        writer.add_message(channel, log_time=i, data=message, publish_time=i)


FUNCTIONS: dict[str, Callable[[Any, Data], Any]] = {"scalars": scalars}
