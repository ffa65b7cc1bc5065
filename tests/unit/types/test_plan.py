"""Plans: whatever a quick way of capturing expects, the row is the one of the careful way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import errors
from aiorerun.types.encoding import ARRAY, FIXED, RAW

POSE = (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0)


def shapes(entity: Any) -> list[int]:
    return [spec.shape for spec in entity._row[0].columns]


def careful(archetype: type[Any], **values: Any) -> Any:
    new: Any = object.__new__(archetype)
    new._row = new._capture_each(tuple([values.get(field.name) for field in archetype.FIELDS]))
    return new


@pytest.mark.parametrize("kind", [list, tuple, np.array])
@pytest.mark.parametrize("other", [{}, {"scale": (1.0, 1.0, 2.0)}, {"child_frame": "arm"}])
def test_poses_of_all_kinds_are_equal(kind: Any, other: dict[str, Any]) -> None:
    translation, quaternion = POSE
    quick = rr.Transform3D(translation=kind(translation), quaternion=kind(quaternion), **other)
    expected = careful(rr.Transform3D, translation=translation, quaternion=quaternion, **other)
    assert quick == expected
    assert quick._row == expected._row


@pytest.mark.parametrize(
    ("translation", "quaternion"),
    [([1, 2], [0, 0, 0, 1]), ([1, 2, 3, 4], [0, 0, 1]), ([1, 2, 3], [0, 0, 0, "w"]), ([1, 2, "x"], [0] * 4)],
)
def test_numbers_of_one_vector_never_slip_into_another(translation: Any, quaternion: Any) -> None:
    with (
        errors.strict_scope(True),
        pytest.raises((ValueError, TypeError, OverflowError), match="translation|quaternion"),
    ):
        rr.Transform3D(translation=translation, quaternion=quaternion)


def test_one_and_many_vectors_take_turns() -> None:
    for _ in range(3):
        assert shapes(rr.Points3D([1.0, 2.0, 3.0])) == [FIXED]
        assert shapes(rr.Points3D([[1.0, 2.0, 3.0]])) == [ARRAY]
        assert shapes(rr.Arrows3D(vectors=[1, 2, 3], origins=[0, 0, 0])) == [FIXED, FIXED]
        assert shapes(rr.Arrows3D(vectors=[[1, 2, 3]] * 2, origins=[0, 0, 0])) == [ARRAY, FIXED]
        assert (
            shapes(rr.Boxes3D(half_sizes=[1, 2, 3], centers=[0] * 3, quaternions=[0, 0, 0, 1])) == [FIXED] * 3
        )
    many = rr.Arrows3D(vectors=[[1, 2, 3]] * 2, origins=[0, 0, 0])
    assert many == careful(rr.Arrows3D, vectors=[[1, 2, 3]] * 2, origins=[0, 0, 0])


def test_a_pose_that_cannot_be_packed_is_cleared_where_errors_are_warnings() -> None:
    with errors.strict_scope(False), pytest.warns(rr.RerunWarning, match="translation"):
        pose = rr.Transform3D(translation=[1, 2], quaternion=[0, 0, 0, 1])
    assert pose.translation is not None
    assert len(pose.translation.as_arrow_array()) == 0


@pytest.mark.parametrize(
    "value", [[1.5, 2.0], (1, 2), ["a", "b"], np.arange(3, dtype=">f8"), np.arange(4)[::2]]
)
def test_sequences_of_any_values_are_captured_alike_by_the_first_call_and_by_the_next(value: Any) -> None:
    name = f"plan_{type(value).__name__}_{len(value)}_{value[0]!r}"
    first, second = (rr.AnyValues(**{name: value}) for _ in range(2))
    wanted = value.tolist() if isinstance(value, np.ndarray) else list(value)
    for entity in (first, second):
        (batch,) = entity.as_component_batches()
        assert batch.as_arrow_array().to_pylist() == wanted


def test_sequences_of_other_items_are_still_looked_at() -> None:
    rr.AnyValues(plan_mixed=[1.0, 2.0])
    (batch,) = rr.AnyValues(plan_mixed=[]).as_component_batches()
    assert batch.as_arrow_array().to_pylist() == []
    (batch,) = rr.AnyValues(plan_mixed=[1.0, None]).as_component_batches()
    assert batch.as_arrow_array().to_pylist() == [1.0, None]
    with pytest.warns(rr.RerunWarning, match="converted"):
        (batch,) = rr.AnyValues(plan_mixed=[1, 2]).as_component_batches()
    assert batch.as_arrow_array().to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize("count", [0, 1, 5, 5000])
def test_arrays_of_rows_are_kept_as_bytes(count: int) -> None:
    points = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    colors = np.arange(count, dtype=np.uint32)
    quick: Any = rr.Points3D(points, radii=points[:, 0], colors=colors)
    assert shapes(quick) == [RAW] * 3
    expected = careful(rr.Points3D, positions=points, radii=points[:, 0], colors=colors)
    assert quick == expected
    assert len(quick.positions) == len(quick.radii) == len(quick.colors) == count
    assert rr.Points3D(quick.positions, radii=quick.radii, colors=quick.colors) == expected


@pytest.mark.parametrize("count", [4, 5000])
def test_what_happens_to_an_array_later_changes_no_row(count: int) -> None:
    points = np.ones((count, 3), np.float32)
    colors, radii = np.full((count, 4), 7, np.uint8), np.ones(count, np.float32)
    rows: list[Any] = [
        rr.Points3D(points, colors=colors, radii=radii),
        rr.Points3D(points[::-1], colors=colors[:, ::-1], radii=radii[::-1]),
    ]
    for array in (points, colors, radii):
        array[:] = 0
    for row in rows:
        assert row.positions.as_arrow_array().to_pylist() == [[1.0] * 3] * count
        assert row.radii.as_arrow_array().to_pylist() == [1.0] * count
        assert row.colors.as_arrow_array().to_pylist() == [0x07070707] * count


@pytest.mark.parametrize(
    "positions",
    [
        np.ones((4, 3), ">f4"),
        np.ones((4, 3), np.float64),
        np.ones(12, np.float32),
        np.ones((4, 3, 1), np.float32)[..., 0],
        np.ones((1, 4, 3), np.float32),
        np.ma.masked_array(np.ones((4, 3), np.float32)),
    ],
)
def test_arrays_of_other_kinds_are_converted(positions: Any) -> None:
    points: Any = rr.Points3D(positions)
    assert points.positions.as_arrow_array().to_pylist() == [[1.0] * 3] * 4


def test_directions_and_matrices_in_arrays_are_not_taken_as_they_are() -> None:
    with errors.strict_scope(True), pytest.raises(ValueError, match="xyz"):
        rr.ViewCoordinates(xyz=np.array([[9, 9, 9]], np.uint8))
    matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
    shown: Any = rr.Transform3D(mat3x3=matrix).mat3x3
    assert shown.as_arrow_array().to_pylist() == [matrix.T.ravel().tolist()]
