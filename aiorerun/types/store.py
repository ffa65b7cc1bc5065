"""Stores: the name of a recording or a blueprint, and where default names come from."""

from __future__ import annotations

import re
import struct
import warnings
from enum import IntEnum
from typing import Final, NamedTuple

from aiorerun.errors import RerunWarning, caller_stacklevel

_MAX_APPLICATION_ID: Final = 180
_NORMAL_APPLICATION_ID: Final = re.compile(rf"[A-Za-z0-9_\- \[\]:]{{1,{_MAX_APPLICATION_ID}}}", re.ASCII)
_FOREIGN_CHARACTER: Final = re.compile(r"[^A-Za-z0-9_\- \[\]:]")
_HASH_DIGITS: Final = 4

_MASK_32: Final = 0xFFFF_FFFF
_MASK_64: Final = 0xFFFF_FFFF_FFFF_FFFF
_RECORDING_SALT: Final = 0xAB12CD34EF560178


class StoreKind(IntEnum):
    """What a store holds."""

    RECORDING = 1
    BLUEPRINT = 2


class StoreId(NamedTuple):
    """The name of one recording or blueprint.

    Attributes:
        kind: What it holds.
        application_id: The program it belongs to, in normal form.
        recording_id: Tells the recordings of a program apart.
    """

    kind: StoreKind
    application_id: str
    recording_id: str


def normal_application_id(application_id: str) -> str:
    """The normal form of an application id: the id itself if it has only permitted characters.

    Otherwise each other character becomes ``-``, and four digits of a hash tell such ids apart.
    """
    if _NORMAL_APPLICATION_ID.fullmatch(application_id) or not application_id:
        return application_id
    import xxhash

    kept = application_id[: _MAX_APPLICATION_ID - _HASH_DIGITS]
    digest = xxhash.xxh64_intdigest(application_id.encode("utf-8", "surrogatepass"), seed=0)
    return f"{_FOREIGN_CHARACTER.sub('-', kept)}{digest & 0xFFFF:04x}"


def normalize_application_id(application_id: str) -> str:
    """The normal form of an application id given by a user; warns when it is another one.

    Raises:
        ValueError: It is empty.
    """
    if not application_id:
        raise ValueError("the application id must not be empty")
    normal = normal_application_id(application_id)
    if normal != application_id:
        warnings.warn(
            f"application id {application_id!r} is written as {normal!r}: it may have up to "
            f"{_MAX_APPLICATION_ID} ASCII letters, digits, spaces and any of _-[]:",
            RerunWarning,
            stacklevel=caller_stacklevel(),
        )
    return normal


def random_blueprint_id() -> str:
    """A new id for a blueprint."""
    import uuid

    return f"rec_{uuid.uuid4().hex}"


def process_recording_id(application_id: str, authkey: bytes | None = None) -> str:
    """The recording id that a program and the processes it spawns share.

    Args:
        application_id: In normal form.
        authkey: The secret that ``multiprocessing`` hands down to children; by default this process's.
    """
    if authkey is None:
        from multiprocessing import process

        authkey = bytes(process.current_process().authkey)
    seed = _siphash13(
        struct.pack("<Q", len(authkey))
        + authkey
        + struct.pack("<Q", _RECORDING_SALT)
        + application_id.encode("utf-8", "surrogatepass")
        + b"\xff"
    )
    words = _chacha12_block(_expand_seed(seed))
    raw = bytearray(word & 0xFF for word in words)
    # Version and variant of a random UUID.
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def _rotate(value: int, by: int, bits: int) -> int:
    return (value << by | value >> (bits - by)) & ((1 << bits) - 1)


class _SipState:
    """The four words of SipHash."""

    __slots__ = ("v0", "v1", "v2", "v3")

    def __init__(self) -> None:
        # The key is zero, so these are the plain constants of the algorithm.
        self.v0 = 0x736F6D6570736575
        self.v1 = 0x646F72616E646F6D
        self.v2 = 0x6C7967656E657261
        self.v3 = 0x7465646279746573

    def mix(self, word: int) -> None:
        """Takes in a word, with one round."""
        self.v3 ^= word
        self.round()
        self.v0 ^= word

    def round(self) -> None:
        """One round."""
        v0 = (self.v0 + self.v1) & _MASK_64
        v1 = _rotate(self.v1, 13, 64) ^ v0
        v0 = _rotate(v0, 32, 64)
        v2 = (self.v2 + self.v3) & _MASK_64
        v3 = _rotate(self.v3, 16, 64) ^ v2
        v0 = (v0 + v3) & _MASK_64
        v3 = _rotate(v3, 21, 64) ^ v0
        v2 = (v2 + v1) & _MASK_64
        v1 = _rotate(v1, 17, 64) ^ v2
        self.v0, self.v1, self.v2, self.v3 = v0, v1, _rotate(v2, 32, 64), v3


def _siphash13(data: bytes) -> int:
    """SipHash with one compression and three final rounds, key zero."""
    state = _SipState()
    whole = len(data) & ~7
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        state.mix(word)
    state.mix(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    state.v2 ^= 0xFF
    for _ in range(3):
        state.round()
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3


def _expand_seed(seed: int) -> tuple[int, ...]:
    """Eight words of key from a 64-bit seed, by a permuted congruential generator."""
    words: list[int] = []
    for _ in range(8):
        seed = (seed * 6364136223846793005 + 11634580027462260723) & _MASK_64
        mixed = ((seed >> 18 ^ seed) >> 27) & _MASK_32
        words.append(_rotate(mixed, -(seed >> 59) % 32, 32))
    return tuple(words)


def _chacha12_block(key: tuple[int, ...]) -> list[int]:
    """The first block of ChaCha with twelve rounds: counter and nonce are zero."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, 0, 0, 0, 0]
    words = start[:]
    for _ in range(6):
        for column in range(4):
            _quarter_round(words, column, 4 + column, 8 + column, 12 + column)
        for row in range(4):
            _quarter_round(words, row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
    return [(before + after) & _MASK_32 for before, after in zip(start, words, strict=True)]


def _quarter_round(words: list[int], a: int, b: int, c: int, d: int) -> None:
    for target, source, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        words[target] = (words[target] + words[source]) & _MASK_32
        words[turned] = _rotate(words[turned] ^ words[target], by, 32)
