"""Recordings cut off anywhere: what is recovered passes the official program, nothing complete is missing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

import aiorerun.sync as rr
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MessageKind
from aiorerun.files.recover import recover
from aiorerun.files.verify import verify
from tests.faults.big_file import write
from tests.reading import assert_verified
from tests.unit.files.making import payloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

_FILES_PER_CALL = 200


def recording(path: Path) -> bytes:
    """A file with small and large messages of several recordings and a blueprint, from two streams."""
    write(str(path), 1)
    rec = rr.RecordingStream("rerun_example_second", recording_id="second")
    rec.save(path.with_suffix(".second"), default_blueprint=rr.blueprint.Blueprint())
    for frame in range(40):
        rec.set_time("frame", sequence=frame)
        rec.log(f"e/{frame % 4}", rr.Scalars(frame))
        rec.flush()
    rec.disconnect()
    return path.read_bytes() + path.with_suffix(".second").read_bytes()


@pytest.mark.timeout(1800)
def test_random_cuts_are_recovered(tmp_path: Path, sized: Sized) -> None:
    data = recording(tmp_path / "whole.bin")
    messages = [
        (raw.kind, bytes(raw.payload), raw.offset + len(raw.payload))
        for raw in iter_messages(data)
        if raw.kind is not MessageKind.END
    ]
    chooser = random.Random(7)
    # Most bytes are in a few large messages; places near the small ones are chosen as often.
    ends = [end for *_, end in messages]
    cuts = [
        chooser.randrange(12, len(data))
        if number % 2
        else min(chooser.choice(ends) + chooser.randrange(-40, 40), len(data))
        for number in range(sized(60, 1000))
    ]
    outputs: list[Path] = []
    for number, cut in enumerate(cuts):
        path = tmp_path / "cut.bin"
        path.write_bytes(data[:cut])
        output = tmp_path / f"{number}.rrd"
        outcome = recover(path, output)
        expected = [(kind, payload) for kind, payload, end in messages if end <= cut]
        assert payloads(output.read_bytes()) == expected, cut
        assert outcome.messages == len(expected)
        outputs.append(output)
    for start in range(0, len(outputs), _FILES_PER_CALL):
        assert_verified(outputs[start : start + _FILES_PER_CALL])
    for output in outputs[::20]:
        assert verify(output, print).problems == 0
    for output in outputs:
        # They were verified already.
        output.unlink()


def test_random_damage_is_survived(tmp_path: Path, sized: Sized) -> None:
    data = recording(tmp_path / "whole.bin")
    chooser = random.Random(10)
    outputs: list[Path] = []
    kept_of = 0
    whole = payloads(data)
    for number in range(sized(20, 300)):
        damaged = bytearray(data)
        for _ in range(chooser.randint(1, 3)):
            start = chooser.randrange(12, len(data))
            length = chooser.choice((1, 8, 100, 5000))
            damaged[start : start + length] = chooser.randbytes(len(damaged[start : start + length]))
        path = tmp_path / "damaged.bin"
        path.write_bytes(bytes(damaged))
        output = tmp_path / f"{number}.rrd"
        recover(path, output)
        outputs.append(output)
        # Three places hit at most; the other messages are there. Damage within numbers is not noticed.
        kept = set(payloads(output.read_bytes()))
        kept_of = sum(each in kept for each in whole)
        assert kept_of >= len(whole) - 3 - 3 * 8
    for start in range(0, len(outputs), _FILES_PER_CALL):
        assert_verified(outputs[start : start + _FILES_PER_CALL])
    for output in outputs:
        output.unlink()
