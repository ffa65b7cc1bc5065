"""Cases: many rows at once, from columns of every kind."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa

from tests.conformance.cases.registry import case


@case()
def columns_of_scalars(rr: Any, rec: Any) -> None:
    times = np.arange(1000)
    rec.send_columns("a", [rr.TimeColumn("f", sequence=times)], rr.Scalars.columns(scalars=np.sin(times / 9)))
    rec.send_columns("a", [rr.TimeColumn("f", sequence=[7])], rr.Scalars.columns(scalars=[0.5]))
    rec.send_columns("two", [rr.TimeColumn("f", sequence=range(4))], rr.Scalars.columns(scalars=np.eye(4)))


@case()
def columns_of_all_kinds_of_times(rr: Any, rec: Any) -> None:
    start = np.datetime64("2026-01-02T03:04:05.123456789")
    indexes = [
        rr.TimeColumn("number", sequence=np.arange(5, dtype=np.int32)),
        rr.TimeColumn("elapsed", duration=[0, 0.5, dt.timedelta(seconds=1), np.timedelta64(2, "s"), 3]),
        rr.TimeColumn("clock", timestamp=np.array([start + np.timedelta64(i, "us") for i in range(5)])),
        rr.TimeColumn("seconds", timestamp=[1_700_000_000.25 + i for i in range(5)]),
        rr.TimeColumn("ümläut / with space", duration=np.linspace(-1, 1, 5)),
    ]
    rec.send_columns("a", indexes, rr.Scalars.columns(scalars=np.arange(5.0)))


@case()
def columns_with_unsorted_times(rr: Any, rec: Any) -> None:
    numbers = rr.Scalars.columns(scalars=np.arange(6.0))
    rec.send_columns("one", [rr.TimeColumn("f", sequence=[3, 1, 2, 1, 0, 3])], numbers)
    first, second = [1, 1, 2, 1, 0, 0], [5, 4, 3, 2, 1, 0]
    rec.send_columns(
        "two", [rr.TimeColumn("b", sequence=second), rr.TimeColumn("a", sequence=first)], numbers
    )
    rec.send_columns(
        "ties", [rr.TimeColumn("a", sequence=[1] * 6), rr.TimeColumn("b", sequence=second)], numbers
    )
    rec.send_columns(
        "sorted_first", [rr.TimeColumn("a", sequence=range(6)), rr.TimeColumn("b", sequence=second)], numbers
    )
    texts = rr.TextLog.columns(text=["a", "bb", "", "ünïcödé", "e", "f"], level=["INFO"] * 6)
    rec.send_columns("texts", [rr.TimeColumn("f", sequence=[3, 1, 2, 1, 0, 3])], texts)
    points = rr.Points3D.columns(positions=np.arange(18).reshape(6, 3)).partition([2, 0, 1, 3])
    rec.send_columns("points", [rr.TimeColumn("f", sequence=[4, 3, 2, 1])], points)


@case()
def static_columns(rr: Any, rec: Any) -> None:
    rec.send_columns("a", [], rr.Scalars.columns(scalars=[3.0, 2.0, 1.0]))
    rec.send_columns("b", [], rr.Points2D.columns(positions=[[1, 2], [3, 4]]).partition([2]))


@case()
def columns_that_ignore_set_time(rr: Any, rec: Any) -> None:
    rec.set_time("frame", sequence=1)
    rec.set_time("f", sequence=100)
    rec.log("a", rr.Scalars(1.0))
    rec.send_columns("b", [rr.TimeColumn("f", sequence=[1, 2])], rr.Scalars.columns(scalars=[1.0, 2.0]))
    rec.log("a", rr.Scalars(2.0))


@case()
def partitioned_columns(rr: Any, rec: Any) -> None:
    positions = np.arange(30, dtype=np.float32).reshape(10, 3)
    lengths = [3, 0, 5, 2]
    frames = [rr.TimeColumn("f", sequence=range(4))]
    columns = [
        *rr.Points3D.columns(
            positions=positions, colors=np.arange(10, dtype=np.uint32), radii=np.arange(10) / 10
        ).partition(lengths),
        *rr.Points3D.columns(labels=["a", "b", "c"]).partition([1, 0, 0, 2]),
    ]
    rec.send_columns("points", frames, columns)
    rec.send_columns("boxes", frames, rr.Boxes3D.columns(half_sizes=positions).partition(lengths))
    rec.send_columns("numbers", frames, rr.Scalars.columns(scalars=np.arange(8.0)).partition([2, 2, 2, 2]))


@case()
def columns_of_spatial_archetypes(rr: Any, rec: Any) -> None:
    frames = [rr.TimeColumn("f", sequence=range(3))]
    rec.send_columns(
        "transform",
        frames,
        rr.Transform3D.columns(translation=np.ones((3, 3)), quaternion=np.eye(4)[:3], scale=[[1, 2, 3]] * 3),
    )
    rec.send_columns(
        "points",
        frames,
        rr.Points3D.columns(
            positions=np.ones((3, 3)), colors=np.array([0xFF0000FF, 0x00FF00FF, 0], np.uint32)
        ),
    )
    rec.send_columns("arrows", frames, rr.Arrows3D.columns(vectors=np.ones((3, 3)), origins=np.zeros((3, 3))))
    rec.send_columns(
        "points2d", frames, rr.Points2D.columns(positions=[[1, 2], [3, 4], [5, 6]], radii=[1, 2, 3])
    )


@case()
def columns_of_texts_and_images(rr: Any, rec: Any) -> None:
    frames = [rr.TimeColumn("f", sequence=range(3))]
    rec.send_columns(
        "log", frames, rr.TextLog.columns(text=["one", "two", "drei ✓"], level=["INFO", "WARN", "X"])
    )
    rec.send_columns(
        "doc", frames, rr.TextDocument.columns(text=["# a", "# b", ""], media_type=["text/markdown"] * 3)
    )
    rec.send_columns(
        "images", frames, rr.EncodedImage.columns(blob=[b"one", b"twotwo", b""], media_type=["image/png"] * 3)
    )
    image_format = rr.components.ImageFormat(width=4, height=2, color_model="RGB", channel_datatype="U8")
    pixels = np.arange(3 * 24, dtype=np.uint8).reshape(3, 24)
    rec.send_columns("camera", frames, rr.Image.columns(buffer=pixels))
    rec.send_columns("camera", [], rr.Image.columns(format=[image_format]))


@case()
def columns_of_any_values(rr: Any, rec: Any) -> None:
    frames = [rr.TimeColumn("f", sequence=range(4))]
    rec.send_columns(
        "any",
        frames,
        rr.AnyValues.columns(
            column_number=[1.0, 2.0, 3.0, 4.0],
            column_count=np.arange(4),
            column_word=["a", "b", "c", "d"],
            column_pairs=[[1, 2], [3], [], [4]],
        ),
    )
    rec.send_columns(
        "dynamic",
        frames,
        rr.DynamicArchetype.columns(archetype="Mine", components={"confidence": [0.1, 0.2, 0.3, 0.4]}),
    )


class Foreign:
    """A column as a program of one's own may define it."""

    def __init__(self, name: Any, array: Any) -> None:
        self._name = name
        self._array = array

    def component_descriptor(self) -> Any:
        return self._name

    timeline_name = component_descriptor

    def as_arrow_array(self) -> Any:
        return self._array


