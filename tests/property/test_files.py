"""Whatever is recorded: recovered, merged, split and described, it stays the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings, strategies as st

from aiorerun.codec.batch_index import batch_index
from aiorerun.codec.chunk_arrow import encode_reference, to_record_batch
from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.errors import RrdError
from aiorerun.codec.messages import chunk_message
from aiorerun.codec.quick_index import QuickIndexer
from aiorerun.files.merge import merge
from aiorerun.files.recover import recover
from aiorerun.files.split import split_by_size
from aiorerun.files.split_time import Every, split_by_time
from aiorerun.files.summary import summarize
from aiorerun.files.verify import verify
from tests.property.test_reading import STORES, chunks
from tests.reading import rows_of
from tests.unit.codec.building import messages_of, stream_of
from tests.unit.files.making import chunk_payloads, payloads

if TYPE_CHECKING:
    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.chunk import Chunk

RECORDINGS = st.lists(st.tuples(st.sampled_from(STORES), chunks()), min_size=1, max_size=8)


def stream(made: list[tuple[object, Chunk]]) -> bytes:
    """A stream of chunks of several stores in any order."""
    messages: list[Message] = []
    for store in STORES:
        messages += messages_of(store=store)
    messages += [chunk_message(store, each) for store, each in made]  # type: ignore[arg-type]
    return stream_of(messages)


def problems_of(path: Path) -> list[str]:
    """What is wrong with a file."""
    problems: list[str] = []
    verify(path, lambda note: problems.append(note.text))
    return problems


@given(chunks(), chunks())
def test_chunks_are_described_as_their_writer_did(first: Chunk, second: Chunk) -> None:
    quick = QuickIndexer()
    for each in (first, second, first):
        data = encode_reference(each)
        batch = to_record_batch(each)
        facts = chunk_facts(batch)
        expected = chunk_message(STORES[0], each).index
        assert expected is not None
        size = int.from_bytes(expected.record[24:32], "little")
        assert batch_index(batch, facts, size) == expected
        found = quick.describe(data, size)
        assert found is None or found.listed == expected
        quick.learn(data, batch, facts)


@settings(max_examples=40)
@given(RECORDINGS, st.data())
def test_cut_anywhere_and_recovered(made: list[tuple[object, Chunk]], data: st.DataObject) -> None:
    whole = stream(made)
    # Not limited by the length, which is another one when the same is made again: ids hold the time.
    cut = 12 + data.draw(st.integers(0, 1 << 30)) % (len(whole) - 11)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cut.bin").write_bytes(whole[:cut])
        recover(folder / "cut.bin", folder / "out.bin")
        assert payloads((folder / "out.bin").read_bytes()) == payloads(whole[:cut])
        assert problems_of(folder / "out.bin") == []


# Each example writes up to a file per row, twice.
@settings(max_examples=15)
@given(RECORDINGS, st.integers(1, 20_000), st.integers(1, 1 << 62))
def test_split_and_merged(made: list[tuple[object, Chunk]], size: int, every: int) -> None:
    whole = stream(made)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "whole.bin").write_bytes(whole)
        parts = split_by_size(folder / "whole.bin", folder / "sized", size)
        merge([part.path for part in parts], folder / "again.bin")
        assert sorted(chunk_payloads((folder / "again.bin").read_bytes())) == sorted(chunk_payloads(whole))
        try:
            parts = split_by_time(folder / "whole.bin", folder / "timed", "frame", lambda kind: Every(every))
        except RrdError:
            # No row of a recording is on that timeline.
            return
        merge([part.path for part in parts], folder / "again.bin", force=True)
        before, after = rows_of(folder / "whole.bin"), rows_of(folder / "again.bin")
        assert sorted(map(repr, before)) == sorted(map(repr, after))
        for part in parts:
            assert problems_of(part.path) == []


@settings(max_examples=40)
@given(RECORDINGS)
def test_footers_and_contents_say_the_same(made: list[tuple[object, Chunk]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "whole.bin"
        path.write_bytes(stream(made))
        found, scanned = summarize(path), summarize(path, use_footer=False)
        assert found.is_by_footer
        key = {each.store: each for each in scanned.recordings}
        assert {each.store: each for each in found.recordings} == key
