"""The tests of the network decide by themselves which way data goes."""

from __future__ import annotations

import pytest

from aiorerun.net.frames import SWITCH


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has switched the direct way off."""
    monkeypatch.delenv(SWITCH, raising=False)
