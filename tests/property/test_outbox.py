"""Whatever breaks when: each row that counts as written is confirmed, arrives again, or counts as lost."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message, chunk_message
from aiorerun.sinks.grpc import spill as spill_module
from aiorerun.sinks.grpc.outbox import ENTRY_BYTES
from aiorerun.sinks.grpc.spill import SpillSupply
from aiorerun.sinks.grpc.supply import MemorySupply
from aiorerun.sinks.resident import Resident
from tests.unit.codec.building import STORE, scalar_chunk
from tests.unit.sinks.test_resident import static

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from aiorerun.net.logmsg import Framed

T = TypeVar("T")

TEMPLATES = [chunk_message(STORE, scalar_chunk("/a")), *(static(f"/static{number}") for number in range(3))]

contents = st.lists(st.sampled_from(range(len(TEMPLATES))), min_size=1, max_size=6)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")


class Losing(RuleBasedStateMachine):
    """A supply, and a server that forgets everything when the connection breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.resident = Resident(1 << 20, lambda text: None)
        self.written: dict[bytes, int] = {}
        self.confirmed: set[bytes] = set()
        self.server: list[bytes] = []
        self.order: list[bytes] = []
        self.lost = 0
        self.is_connected = False

    def lose(self, rows: int, reason: str) -> None:
        assert rows > 0
        self.lost += rows

    @property
    def supply(self) -> Any:
        raise NotImplementedError

    def write(self, messages: Sequence[Message]) -> None:
        raise NotImplementedError

    def make(self, kinds: Sequence[int]) -> list[Message]:
        messages = []
        for kind in kinds:
            number, template = next(self.numbers), TEMPLATES[kind]
            text = str(number).encode().rjust(40)
            # The number of rows tells every message from every other in what is counted.
            messages.append(Message(MessageKind.ARROW_MSG, (text,), len(text), number, template.index, STORE))
        return messages

    def receive(self, frames: Sequence[Framed]) -> None:
        for framed in frames:
            self.server.append(b"".join(bytes(segment) for segment in framed.segments)[-40:])

    def note(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.written[bytes(message.segments[0])] = message.rows
            self.order.append(bytes(message.segments[0]))

    def send(self, batches: int) -> None:
        while self.supply.has_waiting and batches:
            batch = run(self.supply.next(700))
            self.receive(batch.frames)
            self.supply.sent(batch)
            batches -= 1

    @rule(kinds=contents)
    def log(self, kinds: list[int]) -> None:
        self.write(self.make(kinds))

    @precondition(lambda self: not self.is_connected)
    @rule(batches=st.integers(0, 9))
    def connect(self, batches: int) -> None:
        self.is_connected = True
        self.server = []
        self.receive(self.supply.greet())
        self.send(batches)

    @precondition(lambda self: self.is_connected)
    @rule()
    def break_off(self) -> None:
        self.is_connected = False
        self.server = []
        self.supply.broke()

    @precondition(lambda self: self.is_connected)
    @rule()
    def confirm(self) -> None:
        self.send(1000)
        self.confirmed.update(self.server)
        run(self.supply.acknowledged())

    @precondition(lambda self: self.is_connected)
    @rule()
    def catch_up(self) -> None:
        self.send(1000)
        self.tell_losses()
        missing = {
            text: rows
            for text, rows in self.written.items()
            if text not in self.confirmed and text not in self.server
        }
        assert self.lost == sum(missing.values())

    @precondition(lambda self: self.is_connected)
    @rule()
    def check_order(self) -> None:
        self.send(1000)
        # What each connection gets beyond its greeting is in the order in which it was written.
        temporal = [text for text in self.server if text not in self.statics]
        assert temporal == [text for text in self.order if text in set(temporal)]

    @property
    def statics(self) -> set[bytes]:
        return {text for text in self.order if text in self._statics}

    _statics: set[bytes]

    def tell_losses(self) -> None: ...


class InMemory(Losing):
    @initialize(limit=st.sampled_from([0, 1200, 5000, 1 << 20]))
    def begin(self, limit: int) -> None:
        self._statics = set()
        self._supply = MemorySupply(self.resident, limit, self.lose)

    @property
    def supply(self) -> MemorySupply:
        return self._supply

    def write(self, messages: Sequence[Message]) -> None:
        """As the sink does: it waits for the connection, or takes everything back."""
        call = self._supply.put(messages)
        if not self.is_connected:
            self._supply.withdraw(call)
            return
        self.send(1000)
        self._supply.settle()
        self.note(messages)
        self._statics |= _static_texts(messages)

    @precondition(lambda self: self.is_connected)
    @rule(kinds=contents, batches=st.integers(0, 3))
    def break_off_while_writing(self, kinds: list[int], batches: int) -> None:
        call = self._supply.put(self.make(kinds))
        self.send(batches)
        self.break_off()
        self._supply.withdraw(call)

    @precondition(lambda self: self.is_connected)
    @rule(kinds=contents, batches=st.integers(0, 3))
    def come_back_while_writing(self, kinds: list[int], batches: int) -> None:
        messages = self.make(kinds)
        self._supply.put(messages)
        self.send(batches)
        self.break_off()
        self.connect(1)
        self.send(1000)
        self._supply.settle()
        self.note(messages)
        self._statics |= _static_texts(messages)

    @invariant()
    def counts(self) -> None:
        left = self._supply.unconfirmed()
        outbox = self._supply._outbox
        assert left.rows_sent == sum(rows for _, rows, _, _ in outbox._sent) + outbox.forgotten_rows
        assert left.rows_waiting == sum(rows for _, rows, _, _ in outbox._waiting)
        assert outbox.kept_bytes == sum(nbytes + ENTRY_BYTES for _, _, nbytes, _ in outbox._sent)


class OnDisk(Losing):
    @initialize(limit=st.sampled_from([1000, 4000, 1 << 20]))
    def begin(self, limit: int) -> None:
        self._statics = set()
        self._directory = tempfile.TemporaryDirectory()
        self._supply = SpillSupply(
            Path(self._directory.name), "server", limit, self.resident, self.lose, _run_at_once
        )
        run(self._supply.open())

    @property
    def supply(self) -> SpillSupply:
        return self._supply

    def write(self, messages: Sequence[Message]) -> None:
        run(self._supply.put(messages))
        self.note(messages)
        self._statics |= _static_texts(messages)

    def tell_losses(self) -> None:
        self._supply.report_losses()

    @invariant()
    def the_disk_is_bounded(self) -> None:
        if not hasattr(self, "_supply"):
            return
        book = self._supply._book
        assert book.nbytes == sum(file.path.stat().st_size for file in book.files)
        on_disk = sum(path.stat().st_size for path in Path(self._directory.name).rglob("*.spill"))
        assert on_disk == book.nbytes
        assert book.nbytes <= book.limit or len(book.files) == 1

    def teardown(self) -> None:
        if hasattr(self, "_supply"):
            run(self._supply.close())
            self._directory.cleanup()


async def _run_at_once(function: Callable[[], T]) -> T:
    return function()


def _static_texts(messages: Sequence[Message]) -> set[bytes]:
    return {
        bytes(message.segments[0])
        for message in messages
        if message.index is not None and not message.index.group.columns.timelines
    }


@pytest.fixture(autouse=True)
def _tiny_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill_module, "MIN_FILE_BYTES", 300)
    monkeypatch.setattr(spill_module, "FILE_BYTES", 300)
    monkeypatch.setattr(spill_module, "TAIL_BYTES", 400)


SETTINGS = settings(max_examples=100, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])

TestInMemory = InMemory.TestCase
TestInMemory.settings = SETTINGS
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = SETTINGS


def test_static_data_that_has_lost_its_file_unsent_is_sent_over_the_same_connection() -> None:
    machine = OnDisk()
    try:
        machine.begin(limit=1000)
        machine.log(kinds=[0])
        machine.connect(batches=0)
        machine.catch_up()
        for kinds in ([0, 0, 1, 0], [0] * 5, [0] * 6):
            machine.log(kinds=kinds)
        machine.catch_up()
        static_text = b"4".rjust(40)
        assert static_text in machine.server
        assert machine.lost > 0
    finally:
        machine.teardown()
