"""The private loop of the blocking face: one for all, kept as long as somebody needs it."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from aiorerun import portal
from aiorerun.portal import PortalLease


async def thread_name() -> str:
    return threading.current_thread().name


async def thread_id() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


def test_leases_share_one_loop() -> None:
    first, second = PortalLease(), PortalLease()
    try:
        assert first.is_valid
        assert first.call(thread_id) == second.call(thread_id) != threading.get_ident()
    finally:
        first.release()
    assert second.call(thread_id)
    second.release()


def test_a_lease_after_the_last_one_starts_a_new_loop() -> None:
    for _ in range(3):
        lease = PortalLease()
        assert lease.call(thread_id) != threading.get_ident()
        lease.release()


def test_arguments_results_and_errors_cross_over() -> None:
    async def divide(one: float, other: float) -> float:
        return one / other

    lease = PortalLease()
    try:
        assert lease.call(divide, 6, 3) == 2
        with pytest.raises(ZeroDivisionError):
            lease.call(divide, 1, 0)
    finally:
        lease.release()


def test_calling_on_the_loop_itself_is_an_error() -> None:
    lease = PortalLease()

    async def call_again() -> None:
        lease.call(thread_id)

    try:
        with pytest.raises(RuntimeError, match="from a different thread|cannot be called"):
            lease.call(call_again)
    finally:
        lease.release()


def test_after_a_fork_old_leases_are_not_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = PortalLease()
    pid = lease._pid
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    assert not lease.is_valid
    monkeypatch.undo()
    lock = portal._Shared.lock
    portal.after_fork_in_child()
    assert portal._Shared.lock is not lock
    lease.release()
