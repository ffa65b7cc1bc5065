"""foxglove-sdk: one number as JSON to an MCAP file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import foxglove

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Data


class Session:
    """One MCAP file with one channel."""

    def __init__(self, workload: str, sink: str, path: str) -> None:
        assert sink == "file", f"{workload}: only files are measured here"
        self._writer = foxglove.open_mcap(path)
        schema = {"type": "object", "properties": {"value": {"type": "number"}}}
        self.rec = foxglove.Channel("scalar", schema=schema)

    def close(self) -> int | None:
        """Finishes the file."""
        self._writer.close()
        return None


def scalars(channel: Any, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        channel.log({"value": number}, log_time=i)


FUNCTIONS: dict[str, Callable[[Any, Data], Any]] = {"scalars": scalars}
