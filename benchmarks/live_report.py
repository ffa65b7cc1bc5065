"""Tables of what was measured live: when readers see what was logged, and what gRPC itself costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from benchmarks.transport import GOAL

if TYPE_CHECKING:
    from benchmarks.seen import Seen
    from benchmarks.transport import Transport

_PERCENTILES: Final = ("p50_ms", "p90_ms", "p99_ms")
_WITH_GOAL: Final = ("p50_ms", "p90_ms")
_ROUTES: Final = {"proxy": "through the official proxy server", "direct": "`serve_grpc`"}


@dataclass(slots=True)
class Live:
    """What was measured live."""

    seen: list[Seen] = field(default_factory=list)
    transport: list[Transport] = field(default_factory=list)


def print_all(live: Live, *, has_goal: bool) -> None:
    """All of it on the console."""
    if live.seen:
        print_seen(live.seen, has_goal=has_goal)
    if live.transport:
        print_transport(live.transport, has_goal=has_goal)


def markdown(live: Live) -> list[str]:
    """All of it as the README shows it."""
    return [*_seen_markdown(live.seen), *_transport_markdown(live.transport)]


def print_seen(results: list[Seen], *, has_goal: bool) -> None:
    """How long rows were on their way, on the console."""
    print("\nfrom log to a reader, low-latency preset, ms")
    print(f"  {'':8}{'rows':>7}{'':>6}{'rerun':>10}{'aiorerun':>10}{'ours / rerun':>14}")
    for result in results:
        for figure in _PERCENTILES:
            theirs, ours = (result.median(sdk, figure) for sdk in ("rerun", "aiorerun"))
            name = figure.removesuffix("_ms")
            line = f"  {result.route:8}{result.rows:>7,}{name:>6}{theirs:10.2f}{ours:10.2f}"
            line += f"{result.share(figure):14.2f}"
            if has_goal and figure in _WITH_GOAL:
                line += f"   goal ≤ 1: {'reached' if result.share(figure) <= 1 else 'MISSED'}"
            print(line)


def print_transport(results: list[Transport], *, has_goal: bool) -> None:
    """What sending and reading costs, on the console."""
    print("\nsending and reading gRPC messages, CPU in ms per MB: median (lowest)")
    print(f"  {'':6}{'bytes':>10}{'MB':>5}{'grpclib':>18}{'aiorerun':>18}{'ours / grpclib':>16}")
    for result in results:
        cells = "".join(
            f"{f'{result.per_mb(way):.2f} ({result.lowest(way):.2f})':>18}" for way in ("grpclib", "aiorerun")
        )
        line = f"  {result.direction:6}{result.size:>10,}{result.mbytes:>5}{cells}{result.share():>16.2f}"
        if has_goal:
            line += f"   goal ≤ {GOAL:.2f}: {'reached' if result.share() <= GOAL else 'MISSED'}"
        print(line)


def _seen_markdown(results: list[Seen]) -> list[str]:
    """How long rows were on their way, for the README."""
    if not results:
        return []
    introduction = (
        "From `log` until a reader in another process has the row, in ms: rows 5 to 20 ms apart, low-latency "
        "preset:"
    )
    lines = [
        introduction,
        "",
        "| | p50: rerun | aiorerun | p90: rerun | aiorerun | p99: rerun | aiorerun |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        cells = [
            f"{result.median(sdk, figure):.2f}" for figure in _PERCENTILES for sdk in ("rerun", "aiorerun")
        ]
        lines.append(f"| {_ROUTES[result.route]} | {' | '.join(cells)} |")
    return [*lines, ""]


def _transport_markdown(results: list[Transport]) -> list[str]:
    """What sending and reading costs, for the README."""
    if not results:
        return []
    lines = [
        "CPU per MB of gRPC messages, in ms, beside grpclib as it comes:",
        "",
        "| bytes per message | sending: grpclib | aiorerun | ratio | reading: grpclib | aiorerun | ratio |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    by_size: dict[int, list[Transport]] = {}
    for result in results:
        by_size.setdefault(result.size, []).append(result)
    for size, both in by_size.items():
        cells = [
            cell
            for result in both
            for cell in (
                f"{result.per_mb('grpclib'):.2f}",
                f"{result.per_mb('aiorerun'):.2f}",
                f"{result.share():.2f}",
            )
        ]
        lines.append(f"| {size:,} | {' | '.join(cells)} |")
    return [*lines, ""]
