"""The sink that sends to a Rerun server or viewer over gRPC, and reconnects by itself."""

from __future__ import annotations

from aiorerun.sinks.grpc.errors import ServerStatusError, ServerUnavailable
from aiorerun.sinks.grpc.sink import GrpcSink
from aiorerun.sinks.grpc.state import ConnectionState, ConnectionStatus

__all__ = ["ConnectionState", "ConnectionStatus", "GrpcSink", "ServerStatusError", "ServerUnavailable"]
