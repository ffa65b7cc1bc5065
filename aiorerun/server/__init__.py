"""A message proxy: one port for the official viewers, native and web, and for any number of writers.

Loading it loads neither grpclib nor Arrow; starting a server does, in a worker thread.
"""

from __future__ import annotations

from aiorerun.server.server import ProxyServer
from aiorerun.server.sink import GrpcServerSink

__all__ = ["GrpcServerSink", "ProxyServer"]
