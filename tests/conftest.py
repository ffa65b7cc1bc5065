"""What all tests share: asyncio in debug mode, the blocking-call detector, sizes of long tests."""

from __future__ import annotations

import inspect
import linecache
import logging
import os
from asyncio import constants
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Variables that change what is recorded or said; a test that wants one sets it itself.
_RERUN_VARIABLES = (
    "CI",
    "RERUN",
    "RERUN_STRICT",
    "RERUN_LOG_TICK",
    "RERUN_LOG_TIME",
    "RERUN_FLUSH_TICK_SECS",
    "RERUN_FLUSH_NUM_BYTES",
    "RERUN_FLUSH_NUM_ROWS",
    "RERUN_CHUNK_MAX_ROWS_IF_UNSORTED",
    "_RERUN_TEST_FORCE_SAVE",
)
_SOAK_TIMEOUT = 3600

# How long an example takes says more about what else the machine does; tests as a whole have a timeout.
settings.register_profile("aiorerun", deadline=None)
settings.load_profile("aiorerun")


def _soak_wanted(config: pytest.Config) -> bool:
    """Whether the full sizes are asked for: ``AIORERUN_SOAK=1`` or ``-m soak``."""
    return os.environ.get("AIORERUN_SOAK") == "1" or "soak" in (config.getoption("markexpr") or "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves soak tests out unless they are asked for, and then gives all tests an hour each."""
    if not _soak_wanted(config):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("soak")]
        return
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SOAK_TIMEOUT))


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests run on asyncio, in debug mode; with ``AIORERUN_TEST_LOOP=uvloop`` on that."""
    return "asyncio", {"debug": True, "use_uvloop": os.environ.get("AIORERUN_TEST_LOOP") == "uvloop"}


@pytest.fixture(scope="session", autouse=True)
def cheap_creation_stacks() -> Iterator[None]:
    """Debug mode notes where each handle and future was made; unhindered, most of the time goes there.

    Two frames are enough, and source files do not change while tests run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "DEBUG_STACK_DEPTH", 2)
        patch.setattr(linecache, "checkcache", lambda filename=None: None)
        yield


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raises in async tests when code of the package makes a blocking call on the event loop."""
    function = getattr(request.node, "function", None)
    is_async = inspect.iscoroutinefunction(inspect.unwrap(function)) if function is not None else False
    if not is_async or request.node.get_closest_marker("may_block") is not None:
        yield
        return
    with blockbuster_ctx("aiorerun") as detector:
        for blocking in detector.functions.values():
            # Modules may be imported when they are first needed, whatever they do then.
            blocking.can_block_in("<frozen importlib._bootstrap>", "_find_and_load")
            # And coverage, when it is measured, takes a lock on its data.
            blocking.can_block_in("coverage/collector.py", "lock_data")
        yield


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in _RERUN_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def same_logging() -> Iterator[None]:
    """A test that leaves another level at the root logger would change what later tests see; so it fails."""
    level = logging.root.level
    yield
    left = logging.root.level
    logging.root.setLevel(level)
    assert left == level, f"the test has set the root logger to {logging.getLevelName(left)}"


class Sized(Protocol):
    """Chooses the size of a long test."""

    def __call__(self, reduced: int, full: int) -> int:
        """``reduced`` in an ordinary run, ``full`` in a soak run."""
        ...


@pytest.fixture
def sized(request: pytest.FixtureRequest) -> Sized:
    """``sized(20_000, 1_000_000)`` is the first number, in a soak run the second."""
    full_size = _soak_wanted(request.config)

    def choose(reduced: int, full: int) -> int:
        return full if full_size else reduced

    return choose


def _is_complete(path: Path) -> bool:
    """Whether a file ends with a footer that lists chunks."""
    if path.stat().st_size < 60:
        return False
    with path.open("rb") as file:
        file.seek(-32, os.SEEK_END)
        end = file.read()
    return end[20:28] == b"RRF2FOOT" and end[8:16] != bytes(8)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The official program verifies every file that a test has written and closed."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or factory._basetemp is None:
        return
    from tests.reading import rerun_cli

    files = [path for path in sorted(factory.getbasetemp().rglob("*.rrd")) if _is_complete(path)]
    for start in range(0, len(files), 200):
        result = rerun_cli("rrd", "verify", *files[start : start + 200])
        if result.returncode != 0:
            print(result.stdout, result.stderr)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    print(f"\n{len(files)} files were verified by the official program")
