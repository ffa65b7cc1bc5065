"""Tables of what was measured: printed ones, and the one in the README."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import live_report

if TYPE_CHECKING:
    from benchmarks.runner import Result

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- benchmarks: begin (made by `python -m benchmarks --markdown`) -->"
END = "<!-- benchmarks: end -->"
_TICK = "aiorerun, log_tick on"


def machine() -> str:
    """The class of machine: cores, processor, system, Python."""
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    if found:
        model = found.group(1).strip()
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, CPython {platform.python_version()}"


def versions() -> str:
    """The versions that were compared."""
    packages = ("rerun-sdk", "foxglove-sdk", "mcap", "grpclib", "pyarrow", "numpy")
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)


def print_result(result: Result) -> None:
    """One workload on the console."""
    print(f"\n{result.title.replace('`', '')} → {result.sink}, {result.rows:,} rows")
    lines = [
        ("µs per call", "us_per_call", 1.0, "{:,.2f}"),
        ("CPU until closed, ms", "cpu_s", 1e3, "{:,.1f}"),
        ("time until closed, ms", "closed_s", 1e3, "{:,.1f}"),
        ("peak memory, MiB", "peak_bytes", 1 / 2**20, "{:,.1f}"),
        ("bytes", "bytes", 1.0, "{:,.0f}"),
    ]
    names = list(result.runs)
    print(f"  {'':24}" + "".join(f"{name:>24}" for name in names) + f"{'rerun / aiorerun':>20}")
    for title, figure, scale, form in lines:
        if figure not in result.runs[names[0]][0]:
            continue
        cells = [form.format(scale * result.median(name, figure)) for name in names]
        line = f"  {title:24}" + "".join(f"{cell:>24}" for cell in cells) + f"{result.ratio(figure):>19.2f}×"
        if figure == "cpu_s" and result.goal:
            met = "reached" if result.ratio(figure) >= result.goal else "MISSED"
            line += f"   goal ≥ {result.goal:g}×: {met}"
        print(line)


def print_latency(result: Result) -> None:
    """The latency of single calls on the console."""
    print(f"\n{result.title.replace('`', '')}, {result.rows:,} calls, µs")
    print(f"  {'':12}{'log p50':>12}{'empty p50':>12}{'log p99.9':>12}{'empty p99.9':>12}{'above empty':>13}")
    for name in ("rerun", "aiorerun"):
        p50, p999 = result.median(name, "log_p50_us"), result.median(name, "log_p999_us")
        empty50, empty999 = result.median(name, "empty_p50_us"), result.median(name, "empty_p999_us")
        print(f"  {name:12}{p50:12.2f}{empty50:12.2f}{p999:12.1f}{empty999:12.1f}{p999 - empty999:13.1f}")
    lower = result.ratio("log_p50_us")
    print(f"  p50: {lower:.1f}× lower (goal ≥ 25×); p99.9 goal: ≤ 100 µs above the empty loop")


def print_import(result: Result) -> None:
    """The cost of importing on the console."""
    print(f"\n{result.title.replace('`', '')} (whole process)")
    for title, figure, scale in (
        ("CPU, ms", "process_cpu_s", 1e3),
        ("peak memory, MiB", "peak_bytes", 1 / 2**20),
    ):
        theirs, ours = (scale * result.median(name, figure) for name in ("rerun", "aiorerun"))
        share = 1 / result.ratio(figure)
        print(f"  {title:20} rerun {theirs:8.1f}   aiorerun {ours:8.1f}   aiorerun / rerun {share:.2f}×")


def markdown(
    results: list[Result], latency: Result | None, live: live_report.Live, imports: list[Result]
) -> str:
    """All results as the README shows them."""
    day = datetime.now(UTC).date().isoformat()
    pairs = _pairs(results, imports)
    introduction = (
        f"Measured on {day}: {machine()}; {versions()}. Medians of {pairs} interleaved pairs "
        "of processes; a ratio says how many times more the official SDK needed. CPU and time run from the "
        "first row until the sink is closed. `log_tick` is off on both sides; the column “with tick” has "
        "aiorerun's default, where it is on."
    )
    heading = (
        "| workload | sink | rows | µs per call: rerun | aiorerun | with tick | CPU | time until closed "
        "| peak memory, MiB | bytes, aiorerun / rerun |"
    )
    lines = [
        introduction,
        "",
        heading,
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(result) for result in results),
        "",
        *_peers(results),
        *_latency(latency),
        *live_report.markdown(live),
        *_imports(imports),
    ]
    return "\n".join(lines).rstrip() + "\n"


def update_readme(text: str, readme: Path = README) -> None:
    """Puts the tables between the markers of the README."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _pairs(results: list[Result], imports: list[Result]) -> int:
    return min(len(result.runs["rerun"]) for result in [*results, *imports])


def _row(result: Result) -> str:
    cells = [
        result.title,
        result.sink,
        f"{result.rows:,}",
        *(f"{result.median(name, 'us_per_call'):,.1f}" for name in ("rerun", "aiorerun", _TICK)),
        f"{result.ratio('cpu_s'):.1f}×",
        f"{result.ratio('closed_s'):.1f}×",
        " → ".join(f"{result.median(name, 'peak_bytes') / 2**20:,.0f}" for name in ("rerun", "aiorerun")),
        f"{1 / result.ratio('bytes'):.2f}" if "bytes" in result.runs["rerun"][0] else "–",
    ]
    return "| " + " | ".join(cells) + " |"


def _peers(results: list[Result]) -> list[str]:
    lines: list[str] = []
    for result in results:
        peers = [name for name in ("foxglove", "mcap") if name in result.runs]
        if not peers:
            continue
        named = {"foxglove": "foxglove-sdk", "mcap": "mcap's pure-Python writer"}
        figures = ", ".join(
            f"{named[peer]} {result.median(peer, 'us_per_call'):.1f} µs a call "
            f"({result.median(peer, 'cpu_s') / result.rows * 1e6:.1f} µs CPU until closed)"
            for peer in peers
        )
        own = result.median("aiorerun", "cpu_s") / result.rows * 1e6
        call = result.median("aiorerun", "us_per_call")
        lines.append(
            f"Beside {result.title}, one number as JSON to an MCAP file in the same run: {figures}; ours "
            f"{call:.1f} µs a call ({own:.1f} µs CPU until closed).\n"
        )
    return lines


def _latency(result: Result | None) -> list[str]:
    if result is None:
        return []
    introduction = (
        "Latency of one small `log` on the event loop while chunks are flushed (low-latency preset), in µs, "
        "beside an empty coroutine in the same loop:"
    )
    lines = [
        introduction,
        "",
        "| | p50 | p99.9 | empty p50 | empty p99.9 |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in ("rerun", "aiorerun"):
        figures = ("log_p50_us", "log_p999_us", "empty_p50_us", "empty_p999_us")
        cells = " | ".join(f"{result.median(name, figure):.1f}" for figure in figures)
        lines.append(f"| {name} | {cells} |")
    return [*lines, ""]


def _imports(results: list[Result]) -> list[str]:
    if not results:
        return []
    lines = [
        "| whole process | CPU, ms: rerun | aiorerun | ratio | memory, MiB: rerun | aiorerun | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        cells = [result.title]
        for figure, scale in (("process_cpu_s", 1e3), ("peak_bytes", 1 / 2**20)):
            cells += [f"{scale * result.median(name, figure):,.0f}" for name in ("rerun", "aiorerun")]
            cells.append(f"{1 / result.ratio(figure):.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines
