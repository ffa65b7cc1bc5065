"""The submodules of the drop-in."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rerun
from rerun import blueprint as official_blueprint
from rerun.utilities import build_color_spiral

import aiorerun
import aiorerun.sync
from tests.reading import rows_of

MIGRATION = (Path(__file__).parents[3] / "docs" / "migration.md").read_text(encoding="utf-8")


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


def test_modules_are_attributes_as_in_the_official_package() -> None:
    script = """
import sys
import aiorerun.sync as rr
modules = ["error_utils", "recording_stream", "sinks", "time"]
assert not {f"aiorerun.sync.{name}" for name in modules} & {*sys.modules}
assert rr.error_utils.set_strict_mode is rr.set_strict_mode
assert rr.recording_stream.RecordingStream is rr.RecordingStream
assert rr.sinks.FileSink is rr.FileSink
assert rr.time.set_time is rr.set_time
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_the_documentation_knows_all_official_modules() -> None:
    modules = {module.name for module in pkgutil.iter_modules(rerun.__path__) if module.name[0] != "_"}
    offered = {name for name in modules if importlib.util.find_spec(f"aiorerun.sync.{name}") is not None}
    there = MIGRATION.split("Submodules have counterparts too")[1].split("\n\n")[0]
    assert offered <= set(re.findall(r"`(?:rerun\.)?(\w+)`", there))
    table = MIGRATION.split("| module of `rerun` |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == modules - offered


# Type checkers take its objects for what they are.
official: Any = rerun


def test_official_objects_are_taken_where_the_documentation_says_so() -> None:
    rr = aiorerun.sync
    rec = rr.RecordingStream("beside", recording_id="beside", send_properties=False)
    memory = rec.memory_recording()
    spiral = build_color_spiral(10)
    colors = official.components.ColorBatch([0xFF0000FF])
    rec.log("archetype", official.Points3D([[1, 2, 3]]))
    rec.log("values", official.AnyValues(x=1), official.DynamicArchetype("Mine", components={"y": 1}))
    rec.log("batches", official.Points3D([[1, 2, 3]]).as_component_batches())
    rec.log(
        "batch",
        rr.AnyValues(official_color=colors),
        [rr.DescribedComponentBatch(colors, rr.ComponentDescriptor("y"))],
    )
    rec.send_columns("theirs", [rr.TimeColumn("t", sequence=[1])], official.Scalars.columns(scalars=[1.0]))
    rec.send_columns("ours", [official.TimeColumn("t", sequence=[1])], rr.Scalars.columns(scalars=[1.0]))
    rec.send_columns("own", [official.TimeColumn("t", sequence=[1])], [rr.ComponentColumn("x", colors)])
    rec.log(
        "inside", rr.Points3D([official.components.Position3D([1, 2, 3])], radii=official.Radius.ui_points(3))
    )
    rec.log("colors", rr.Points3D(spiral.positions, colors=official.components.Color([255, 0, 0])))
    rec.log("enum", rr.Boxes3D(half_sizes=[1, 1, 1], fill_mode=official.components.FillMode.Solid))
    before = memory.num_msgs()
    rec.send_property("property", official.AnyValues(x=1))
    assert memory.num_msgs() == before + 1
    paths = {row.path for row in rows_of(memory.drain_as_bytes())}
    logged = ("archetype", "values", "batches", "batch", "theirs", "ours", "own", "inside", "colors", "enum")
    assert paths == {f"/{path}" for path in logged}


def test_other_official_objects_are_refused() -> None:
    rr = aiorerun.sync
    rec = rr.RecordingStream("beside", recording_id="beside", send_properties=False)
    view: Any = official_blueprint.Spatial3DView()
    blueprint: Any = official_blueprint.Blueprint(view)
    with pytest.raises(TypeError, match="no Blueprint of aiorerun"):
        rec.send_blueprint(blueprint)
    with pytest.raises(TypeError, match="expected a view"):
        rr.blueprint.Blueprint(view)
    sink = official.FileSink("never.rrd")
    with pytest.raises(TypeError, match="is not a sink"):
        rec.set_sinks(sink)
    config = official.ChunkBatcherConfig()
    with pytest.raises(TypeError, match=r"must be an aiorerun\.ChunkBatcherConfig, got rerun_bindings\."):
        rr.RecordingStream("beside", batcher_config=config)
    for make in (
        lambda: rr.Transform3D(rotation=official.Quaternion(xyzw=[0, 0, 0, 1])),
        lambda: rr.AnnotationContext([official.AnnotationInfo(id=1)]),
        lambda: rr.Tensor(official.TensorData(array=np.zeros((2, 2)))),
    ):
        with pytest.warns(rr.RerunWarning):
            make()


def test_the_version() -> None:
    for face in (aiorerun, aiorerun.sync):
        assert face.version().startswith(f"aiorerun {face.__version__} [formats of Rerun 0.41")
