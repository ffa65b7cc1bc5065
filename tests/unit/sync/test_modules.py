"""The submodules of the drop-in."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import aiorerun
import aiorerun.sync


@pytest.mark.parametrize("name", ["archetypes", "components", "datatypes", "encodings"])
def test_the_vocabulary_is_the_same(name: str) -> None:
    blocking = importlib.import_module(f"aiorerun.sync.{name}")
    own = importlib.import_module(f"aiorerun.{name}")
    assert getattr(aiorerun.sync, name) is blocking
    assert getattr(aiorerun, name) is own
    assert blocking.__all__ == own.__all__
    for each in blocking.__all__:
        assert getattr(blocking, each) is getattr(own, each)
    assert set(own.__all__) <= set(dir(blocking))
    with pytest.raises(AttributeError, match="nothing"):
        _ = blocking.nothing


@pytest.mark.parametrize("name", ["error_utils", "recording_stream", "sinks", "time"])
def test_modules_offer_what_the_package_offers(name: str) -> None:
    module = importlib.import_module(f"aiorerun.sync.{name}")
    assert module.__all__
    for each in module.__all__:
        assert getattr(module, each) is getattr(aiorerun.sync, each)


def test_import_statements_of_scripts() -> None:
    script = """
import aiorerun.sync as rr
import aiorerun.sync.archetypes as archetypes
from aiorerun.sync.components import Color, TextLogLevel
from aiorerun.sync.datatypes import Quaternion
from aiorerun.sync import encodings, sinks
from aiorerun.sync.archetypes import *
assert Points3D is rr.Points3D is archetypes.Points3D
assert encodings.Quaternion is Quaternion is rr.Quaternion is rr.datatypes.Quaternion
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_the_version() -> None:
    for face in (aiorerun, aiorerun.sync):
        assert face.version().startswith(f"aiorerun {face.__version__} [formats of Rerun 0.41")
