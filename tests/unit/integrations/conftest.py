"""What tests of integrations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import aiorerun.sync
from tests.unit.integrations.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """A recording that is active in the blocking API."""
    each = Recorded()
    aiorerun.sync.set_global_data_recording(each.rec)
    yield each
    aiorerun.sync.set_global_data_recording(None)
    each.close()
