"""Whole scripts in the manner of Rerun's own examples, each a process of its own at both SDKs."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import aiorerun
from aiorerun.codec.decoder import read_chunks
from tests.conformance import running_snippet
from tests.conformance.blueprint_rows import blueprints_in
from tests.conformance.comparing import comparable_rows, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("rerun")

FOLDER: Final = Path(__file__).with_name("snippets")
SNIPPETS: Final = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.py"))

WITH_BLUEPRINT: Final = (
    "archetypes/entity_behavior",
    "archetypes/line_strips2d_batch",
    "archetypes/line_strips2d_segments_simple",
    "archetypes/points2d_random",
    "archetypes/points2d_simple",
    "archetypes/points2d_ui_radius",
    "concepts/different_data_per_timeline",
    "concepts/viscomp-base",
    "concepts/viscomp-component-override",
    "tutorials/extra_values",
    "views/dataframe",
    "views/map",
    "views/state_timeline",
    "views/tensor",
    "views/text_log",
    "views/timeseries",
)
ENVIRONMENT: Final = {"RERUN_FLUSH_NUM_ROWS": "0", "RERUN_STRICT": "1", "RERUN_LOG_TICK": "0"}
# What scripts expect on their command line: a file that the official SDK makes by this line.
FILES: Final = {
    "tutorials/visualization/load_blueprint": (
        "import sys, rerun.blueprint as rrb; "
        "rrb.Blueprint(rrb.TextLogView(origin='boiler')).save('snippet_load_blueprint', sys.argv[1])"
    )
}

OURS: Final = "ours"
OFFICIAL: Final = "official"


class Run(NamedTuple):
    """What came of a script at one SDK."""

    path: Path
    returncode: int
    complaints: str


def run(command: list[str], path: Path) -> Run:
    """Runs a script in a process of its own; all its recordings go to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The package under test, wherever the script is.
    places = [str(Path(aiorerun.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={
            **os.environ,
            **ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join(filter(None, places)),
            "_RERUN_TEST_FORCE_SAVE": str(path),
        },
    )
    return Run(path, done.returncode, done.stderr)


def arguments(name: str, folder: Path) -> list[str]:
    """Makes the file that a script expects on its command line."""
    if name not in FILES:
        return []
    path = str(folder / "argument.rbl")
    subprocess.run([sys.executable, "-c", FILES[name], path], check=True, timeout=100)
    return [path]


def run_all(name: str, folder: Path) -> dict[str, Run]:
    """Runs a script with both SDKs."""
    command = [str(FOLDER / f"{name}.py"), *arguments(name, folder)]
    return {
        OFFICIAL: run([running_snippet.__file__, *command], folder / OFFICIAL / f"{name}.rrd"),
        OURS: run(command, folder / OURS / f"{name}.rrd"),
    }


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], dict[str, Run]]]:
    """Gives what came of a script; all that are asked for are on their way from the start, two at a time."""
    folder = tmp_path_factory.mktemp("snippets")
    wanted = [
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and "outcome" in item.fixturenames
    ]
    pool = ThreadPoolExecutor(2)
    futures = {name: pool.submit(run_all, name, folder) for name in wanted}
    yield lambda name: futures[name].result(timeout=110)
    pool.shutdown(cancel_futures=True)


def properties(path: Path) -> list[tuple[str, str, list[str]]]:
    """The recordings in a file, and which properties they have: the values differ with every run."""
    return sorted(
        (store.application_id, store.recording_id, batch.schema.names)
        for store, batch in read_chunks(path.read_bytes())
        if batch.schema.metadata[b"rerun:entity_path"] == b"/__properties"
    )


@pytest.mark.parametrize("name", SNIPPETS)
def test_both_write_the_same(name: str, outcome: Callable[[str], dict[str, Run]]) -> None:
    ours, official = (outcome(name)[which] for which in (OURS, OFFICIAL))
    assert official.returncode == 0, official.complaints
    assert (ours.returncode, ours.complaints) == (0, "")
    assert compare(ours.path, official.path) == ""
    assert comparable_rows(ours.path) == comparable_rows(official.path) != []
    assert properties(ours.path) == properties(official.path) != []
    blueprints = blueprints_in(ours.path)
    assert blueprints == blueprints_in(official.path)
    assert bool(blueprints) is (name in (*WITH_BLUEPRINT, *FILES))


def test_there_are_enough_snippets() -> None:
    assert len(SNIPPETS) >= 53
    for name in SNIPPETS:
        source = (FOLDER / f"{name}.py").read_text()
        assert ("import aiorerun.sync.blueprint as rrb" in source) == (name in WITH_BLUEPRINT), name
