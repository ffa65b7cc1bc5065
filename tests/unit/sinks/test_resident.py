"""What every connection is told first: order, what replaces what, the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from aiorerun.codec.messages import blueprint_activation_message, chunk_message
from aiorerun.sinks.resident import ENTRY_BYTES, Resident, activation_flags
from aiorerun.types.store import StoreId, StoreKind
from tests.unit.codec.building import STORE, announcement, chunk, component, scalar_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message


def blueprint(name: str) -> StoreId:
    return StoreId(StoreKind.BLUEPRINT, STORE.application_id, name)


def static(path: str, name: str = "x", store: StoreId = STORE, length: int = 1) -> Message:
    return chunk_message(store, chunk(path, 1, [], [component(name, [[1] * length], pa.int8())]))


def activation(store: StoreId, *, active: bool = True, default: bool = True) -> Message:
    return blueprint_activation_message(store, make_active=active, make_default=default)


class Kept:
    """A resident with a list of warnings."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.warnings: list[str] = []
        self.resident = Resident(limit, self.warnings.append)
        self.gone: list[Message] = []
        self._number = 0

    def put(self, *messages: Message) -> None:
        for message in messages:
            self.gone += [held.message for held in self.resident.put(self._number, message)]
            self._number += 1

    @property
    def messages(self) -> Sequence[Message]:
        return self.resident.messages(0, 0)


def test_the_order_is_announcements_properties_blueprints_statics() -> None:
    kept = Kept()
    plan = blueprint("plan")
    info, plan_info = announcement(), announcement(plan)
    view = chunk_message(plan, scalar_chunk("/view"))
    mesh, prop, command = static("/mesh"), static("/__properties/name"), activation(plan)
    kept.put(mesh, info, view, plan_info, command, prop)
    assert kept.messages == [info, plan_info, prop, view, command, mesh]


def test_temporal_data_is_not_kept() -> None:
    kept = Kept()
    kept.put(chunk_message(STORE, scalar_chunk("/a")))
    assert kept.messages == []
    assert not kept.resident.holds(0)
    assert kept.resident.nbytes == 0


def test_newer_static_data_replaces_the_same_columns_of_the_same_entity() -> None:
    kept = Kept()
    other_entity, other_column, old, new = static("/b"), static("/a", "y"), static("/a"), static("/a")
    kept.put(old, other_entity, other_column, new)
    assert kept.messages == [other_entity, other_column, new]
    assert kept.gone == [old]
    assert [kept.resident.holds(number) for number in range(4)] == [False, True, True, True]
    assert kept.resident.rows_between(0, 4) == 3
    assert kept.resident.rows_between(1, 3) == 2


def test_what_leaves_columns_out_replaces_nothing() -> None:
    def columns(c: list[int] | None, d: list[int] | None) -> Message:
        values = [component("c", [c], pa.int8()), component("d", [d], pa.int8())]
        return chunk_message(STORE, chunk("/a", 1, [], values))

    kept = Kept()
    both, only_c, only_d, other = columns([1], [2]), columns([3], None), columns(None, [4]), columns([5], [6])
    kept.put(both, only_c, only_d)
    assert kept.messages == [both, only_c, only_d]
    kept.put(other)
    assert kept.messages == [only_c, only_d, other]


def test_what_the_outbox_sends_itself_is_left_out() -> None:
    kept = Kept()
    first, second, third = static("/a"), static("/b"), static("/c")
    kept.put(first, second, third)
    assert kept.resident.messages(1, 2) == [first, third]
    assert kept.resident.messages(1, 3) == [first]


def test_a_blueprint_goes_when_others_are_shown_and_default() -> None:
    kept = Kept()
    first, second, third = map(blueprint, ("first", "second", "third"))
    for store in (first, second):
        kept.put(announcement(store), chunk_message(store, scalar_chunk()), activation(store))
    assert {message.store for message in kept.messages} == {second}
    # The second stays the default one.
    kept.put(announcement(third), static("/x", store=third), activation(third, default=False))
    assert {message.store for message in kept.messages} == {second, third}
    kept.put(activation(third))
    assert {message.store for message in kept.messages} == {third}
    # Another program's blueprints are its own business.
    other = StoreId(StoreKind.BLUEPRINT, "other", "theirs")
    kept.put(announcement(other), activation(other))
    assert {message.store for message in kept.messages} == {third, other}


def test_a_blueprint_that_is_not_activated_yet_is_kept() -> None:
    kept = Kept()
    shown, coming = blueprint("shown"), blueprint("coming")
    part = chunk_message(coming, scalar_chunk())
    kept.put(announcement(shown), activation(shown), announcement(coming), part, activation(shown))
    assert part in kept.messages


def test_flags_are_read_from_the_command() -> None:
    for active in (False, True):
        for default in (False, True):
            command = activation(blueprint("x"), active=active, default=default)
            assert activation_flags(command) == (active, default)


def test_over_the_limit_the_oldest_static_data_goes_with_one_warning() -> None:
    size = static("/0").nbytes + ENTRY_BYTES
    kept = Kept(limit=3 * size + size // 2)
    info = announcement()
    kept.put(info, *(static(f"/{number}") for number in range(8)))
    assert kept.messages[0] is info
    assert kept.resident.nbytes <= 3 * size + size // 2
    assert [message.index.group.entity_path for message in kept.messages[1:] if message.index] == ["/6", "/7"]
    assert len(kept.gone) == 6
    assert len(kept.warnings) == 1


def test_a_message_over_the_whole_limit_is_not_kept_and_costs_no_other() -> None:
    kept = Kept(limit=4000)
    small, big = static("/small"), static("/big", length=100_000)
    # It compresses well.
    big.nbytes = 100_000
    kept.put(small, big)
    assert kept.messages == [small]
    assert len(kept.warnings) == 1


def test_announcements_alone_are_bounded_too() -> None:
    kept = Kept(limit=10 * (100 + ENTRY_BYTES))
    for number in range(100):
        kept.put(announcement(StoreId(StoreKind.RECORDING, "app", str(number))))
    assert kept.resident.nbytes <= 10 * (100 + ENTRY_BYTES)
    assert kept.messages[-1].store.recording_id == "99"
