"""Store ids: normal form of application ids, derived recording ids."""

from __future__ import annotations

import subprocess
import sys
import uuid
import warnings

import pytest

from aiorerun.errors import RerunWarning
from aiorerun.types.store import (
    StoreId,
    StoreKind,
    _chacha12_block,
    _expand_seed,
    _siphash13,
    normal_application_id,
    normalize_application_id,
    process_recording_id,
    random_blueprint_id,
)

MIGRATED = [
    ("my.app/x", "my-app-x6819"),
    ("a.b", "a-bed56"),
    (".", "-8008"),
    ("héllo", "h-llobbe4"),
    ("a" * 200, "a" * 176 + "ebbe"),
]


@pytest.mark.parametrize(("given", "normal"), MIGRATED)
def test_other_application_ids_are_migrated_with_a_warning(given: str, normal: str) -> None:
    with pytest.warns(RerunWarning, match="is written as"):
        assert normalize_application_id(given) == normal
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert normal_application_id(given) == normal
        assert normalize_application_id(normal) == normal


@pytest.mark.parametrize("given", ["a", "rerun_example_x", "A-b c[1]:d_9", "a" * 180])
def test_normal_application_ids_stay(given: str) -> None:
    assert normalize_application_id(given) == given


def test_an_application_id_with_a_line_break_at_its_end_is_migrated() -> None:
    assert normal_application_id("app\n").startswith("app-")


def test_an_empty_application_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        normalize_application_id("")


def test_the_recording_id_follows_from_the_authkey_and_the_application() -> None:
    assert process_recording_id("glob_app", bytes(range(32))) == "02f41c2ff846400bbe443a0c0213ef21"
    assert process_recording_id("other", bytes(range(32))) != "02f41c2ff846400bbe443a0c0213ef21"


def test_the_steps_of_the_recording_id() -> None:
    data = (
        (32).to_bytes(8, "little")
        + bytes(range(32))
        + (0xAB12CD34EF560178).to_bytes(8, "little")
        + b"glob_app\xff"
    )
    seed = _siphash13(data)
    assert seed == 0xE4D1E4681EA1F5AB
    key = b"".join(word.to_bytes(4, "little") for word in _expand_seed(seed))
    assert key.hex() == "80c25c800ad11dc0e2d92281095b2d78814e95f40e775db14b7b8845f2a648b9"


def test_chacha_with_twelve_rounds_and_a_zero_key() -> None:
    # The first block of the keystream that the authors of the cipher's test vectors give for this case.
    words = _chacha12_block((0,) * 8)
    stream = b"".join(word.to_bytes(4, "little") for word in words)
    assert stream.hex().startswith("9bf49a6a0755f953811fce125f2683d50429c3bb49e074147e0089a52eae155f")


def test_the_id_is_a_random_uuid_and_stable_in_a_process() -> None:
    made = process_recording_id("app")
    assert uuid.UUID(hex=made).version == 4
    assert uuid.UUID(hex=made).variant == uuid.RFC_4122
    assert process_recording_id("app") == made


def test_the_official_sdk_derives_the_same_recording_id() -> None:
    script = (
        "import multiprocessing, rerun\n"
        "multiprocessing.current_process().authkey = bytes(range(32))\n"
        "rerun.init('glob_app')\n"
        "print(rerun.get_recording_id())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == process_recording_id("glob_app", bytes(range(32)))


def test_blueprint_ids_are_fresh() -> None:
    one, other = random_blueprint_id(), random_blueprint_id()
    assert one != other
    assert one.startswith("rec_")
    assert len(one) == 36


def test_store_ids_compare_by_value() -> None:
    assert StoreId(StoreKind.RECORDING, "a", "b") == StoreId(StoreKind.RECORDING, "a", "b")
    assert StoreId(StoreKind.RECORDING, "a", "b") != StoreId(StoreKind.BLUEPRINT, "a", "b")
