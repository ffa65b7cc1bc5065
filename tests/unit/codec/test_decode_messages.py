"""Payloads: old streams, missing fields, hostile sizes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, strategies as st

from aiorerun.codec.decode_messages import (
    ArrowMsg,
    BlueprintActivation,
    Footer,
    StoreInfo,
    StoreNames,
    decode_message,
)
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import blueprint_activation_message, chunk_message, store_info_message
from aiorerun.codec.protobuf import bytes_field, text_field, varint_field
from aiorerun.proto.rerun.common.v1alpha1 import ApplicationId, StoreId as StoreIdMessage, Tuid as TuidMessage
from aiorerun.proto.rerun.log_msg.v1alpha1 import (
    ArrowMsg as ArrowMsgMessage,
    SetStoreInfo,
    StoreInfo as StoreInfoMessage,
    StoreSource,
    StoreSourceExtra,
    StoreSourceKind,
)
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import BLUEPRINT, STORE, scalar_chunk

SSI, ARROW = MessageKind.SET_STORE_INFO, MessageKind.ARROW_MSG


def view(data: object) -> memoryview:
    return memoryview(bytes(data))  # type: ignore[call-overload]


def test_store_info() -> None:
    message = store_info_message(STORE, Tuid(1, 2), (3, 13, 0))
    decoded = decode_message(SSI, view(message.segments[0]))
    assert isinstance(decoded, StoreInfo)
    assert (decoded.store, decoded.row_id, decoded.version) == (STORE, Tuid(1, 2), (0, 41, 0))
    assert decoded.source == (2, b"\x08\x03\x10\x0d")


def test_blueprint_activation() -> None:
    message = blueprint_activation_message(BLUEPRINT, make_active=True, make_default=False)
    assert decode_message(message.kind, view(message.segments[0])) == BlueprintActivation(
        BLUEPRINT, True, False
    )


def test_footers_are_left_as_they_are() -> None:
    assert decode_message(MessageKind.END, memoryview(b"abc")) == Footer(memoryview(b"abc"))


def test_other_sources_and_no_version() -> None:
    info = StoreInfoMessage(
        store_id=StoreIdMessage(recording_id="r", application_id=ApplicationId(id="my.app")),
        store_source=StoreSource(kind=StoreSourceKind.OTHER, extra=StoreSourceExtra(payload=b"me")),
    )
    decoded = decode_message(SSI, view(SetStoreInfo(row_id=TuidMessage(time_ns=1, inc=2), info=info)))
    assert isinstance(decoded, StoreInfo)
    # The kind was not given, and the application id not in its normal form.
    assert decoded.store == StoreId(StoreKind.RECORDING, normal("my.app"), "r")
    assert (decoded.source, decoded.version) == ((6, b"me"), None)


def normal(application_id: str) -> str:
    from aiorerun.types.store import normal_application_id

    return normal_application_id(application_id)


@pytest.mark.parametrize("missing", ["row_id", "info", "store_source"])
def test_store_info_must_be_complete(missing: str) -> None:
    info = StoreInfoMessage(
        store_id=StoreIdMessage(recording_id="r"), store_source=StoreSource(kind=StoreSourceKind.OTHER)
    )
    message = SetStoreInfo(row_id=TuidMessage(time_ns=1, inc=2), info=info)
    setattr(info if missing == "store_source" else message, missing, None)
    with pytest.raises(RrdError, match="announcement"):
        decode_message(SSI, view(message))


def test_old_streams_have_the_application_id_elsewhere() -> None:
    with pytest.warns(DeprecationWarning, match="application_id"):
        info = StoreInfoMessage(
            application_id=ApplicationId(id="old"),
            store_id=StoreIdMessage(recording_id="r"),
            store_source=StoreSource(kind=StoreSourceKind.OTHER),
        )
    decoded = decode_message(SSI, view(SetStoreInfo(row_id=TuidMessage(time_ns=1, inc=2), info=info)))
    assert isinstance(decoded, StoreInfo)
    names = StoreNames()
    nameless = StoreId(StoreKind.RECORDING, "", "r")
    with pytest.raises(RrdError, match="unknown application"):
        names.name(nameless)
    names.add(decoded)
    assert names.name(nameless) == StoreId(StoreKind.RECORDING, "old", "r")
    assert names.name(STORE) == STORE
    with pytest.raises(RrdError, match="unknown application"):
        names.name(StoreId(StoreKind.BLUEPRINT, "", "r"))


def arrow_msg(**changes: object) -> ArrowMsg:
    message = ArrowMsgMessage.parse(b"".join(chunk_message(STORE, scalar_chunk()).segments))
    for name, value in changes.items():
        setattr(message, name, value)
    decoded = decode_message(ARROW, view(message))
    assert isinstance(decoded, ArrowMsg)
    return decoded


def test_fields_that_may_be_missing() -> None:
    decoded = arrow_msg(chunk_id=None, is_static=None)
    assert (decoded.chunk_id, decoded.is_static) == (None, None)
    assert decoded.batch(1 << 20).num_rows == 1


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"uncompressed_size": 1 << 40}, "claims to have"),
        ({"uncompressed_size": 400_000}, "claims to have"),
        ({"uncompressed_size": 100}, "cannot be decompressed"),
        ({"payload": b""}, "claims to have"),
        ({"compression": 1}, "cut off"),
        ({"compression": 7}, "unknown compression"),
    ],
)
def test_hostile_chunks(changes: dict[str, object], match: str) -> None:
    with pytest.raises(RrdError, match=match):
        arrow_msg(**changes).batch(1 << 20)


def test_chunks_of_unknown_encoding() -> None:
    with pytest.raises(RrdError, match="unknown encoding 0"):
        arrow_msg(encoding=0)


def test_fields_of_the_wrong_type() -> None:
    with pytest.raises(RrdError, match="wrong wire type"):
        decode_message(ARROW, memoryview(varint_field(1, 5) + varint_field(4, 1)))
    with pytest.raises(RrdError, match="wrong wire type"):
        decode_message(ARROW, memoryview(bytes_field(4, b"x")))


def test_names_must_be_text() -> None:
    with pytest.raises(RrdError, match="UTF-8"):
        decode_message(
            MessageKind.BLUEPRINT_ACTIVATION_COMMAND, memoryview(bytes_field(1, bytes_field(2, b"\xff")))
        )


def test_unknown_fields_are_passed_over() -> None:
    data = (
        b"".join(chunk_message(STORE, scalar_chunk()).segments) + text_field(99, "new") + varint_field(98, 1)
    )
    decoded = decode_message(ARROW, memoryview(data))
    assert isinstance(decoded, ArrowMsg)
    assert decoded.store == STORE


@given(st.sampled_from(list(MessageKind)), st.binary(max_size=60))
def test_any_payload_is_a_message_or_our_error(kind: MessageKind, payload: bytes) -> None:
    with contextlib.suppress(RrdError):
        decode_message(kind, memoryview(payload))
