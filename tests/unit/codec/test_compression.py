"""When messages are compressed, and that nothing is lost by it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec.compression import LZ4, NONE, compress, decompress
from aiorerun.codec.errors import RrdError
from aiorerun.codec.probing import is_worth_compressing

RANDOM = np.random.default_rng(1)


def noise(size: int) -> bytes:
    return RANDOM.bytes(size)


def compressed(*segments: bytes | memoryview) -> tuple[bytes, int]:
    """What :func:`compress` makes of a message, checked for what must always hold."""
    whole = b"".join(segments)
    payload, nbytes, compression = compress(segments, len(whole))
    data = b"".join(payload)
    assert len(data) == nbytes
    assert bytes(decompress(data, compression, len(whole))) == whole
    return data, compression


@pytest.mark.parametrize("size", [1000, 30_000, 100_000, 1_000_000])
def test_what_repeats_is_compressed(size: int) -> None:
    data, compression = compressed(bytes(500), b"abc" * (size // 3))
    assert compression == LZ4
    assert len(data) < size / 20


@pytest.mark.parametrize("size", [1000, 30_000, 100_000, 1_000_000])
def test_noise_is_passed_on_without_a_copy(size: int) -> None:
    segment = noise(size)
    payload, nbytes, compression = compress((segment,), size)
    assert (nbytes, compression) == (size, NONE)
    assert payload[0] is segment


def test_small_parts_around_noise_do_not_matter() -> None:
    segments = (bytes(1500), noise(1_000_000), bytes(300))
    payload, nbytes, compression = compress(segments, sum(map(len, segments)))
    assert compression == NONE
    assert list(payload) == list(segments)
    assert nbytes == 1_001_800


def test_one_compressible_part_among_noise_is_enough() -> None:
    data, compression = compressed(bytes(1500), noise(1_000_000), bytes(50_000))
    assert compression == LZ4
    assert len(data) < 1_010_000


@pytest.mark.parametrize("period", [100, 1920, 7680, 30_000])
def test_noise_that_repeats_at_a_distance_is_noticed(period: int) -> None:
    # Such as the rows of a synthetic image: no short sample shows it.
    data, compression = compressed(noise(period) * (2_000_000 // period))
    assert compression == LZ4
    assert len(data) < 100_000


@pytest.mark.parametrize("part", [0, 1, 2, 3, 4])
def test_a_compressible_stretch_anywhere_is_noticed(part: int) -> None:
    stretches = [noise(400_000) for _ in range(5)]
    stretches[part] = bytes(400_000)
    assert is_worth_compressing([b"".join(stretches)])


def test_the_estimate_errs_by_little() -> None:
    # Never more than 2 % over what always compressing would give.
    for share in (0.0, 0.005, 0.01, 0.02, 0.05, 0.3):
        quiet = int(1_000_000 * share)
        segments = (bytes(quiet), noise(1_000_000 - quiet))
        _, nbytes, _ = compress(segments, 1_000_000)
        always = 1_000_000 - quiet
        assert nbytes <= always * 1.02


def test_many_pieces_of_all_sizes() -> None:
    sizes = [1, 10, 4096, 70_000, 3, 20_000, 200_000]
    compressed(*(bytes([size % 251]) * size for size in sizes))
    compressed(*(noise(size) for size in sizes))


def test_what_was_compressed_before_does_not_shine_through() -> None:
    for size in (300_000, 20_000, 2_000_000, 17_000, 150_000):
        compressed(b"x" * (size // 2), bytes(size // 2))
        compressed(noise(size // 4), bytes(size))


def test_damaged_data() -> None:
    data, compression = compressed(bytes(1000))
    for damaged in (data[:-3], b"\xff" * 20):
        with pytest.raises(RrdError, match="cannot be decompressed"):
            decompress(damaged, compression, 1000)
    with pytest.raises(RrdError, match="claims to have 1000 bytes in 0"):
        decompress(b"", compression, 1000)
    with pytest.raises(RrdError, match="claims to have 1000 bytes"):
        decompress(data, compression, 1000, max_bytes=999)
    with pytest.raises(RrdError, match="cannot be decompressed"):
        decompress(data, compression, 500)
    with pytest.raises(RrdError, match="unknown compression 3"):
        decompress(data, 3, 1000)


def test_no_compression_has_two_names() -> None:
    assert decompress(b"abc", 0, 0) == decompress(b"abc", NONE, 3) == b"abc"


def test_a_size_that_is_too_large_is_tolerated() -> None:
    data, compression = compressed(b"a" * 1000)
    assert bytes(decompress(data, compression, 1100))[:1000] == b"a" * 1000


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_column_that_shrinks_is_found_among_the_pieces_of_rows(place: int) -> None:
    columns = [[memoryview(noise(12_000)) for _ in range(40)] for _ in range(3)]
    assert compress([piece for column in columns for piece in column], 40 * 3 * 12_000)[2] == NONE
    columns[place] = [memoryview(bytes(6_000) + noise(6_000)) for _ in range(40)]
    _, compression = compressed(*(piece for column in columns for piece in column))
    assert compression == LZ4


def test_a_table_among_the_pieces_of_rows_does_not_stand_for_them() -> None:
    pieces: list[bytes | memoryview] = [bytes(6_000), *(memoryview(noise(12_000)) for _ in range(80))]
    payload, _, compression = compress(pieces, sum(map(len, pieces)))
    assert compression == NONE
    assert payload is pieces


@pytest.mark.parametrize("pieces", [1, 4])
def test_messages_of_usual_size_do_not_wait_in_the_memory_of_arrow(pieces: int) -> None:
    # Its pool would keep tens of megabytes of pages, and more and more, if many of them come and go.
    size = 300_000
    segments = [bytes(size // pieces)] * pieces
    before = pa.total_allocated_bytes()
    payload, _, compression = compress(segments, size)
    assert compression == LZ4
    assert pa.total_allocated_bytes() == before
    assert payload
