"""The figures of the benchmarks are what they say: ratios of pairs, medians, tables between the markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import report, runner
from benchmarks.__main__ import main
from benchmarks.live_report import Live
from benchmarks.workloads import LATENCY, WORKLOADS

if TYPE_CHECKING:
    from pathlib import Path


def figures(us: float, cpu: float) -> runner.Figures:
    return {
        "us_per_call": us,
        "cpu_s": cpu,
        "closed_s": cpu,
        "bytes": 100.0,
        "peak_bytes": 2**20,
        "process_cpu_s": cpu,
        "log_p50_us": us,
        "log_p999_us": us,
        "empty_p50_us": 1.0,
        "empty_p999_us": 2.0,
    }


@pytest.fixture
def result() -> runner.Result:
    theirs = [figures(40.0, 4.0), figures(60.0, 9.0), figures(50.0, 5.0)]
    ours = [figures(2.0, 1.0), figures(2.0, 3.0), figures(2.5, 0.5)]
    runs = {"rerun": theirs, "aiorerun": ours, "aiorerun, log_tick on": ours, "mcap": theirs}
    return runner.Result("scalars", "`Scalars`", "file", 1_000, 25.0, runs)


def test_ratios_are_medians_of_pairs_not_ratios_of_medians(result: runner.Result) -> None:
    # The pairs are 4, 3 and 10 times apart; the medians, 5.0 and 1.0, would say 5.
    assert result.ratio("cpu_s") == 4.0
    assert result.median("rerun", "cpu_s") == 5.0


def test_contenders_take_turns_in_reversing_order() -> None:
    order: list[str] = []

    def contender(name: str) -> runner.Figures:
        order.append(name)
        return {}

    runs = runner.in_turn(3, {"a": lambda: contender("a"), "b": lambda: contender("b")})

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(found) for name, found in runs.items()} == {"a": 3, "b": 3}


def test_tables_go_between_the_markers(result: runner.Result, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")

    for _ in range(2):
        report.update_readme(report.markdown([result], result, Live(), [result]), readme)

    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| `Scalars` | file | 1,000 | 50.0 | 2.0 | 2.0 | 4.0× | 4.0× |") == 1
    assert "mcap's pure-Python writer 50.0 µs a call" in text


def test_a_missed_goal_is_said(result: runner.Result, capsys: pytest.CaptureFixture[str]) -> None:
    report.print_result(result)

    assert "goal ≥ 25×: MISSED" in capsys.readouterr().out


def test_the_readme_has_the_markers() -> None:
    text = report.README.read_text(encoding="utf-8")

    assert text.count(report.BEGIN) == text.count(report.END) == 1


def test_children_get_no_settings_but_the_compared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERUN_FLUSH_NUM_ROWS", "1")

    assert runner.environment(False)["RERUN_LOG_TICK"] == "0"
    assert "RERUN_LOG_TICK" not in runner.environment(None)
    assert "RERUN_FLUSH_NUM_ROWS" not in runner.environment(False)


@pytest.mark.parametrize("sdk", ["rerun", "aiorerun"])
def test_a_run_measures_itself(sdk: str) -> None:
    found = runner.run_workload(sdk, "latency", "file", 50, log_tick=False)

    assert 0.0 < found["logged_s"] <= found["closed_s"] < found["process_s"]
    assert 0.0 < found["cpu_s"] < found["process_cpu_s"]
    assert found["bytes"] > 1_000
    assert found["peak_bytes"] > 2**24
    assert 0.0 < found["empty_p50_us"] < found["log_p50_us"] <= found["log_p999_us"]


def test_a_failing_run_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="exit code"):
        runner.run_workload("rerun", "no_such_workload", "file", 1, log_tick=False)


def test_the_table_of_the_readme_needs_a_full_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--markdown", "--quick"])

    assert "full run" in capsys.readouterr().err


def test_both_sdks_have_every_workload() -> None:
    from benchmarks import sdk_aiorerun, sdk_aiorerun_sync, sdk_rerun

    names = {workload.name for workload in (*WORKLOADS, LATENCY)}
    assert set(sdk_rerun.FUNCTIONS) == names
    assert {*sdk_aiorerun.FUNCTIONS, *sdk_aiorerun_sync.FUNCTIONS} == names
