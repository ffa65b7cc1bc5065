"""End-to-end tests with the official viewers, native and in a browser; skipped where something is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiorerun.viewer.executable import find_executable

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
_SCRIPT = "run .ci/system-packages"


def pytest_configure(config: pytest.Config) -> None:
    """The marker, for `-m e2e` and `-m 'not e2e'`."""
    config.addinivalue_line("markers", "e2e: drives an official viewer; takes up to a minute")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All tests of this directory are such tests, and may take some time on a busy machine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


def _missing_browser() -> str | None:
    if shutil.which("node") is None:
        return "there is no Node.js"
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        return f"playwright-core is not installed: {_SCRIPT}"
    if not os.path.exists(os.environ.get("CHROMIUM", "/usr/bin/chromium")):
        return f"there is no Chromium: {_SCRIPT}, or set CHROMIUM"
    return None


def _missing_viewer() -> str | None:
    # A file is enough: whether the driver works is what the test finds out.
    drivers = [*Path("/usr/share/vulkan/icd.d").glob("*.json"), *Path("/etc/vulkan/icd.d").glob("*.json")]
    if not drivers:
        return f"there is no Vulkan driver: {_SCRIPT}"
    try:
        find_executable()
    except FileNotFoundError as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def browser() -> None:
    """Asked for by tests that need a browser."""
    if reason := _missing_browser():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def web_viewer(browser: None) -> None:
    """Asked for by tests that need our page in a browser."""
    if importlib.util.find_spec("rerun_notebook") is None or importlib.util.find_spec("h11") is None:
        pytest.skip("the extra `web` is not installed")


@pytest.fixture(scope="session")
def native_viewer() -> None:
    """Asked for by tests that need the native viewer without a window."""
    if reason := _missing_viewer():
        pytest.skip(reason)
