from __future__ import annotations

import numpy as np

from aiorerun.demo.history import History


def test_picture_has_a_band_per_value_and_scrolls_to_the_left() -> None:
    history = History(bands=2, width=4)
    empty = history.picture()
    for load in (0.0, 50.0, 100.0):
        history.add([load, 0.0])

    picture = history.picture()

    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 24, 4, 3)
    assert (picture[24:] == empty[24:]).all()
    assert (picture[:24, :2] == empty[:24, :2]).all()
    # Hotter is redder, and all rows of a band are alike.
    assert picture[0, 1, 0] < picture[0, 2, 0]
    assert picture[0, 2, 2] > picture[0, 3, 2]
    assert (picture[:24] == picture[:1]).all()


def test_old_columns_leave_and_odd_loads_are_bounded() -> None:
    history = History(bands=1, width=2)
    for load in (300.0, -5.0, 100.0):
        history.add([load])
    history.add([])

    picture = history.picture()

    assert (picture[0, 0] != picture[0, 1]).any()
    assert picture[0, 0].tolist() == [230, 50, 40]
    assert picture[0, 1].tolist() == [13, 17, 38]


def test_many_cores_stay_a_small_picture() -> None:
    assert History(bands=257).picture().shape == (257, 240, 3)
