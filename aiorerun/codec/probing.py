"""Whether compressing would gain something: samples of a message, and what its source is known for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from aiorerun.codec.cache import GenerationCache

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from aiorerun.codec.chunk_template import Segment

MIN_GAIN: Final = 0.015
_PROBED: Final = 4 << 10
"""Pieces from this size on are probed."""
_ROWS: Final = 8
"""About so many of the pieces that rows logged are probed."""
_SAMPLE: Final = 2 << 10
_SAMPLES: Final = 8
_WINDOW: Final = 64 << 10
"""As far back as LZ4 sees. One sample is that long, to find what repeats at a distance (image rows)."""

_MAX_PASSED: Final = 7
"""After so many messages that were not probed, one is."""
_SOURCES: Final = 256

_codec: Final = pa.Codec("lz4_raw")


class Habits:
    """What the large messages of sources were like so far, so that not each of them has to be probed.

    What a camera or a laser scanner sends shrinks, or does not, for as long as it runs. Probing takes a
    tenth of all the work for an image, since it gives the interpreter lock away and has to wait for it.
    """

    def __init__(self) -> None:
        self._known: GenerationCache[Hashable, _Habit] = GenerationCache(_SOURCES)

    def expects_nothing(self, source: Hashable) -> bool:
        """Whether the next message of a source is taken for one that does not shrink, like those before."""
        habit = self._known.get(source)
        if habit is None or not habit.left:
            return False
        habit.left -= 1
        return True

    def note(self, source: Hashable, *, gained: bool) -> None:
        """A message was probed. The longer nothing was gained, the more are passed on without."""
        habit = self._known.get(source)
        if habit is None:
            if gained:
                return
            habit = _Habit()
            self._known.put(source, habit)
        habit.passed = habit.left = 0 if gained else min(2 * habit.passed + 1, _MAX_PASSED)


class _Habit:
    """Of one source.

    Attributes:
        passed: How many messages are passed on between two that are probed.
        left: How many of them are still to come.
    """

    __slots__ = ("left", "passed")

    def __init__(self) -> None:
        self.passed = self.left = 0


def is_worth_compressing(segments: Sequence[Segment]) -> bool:
    """Whether samples of the bytes promise that compressing makes them smaller by 1.5 % or more."""
    wanted = sum(map(len, segments)) * MIN_GAIN
    gain = 0.0
    rows: list[Segment] = []
    for segment in segments:
        size = len(segment)
        if size < _PROBED:
            # Tables, offsets and names, which shrink to about a half.
            gain += size / 2
        elif size < _WINDOW and segment is not segments[0]:
            rows.append(segment)
        else:
            gain += size * sampled_gain(segment)
        if gain >= wanted:
            return True
    if not rows:
        return False
    # Pieces of middling size behind the head are what rows logged, much alike: to probe all of them would be
    # to compress everything.
    probed = rows[:: len(rows) // _ROWS + 1]
    share = sum(map(len, probed)) / sum(map(len, rows))
    for segment in probed:
        gain += len(segment) * sampled_gain(segment) / share
        if gain >= wanted:
            return True
    return gain + _gain_side_by_side(rows) >= wanted


def _gain_side_by_side(segments: Sequence[Segment]) -> float:
    """How many bytes are gained by what repeats from one piece to the next, such as rows of like points."""
    if len(segments) < 2:
        return 0.0
    window: list[Segment] = []
    size = 0
    for segment in segments[len(segments) // 2 :]:
        window.append(segment)
        size += len(segment)
        if size >= _WINDOW:
            break
    return _gain(b"".join(window)) * sum(map(len, segments))


def sampled_gain(data: Segment) -> float:
    """By which part of its size compressing would shrink a piece, about."""
    size = len(data)
    if size <= _SAMPLE * _SAMPLES:
        return _gain(data)
    view = memoryview(data)
    start = (size - _WINDOW) // 2 if size > _WINDOW else 0
    gain = _gain(view[start : start + _WINDOW])
    if gain >= MIN_GAIN or size <= _WINDOW:
        return gain
    distance = (size - _SAMPLE) // (_SAMPLES - 1)
    samples = [view[position * distance :][:_SAMPLE] for position in range(_SAMPLES)]
    # In one go: each call gives the interpreter lock away, and with a busy event loop waits to get it back.
    return max(gain, _gain(b"".join(samples)))


def _gain(data: Segment) -> float:
    return max(0.0, 1 - len(_codec.compress(data, asbytes=True)) / len(data))
