"""The replay buffer against a model that does everything the slow way."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from aiorerun.server.entries import Entry, Queue
from aiorerun.server.history import Replay, ReplayBuffer
from tests.unit.server.peers import entry


class _Model:
    """Lists, as the description of the buffer has it."""

    def __init__(self, limit: int | None, *, newest_first: bool) -> None:
        self.limit = limit
        self.step = -1 if newest_first else 1
        self.kept: list[Entry] = []

    def add(self, made: Entry) -> None:
        if self.limit == 0:
            return
        while self.limit is not None and sum(old.size for old in self.kept) >= self.limit:
            old = next((old for old in self.kept if old.queue in (Queue.DISPOSABLE, Queue.TABLE)), None)
            if old is None:
                break
            self.kept.remove(old)
        self.kept.append(made)

    def _of(self, queue: Queue) -> list[Entry]:
        return [made for made in self.kept if made.queue is queue]

    def messages(self) -> list[Entry]:
        return [
            *self._of(Queue.PERSISTENT),
            *self._of(Queue.STATIC)[:: self.step],
            *self._of(Queue.DISPOSABLE)[:: self.step],
        ]

    def tables(self) -> list[Entry]:
        return self._of(Queue.TABLE)[:: self.step]


def _all(replay: Replay) -> list[Entry]:
    taken: list[Entry] = []
    while replay:
        taken.append(replay.take())
    return taken


@settings(max_examples=200)
@given(
    st.one_of(st.none(), st.integers(0, 3000)),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(Queue), st.integers(1, 900)), max_size=60),
    st.integers(0, 60),
)
def test_as_described(
    limit: int | None, newest_first: bool, messages: list[tuple[Queue, int]], middle: int
) -> None:
    buffer, model = ReplayBuffer(limit, newest_first=newest_first), _Model(limit, newest_first=newest_first)
    early: tuple[Replay, list[Entry]] | None = None
    for number, (queue, size) in enumerate(messages):
        if number == middle:
            early = buffer.replay(), model.messages()
        made = entry(queue, size)
        buffer.add(made)
        model.add(made)
        assert buffer.nbytes == sum(old.size for old in model.kept)
        assert len(buffer) == len(model.kept)
    assert _all(buffer.replay()) == model.messages()
    assert _all(buffer.replay_tables()) == model.tables()
    if early is not None:
        replay, expected = early
        assert replay.nbytes == sum(old.size for old in expected)
        assert _all(replay) == expected
