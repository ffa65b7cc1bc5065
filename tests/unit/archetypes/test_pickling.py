"""Archetypes that are pickled or copied: as those that were made here, in this process and in others."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.archetypes import Archetype
from aiorerun.types.batches import DescribedComponentBatch
from aiorerun.types.rows import row_of
from tests import recipes
from tests.reading import scalars_of
from tests.unit.archetypes.test_fields import ARCHETYPES


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> list[Archetype]:
    """Instances of all archetypes, made as the official SDK's were."""
    folder = tmp_path_factory.mktemp("golden")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            made
            for name in ("golden.json", "blueprints.json")
            for recipe in recipes.load(name)["recipes"]
            if "error" not in recipe and recipe["id"] not in recipes.DIFFERENT
            if isinstance(made := recipes.make(recipe["build"], folder), Archetype)
        ]


def contents(archetype: Archetype) -> Any:
    """All fields in plain Python, in which not even NaN differs from itself."""
    return [
        (batch.component_descriptor(), recipes.plain(batch.as_arrow_array().to_pylist()))
        for batch in archetype.as_component_batches()
    ]


def test_all_come_back_as_they_were(golden: list[Archetype]) -> None:
    assert {type(made) for made in golden} == set(ARCHETYPES)
    for made in golden:
        pickles = [pickle.dumps(made, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
        for restored in (*map(pickle.loads, pickles), copy.copy(made), copy.deepcopy(made)):
            assert type(restored) is type(made)
            assert restored._row[0] is made._row[0]
            assert contents(restored) == contents(made)


IN_ANOTHER_PROCESS = """
import pickle, sys
assert "aiorerun" not in sys.modules
for restored in pickle.load(sys.stdin.buffer):
    cls = type(restored)
    names = {field.descriptor: field.name for field in cls.FIELDS}
    batches = restored.as_component_batches()
    fresh = cls.from_fields(**{names[batch.component_descriptor()]: batch.batch for batch in batches})
    assert restored._row[0] is fresh._row[0], restored
    assert repr(restored) == repr(fresh)
    for batch in batches:
        field = getattr(restored, names[batch.component_descriptor()])
        # A method of the same name wins.
        assert callable(field) or repr(field) == repr(batch.batch), restored
"""


def test_all_come_back_in_a_process_that_knows_none(golden: list[Archetype]) -> None:
    command = [sys.executable, "-W", "error", "-c", IN_ANOTHER_PROCESS]
    subprocess.run(command, input=pickle.dumps(golden), check=True, timeout=60)


def test_fields_can_be_read_after_a_form_was_made_of_other_descriptors() -> None:
    (batch,) = rr.GeoPoints(lat_lon=[[1, 2]]).as_component_batches()
    wanted = batch.component_descriptor()
    other = rr.ComponentDescriptor(wanted.component, wanted.archetype, wanted.component_type)
    kept = row_of([DescribedComponentBatch(batch.batch, other)])
    points = rr.GeoPoints(lat_lon=[[1, 2]])
    assert points._row[0] is kept[0]
    assert points.positions == batch.batch


def test_a_pickle_holds_the_values_and_no_more() -> None:
    positions = np.zeros((20_001, 3), np.float32)
    points = rr.Points3D(positions)
    assert points._row[2][0].base is not None
    assert positions.nbytes < len(pickle.dumps(points)) < positions.nbytes + 1000


def test_arrow_data_comes_back_as_it_was() -> None:
    kind = pa.list_(pa.field("item", pa.float32(), nullable=False), 3)
    points = rr.Points3D(pa.array([[1, 2, 3]], kind), labels=pa.array(["a"]))
    restored = pickle.loads(pickle.dumps(points))
    assert restored._row[2][0].type == kind
    assert restored == points
    assert restored._row[0] is points._row[0]


class Named(rr.Points3D):
    """An archetype with an attribute of its own."""

    def __init__(self, name: str) -> None:
        super().__init__([[1, 2, 3]])
        self.name = name


def test_attributes_of_derived_classes_are_kept() -> None:
    named = Named("a")
    restored = copy.copy(named)
    restored.name = "b"
    assert (named.name, copy.deepcopy(named).name) == ("a", "a")
    assert restored.positions == named.positions


async def test_restored_ones_are_logged_like_others() -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="restored", send_properties=False)
    memory = await rec.memory_recording()
    await rec.log("a", rr.Scalars(1.0))
    await rec.log("a", pickle.loads(pickle.dumps(rr.Scalars(2.0))))
    await rec.log("a", copy.deepcopy(rr.Scalars(3.0)))
    assert scalars_of(await memory.drain_as_bytes(), "/a") == [1.0, 2.0, 3.0]
    await rec.disconnect()


def test_they_go_to_other_processes_and_back() -> None:
    points = rr.Points3D([[1, 2, 3]], labels="a")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(rr.Points3D, [[1, 2, 3]], labels="a").result(timeout=60) == points
        assert pool.submit(attrgetter("positions"), points).result(timeout=60) == points.positions
        assert pool.submit(repr, points).result(timeout=60) == repr(points)
