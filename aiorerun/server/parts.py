"""What a running server is made of, in one place: loading it loads Arrow, grpclib, h2 and h11."""

from __future__ import annotations

from aiorerun.server.bodies import entry_of_message
from aiorerun.server.calls import Calls
from aiorerun.server.grpc_web import GrpcWeb
from aiorerun.server.history import ReplayBuffer
from aiorerun.server.hub import Hub
from aiorerun.server.port import Port
from aiorerun.server.service import ProxyService

__all__ = ["Calls", "GrpcWeb", "Hub", "Port", "ProxyService", "ReplayBuffer", "entry_of_message"]
