"""The benchmarks of what is live: their processes measure what they say, their tables say what was found."""

from __future__ import annotations

import pytest

from benchmarks import live_report, seen, transport
from benchmarks.live_report import Live
from benchmarks.seen import Seen
from benchmarks.transport import Transport


@pytest.fixture
def live() -> Live:
    def times(ms: float) -> dict[str, float]:
        return {"p50_ms": ms, "p90_ms": 2 * ms, "p99_ms": 3 * ms}

    def cpu(secs: float) -> dict[str, float]:
        return {"cpu_s": secs}

    runs = {"rerun": [times(8), times(4), times(6)], "aiorerun": [times(2), times(5), times(3)]}
    slower = {"rerun": runs["aiorerun"], "aiorerun": runs["rerun"]}
    sent = {"grpclib": [cpu(0.2), cpu(0.4)], "aiorerun": [cpu(0.02), cpu(0.08)]}
    read = {"grpclib": [cpu(0.2)], "aiorerun": [cpu(0.1)]}
    return Live(
        [Seen("proxy", 100, runs), Seen("direct", 100, slower)],
        [Transport("send", 1_000, 10, sent), Transport("read", 1_000, 10, read)],
    )


def test_ratios_are_medians_of_pairs(live: Live) -> None:
    # The pairs are 1/4, 5/4 and 1/2.
    assert live.seen[0].share("p90_ms") == 0.5
    assert live.transport[0].share() == pytest.approx((0.1 + 0.2) / 2)
    assert live.transport[0].per_mb("grpclib") == pytest.approx(30)
    assert live.transport[0].lowest("grpclib") == pytest.approx(20)


def test_goals_on_the_console(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live_report.print_all(live, has_goal=True)

    lines = capsys.readouterr().out.splitlines()
    said = {(line.split()[0], "p50" in line): line.rpartition(": ")[2] for line in lines if "goal" in line}
    assert said["proxy", True] == said["send", False] == "reached"
    assert said["direct", True] == said["read", False] == "MISSED"
    assert not any("p99" in line and "goal" in line for line in lines)


def test_small_runs_have_no_goals(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    live_report.print_all(live, has_goal=False)

    assert "goal" not in capsys.readouterr().out


def test_tables_of_the_readme(live: Live) -> None:
    lines = live_report.markdown(live)

    assert "| through the official proxy server | 6.00 | 3.00 | 12.00 | 6.00 | 18.00 | 9.00 |" in lines
    assert "| 1,000 | 30.00 | 5.00 | 0.15 | 20.00 | 10.00 | 0.50 |" in lines
    assert live_report.markdown(Live()) == []


@pytest.mark.parametrize(
    ("sdk", "route"), [("rerun", "direct"), ("aiorerun", "direct"), ("aiorerun", "proxy")]
)
def test_rows_are_seen(sdk: str, route: str) -> None:
    found = seen.run(sdk, route, 5)

    assert 0.0 < found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"] <= found["max_ms"] < 30_000


@pytest.mark.parametrize("direction", transport.DIRECTIONS)
@pytest.mark.parametrize("way", transport.WAYS)
def test_messages_are_carried(way: str, direction: str) -> None:
    found = transport.run(way, direction, 20_000, 500_000)

    assert 0.0 < found["cpu_s"] < found["process_cpu_s"]
    assert found["closed_s"] > 0.0


def test_a_writer_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="ended too early"):
        seen.run("rerun", "no_such_route", 1)