@case()
def columns_of_ones_own(rr: Any, rec: Any) -> None:
    frames = [Foreign("f", pa.array([2, 0, 1]))]
    float_lists = pa.list_(pa.float64())
    arrays = {
        "nulls": pa.array([[1.0], None, []], float_lists),
        "all_null": pa.array([None, None, None], float_lists),
        "all_empty": pa.array([[], [], []], float_lists),
        "inner_nulls": pa.array([[1.0, None], [2.0], [3.0]], float_lists),
        "flat": pa.array([1.0, 2.0, 3.0]),
        "flat_texts": pa.array(["a", None, "c"]),
        "fixed": pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32(), 2)),
        "large": pa.array([["a"], ["b"], ["c"]], pa.large_list(pa.utf8())),
        "inner_name": pa.array([[1], [2], [3]], pa.list_(pa.field("element", pa.int8(), nullable=False))),
        "structs": pa.array([[{"a": 1, "b": "x"}], [], [{"a": 2, "b": None}] * 2]),
        "words": pa.array([["a"], ["b"], ["a"]], pa.list_(pa.dictionary(pa.int32(), pa.utf8()))),
        "sliced": pa.array([[0.0], [1.0], [2.0, 3.0], [], [4.0]], float_lists).slice(1, 3),
        "bools": pa.array([[True, False], [], [True]]),
    }
    for name, array in arrays.items():
        rec.send_columns(
            f"own/{name}", frames, [Foreign(rr.ComponentDescriptor(name, "My.Arch", "My.Type"), array)]
        )
    clocks = [
        Foreign("stamp", pa.array([3, 1, 2], pa.timestamp("ns"))),
        Foreign("utc", pa.array([3, 1, 2], pa.timestamp("ns", "UTC"))),
        Foreign("length", pa.array([3, 1, 2], pa.duration("ns"))),
    ]
    rec.send_columns("clocks", clocks, [Foreign(rr.ComponentDescriptor("x"), arrays["flat"])])


@case()
def columns_with_offsets(rr: Any, rec: Any) -> None:
    batch = rr.components.ScalarBatch(np.arange(6.0))
    descriptor = rr.Scalars.descriptor_scalars()
    frames = [rr.TimeColumn("f", sequence=[1, 2])]
    rec.send_columns("lengths", frames, [rr.ComponentColumn(descriptor, batch, lengths=[4, 2])])
    rec.send_columns(
        "offsets", frames, [rr.ComponentColumn(descriptor, batch, offsets=np.array([0, 1, 6], np.int32))]
    )
    rec.send_columns(
        "described",
        [rr.TimeColumn("f", sequence=range(3))],
        [rr.DescribedComponentBatch(batch, descriptor).partition([1, 2, 3])],
    )


@case()
def columns_without_rows(rr: Any, rec: Any) -> None:
    rec.send_columns("a", [rr.TimeColumn("f", sequence=[])], rr.Scalars.columns(scalars=[]))
