"""Cases: entities, components and rows in all combinations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.cases.registry import case


@case()
def one_row(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Scalars(1.0))


@case()
def nothing_at_all(rr: Any, rec: Any) -> None:
    assert rr is not None
    rec.set_time("frame", sequence=1)


@case()
def thousands_of_rows(rr: Any, rec: Any) -> None:
    for number in range(3000):
        rec.set_time("frame", sequence=number)
        rec.log("a", rr.Scalars(float(number)))


@case()
def many_entities(rr: Any, rec: Any) -> None:
    for number in range(200):
        rec.set_time("frame", sequence=number)
        rec.log(f"group/{number % 50}/value", rr.Scalars(number * 0.5))


@case(same_chunks=False)
def sparse_components(rr: Any, rec: Any) -> None:
    for number in range(30):
        rec.set_time("frame", sequence=number)
        if number % 2:
            rec.log("p", rr.Points3D.from_fields(positions=[[number, 0, 0]]))
        elif number % 3:
            rec.log("p", rr.Points3D.from_fields(colors=[number, 0, 0], radii=1.0))
        else:
            rec.log("p", rr.Points3D([[0, 0, number]], labels=["x"]))


@case()
def static_only(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Scalars(1.0), static=True)
    rec.log("a", rr.Scalars(2.0), static=True)
    rec.log("b/c", rr.Points2D([[1, 2], [3, 4]]), static=True)


@case()
def static_and_temporal(rr: Any, rec: Any) -> None:
    rec.set_time("frame", sequence=5)
    rec.log("a", rr.Scalars(1.0), static=True)
    rec.log("a", rr.Scalars(2.0))
    rec.log("a", rr.Scalars(3.0), static=True)
    rec.log("a", rr.Scalars(4.0))


@case()
def several_archetypes_in_one_log(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Points3D([[1, 2, 3]]), rr.Transform3D(translation=[1, 0, 0]))
    rec.log("b", rr.Scalars(1.0), rr.TextLog("both"), rr.AnyValues(together_extra=3.5))
    rec.log("c", rr.Scalars([1.0, 2.0]), rr.SeriesLines(names=["x", "y"]), static=True)


@case(same_chunks=False)
def several_archetypes_in_another_order(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Scalars(1.0), rr.TextLog("kept"))
    rec.log("a", rr.TextLog("kept"), rr.Scalars(3.0))


@case()
def list_paths(rr: Any, rec: Any) -> None:
    rec.log(["world", "my image!"], rr.Scalars(1.0))
    rec.log(["world", 42, "a/b"], rr.Scalars(2.0))
    rec.log([], rr.Scalars(3.0))
    rec.log(["ünï", "日本"], rr.Scalars(4.0))


@case()
def escaped_paths(rr: Any, rec: Any) -> None:
    rec.log(r"world/my\ image\!", rr.Scalars(1.0))
    rec.log("/world//points/", rr.Scalars(2.0))
    rec.log("/", rr.Scalars(3.0))
    rec.log(r"a\/b/c", rr.Scalars(4.0))
    rec.log(r"tab\tnew\nline", rr.Scalars(5.0))
    rec.log(r"unicode\u{0041}", rr.Scalars(6.0))


@case()
def one_path_in_many_spellings(rr: Any, rec: Any) -> None:
    for number, path in enumerate(["a/b", "/a/b", "a//b/", ["a", "b"], ["a", "", "b"]]):
        rec.set_time("frame", sequence=number)
        rec.log(path, rr.Scalars(float(number)))


@case()
def one_and_many_instances(rr: Any, rec: Any) -> None:
    for number, count in enumerate([1, 3, 0, 1, 1, 7, 0, 2]):
        rec.set_time("frame", sequence=number)
        rec.log("s", rr.Scalars(np.arange(count, dtype=np.float64)))
        rec.log("p", rr.Points3D(np.full((count, 3), number, np.float32)))
        rec.log("t", rr.AnyValues(instances_words=[f"w{each}" for each in range(count + 1)]))


@case()
def single_values_and_arrays_mixed(rr: Any, rec: Any) -> None:
    values = [1.0, [2.0, 3.0], np.float64(4.0), [], 5, np.array([6.0, 7.0, 8.0])]
    for number, value in enumerate(values * 3):
        rec.set_time("frame", sequence=number)
        rec.log("s", rr.Scalars(value))
        rec.log("p", rr.Points2D([[number, 1]] * (number % 3), radii=1.0))


@case()
def empty_lists(rr: Any, rec: Any) -> None:
    rec.log("s", rr.Scalars([]))
    rec.log("p", rr.Points3D([]))
    rec.log("q", rr.Points3D(np.zeros((0, 3)), colors=[], labels=[]))
    rec.log("l", rr.LineStrips3D([]))


@case()
def component_batches_by_hand(rr: Any, rec: Any) -> None:
    points = rr.Points3D([[1, 2, 3]], colors=[255, 0, 0], labels=["x"])
    rec.log("list", points.as_component_batches())
    rec.log("tuple", tuple(points.as_component_batches()))
    rec.log("generator", (batch for batch in points.as_component_batches()))
    positions = rr.components.Position3DBatch([[1, 2, 3], [4, 5, 6]])
    rec.log("described", [positions.described(rr.ComponentDescriptor("mine"))])
    rec.log("full", [positions.described(rr.ComponentDescriptor("Mine:positions", archetype="Mine"))])


@case()
def custom_classes(rr: Any, rec: Any) -> None:
    class Labelled:
        def __init__(self, label: str) -> None:
            self.label = label

        def as_component_batches(self) -> list[Any]:
            batches: list[Any] = [
                *rr.Points3D([[1, 2, 3]], labels=[self.label]).as_component_batches(),
                rr.components.RadiusBatch([0.5]).described(rr.ComponentDescriptor("extent")),
            ]
            return batches

    for number in range(3):
        rec.set_time("frame", sequence=number)
        rec.log("custom", Labelled(f"label {number}"))


@case()
def large_rows(rr: Any, rec: Any) -> None:
    rng = np.random.default_rng(4)
    for number in range(4):
        rec.set_time("frame", sequence=number)
        rec.log("cloud", rr.Points3D(rng.random((50_000, 3), np.float32)))
        rec.log("picture", rr.Image(rng.integers(0, 255, (240, 320, 3), np.uint8)))


@case()
def long_texts(rr: Any, rec: Any) -> None:
    for number in range(20):
        rec.log("text", rr.TextLog(("é" if number % 2 else "e") * number * 1000))


@case()
def changing_arrays(rr: Any, rec: Any) -> None:
    for number in range(10):
        values = np.full((5, 3), float(number), np.float32)
        rec.set_time("frame", sequence=number)
        rec.log("p", rr.Points3D(values.copy()))


@case()
def reserved_looking_names(rr: Any, rec: Any) -> None:
    rec.log("log_time", rr.Scalars(1.0))
    rec.log("properties", rr.AnyValues(some_entity_path="x"))
    rec.log(["a:b"], rr.Scalars(2.0))
