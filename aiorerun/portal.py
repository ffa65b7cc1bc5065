"""The private event loop of the blocking facade, in a daemon thread, shared by lease."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from anyio.from_thread import BlockingPortalProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.from_thread import BlockingPortal

T = TypeVar("T")


class _Shared:
    """The provider of this process: a forked child gets its own, since threads do not survive a fork."""

    lock = threading.Lock()
    pid = 0
    provider: BlockingPortalProvider | None = None
    leases = 0
    abandoned: ClassVar[list[BlockingPortalProvider]] = []

    @classmethod
    def get(cls) -> BlockingPortalProvider:
        with cls.lock:
            if cls.provider is None or cls.pid != os.getpid():
                cls.provider = BlockingPortalProvider()
                cls.pid = os.getpid()
                cls.leases = 0
            cls.leases += 1
            return cls.provider


class PortalLease:
    """Keeps the shared loop running as long as it is held."""

    __slots__ = ("_pid", "_portal", "_provider")

    def __init__(self) -> None:
        self._provider = _Shared.get()
        self._portal: BlockingPortal = self._provider.__enter__()
        self._pid = os.getpid()

    @property
    def is_valid(self) -> bool:
        """Whether it was taken in this process, not in the parent before a fork."""
        return self._pid == os.getpid()

    def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Runs a coroutine function on the shared loop and waits for its result.

        Raises:
            RuntimeError: Called on the shared loop itself, where waiting would never end.
        """
        return self._portal.call(function, *args)

    def release(self) -> None:
        """Gives the lease back; the last one stops the loop and its thread."""
        with _Shared.lock:
            _Shared.leases -= 1
        self._provider.__exit__(None, None, None)


def shut_down() -> None:
    """Stops the shared loop, whoever still has a lease. For interpreter exit: it cannot be stopped later."""
    with _Shared.lock:
        provider, leases = _Shared.provider, _Shared.leases
        _Shared.leases = 0
        if _Shared.pid != os.getpid():
            return
    for _ in range(leases):
        assert provider is not None
        provider.__exit__(None, None, None)


def after_fork_in_child() -> None:
    """Forgets the parent's loop, whose thread the child does not have."""
    # A thread of the parent may have held the lock.
    _Shared.lock = threading.Lock()
    if _Shared.provider is not None:
        # Kept for ever: letting it go would mean to stop the loop, and to wait for it.
        _Shared.abandoned.append(_Shared.provider)
        _Shared.provider = None
