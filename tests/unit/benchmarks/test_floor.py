"""The least that sending takes: that both parts are measured, and what is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import floor, runner
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable

SCALARS = next(workload for workload in WORKLOADS if workload.name == "scalars")


def test_both_parts_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    floor.child("points_100k", 3)
    figures = json.loads(capsys.readouterr().out)
    assert figures["bytes"] > 3 * 100_000 * 12
    assert figures["log_s"] > 0
    assert figures["send_s"] > 0


@pytest.mark.parametrize(("log_s", "ending"), [(1e-4, "55.00×"), (5e-4, "18.33×  (below the goal)")])
def test_what_is_possible(monkeypatch: pytest.MonkeyPatch, log_s: float, ending: str) -> None:
    def in_turn(pairs: int, contenders: dict[str, Callable[[], Any]]) -> dict[str, list[runner.Figures]]:
        assert list(contenders) == ["rerun", "aiorerun", "floor"]
        return {
            "rerun": [{"cpu_s": 0.011}],
            "aiorerun": [{"cpu_s": 1e-3}],
            "floor": [{"log_s": log_s, "send_s": 1e-4}],
        }

    monkeypatch.setattr(runner, "in_turn", in_turn)
    assert floor.line(SCALARS, 100, 1).endswith(f"possible  {ending}")
