"""Where encoded messages go: the sink protocol, the queue in front of it, and the sinks themselves."""

from __future__ import annotations

from aiorerun.sinks.base import Sink, SinkContext

__all__ = ["Sink", "SinkContext"]
