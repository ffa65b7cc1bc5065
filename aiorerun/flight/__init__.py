"""The flight recorder: the newest rows in memory, written to a file when something happens."""

from __future__ import annotations

from aiorerun.flight.sink import FlightRecorderSink

__all__ = ["FlightRecorderSink"]
