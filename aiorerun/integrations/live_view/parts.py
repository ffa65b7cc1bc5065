"""What a live view is made of once it has something to show. Loading it loads neither grpclib nor h2."""

from __future__ import annotations

from aiorerun.server.auth import Authorization
from aiorerun.server.bodies import entry_of_message
from aiorerun.server.calls import Calls
from aiorerun.server.grpc_web import GrpcWeb
from aiorerun.server.history import ReplayBuffer
from aiorerun.server.http1 import Request
from aiorerun.server.hub import Hub
from aiorerun.server.rrd_answer import answer_rrd

__all__ = [
    "Authorization",
    "Calls",
    "GrpcWeb",
    "Hub",
    "ReplayBuffer",
    "Request",
    "answer_rrd",
    "entry_of_message",
]
