"""The generated classes: in step with the definitions, and with what is framed by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import (
    Message,
    blueprint_activation_message,
    chunk_message,
    store_info_message,
)
from aiorerun.proto.rerun.common.v1alpha1 import (
    ApplicationId,
    Compression,
    StoreId as StoreIdMessage,
    StoreKind as StoreKindMessage,
    Tuid as TuidMessage,
)
from aiorerun.proto.rerun.log_msg.v1alpha1 import (
    ArrowMsg,
    BlueprintActivationCommand,
    Encoding,
    LogMsg,
    PythonVersion,
    RrdFooter,
    SetStoreInfo,
    StoreInfo,
    StoreSource,
    StoreSourceExtra,
    StoreSourceKind,
    StoreVersion,
)
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import BLUEPRINT, STORE, chunk, component, messages_of, scalar_chunk, stream_of

STORES = [
    STORE,
    BLUEPRINT,
    StoreId(StoreKind.RECORDING, "é", ""),
    StoreId(StoreKind.RECORDING, "a" * 180, "r" * 300),
]


def store_message(store: StoreId) -> StoreIdMessage:
    return StoreIdMessage(
        kind=StoreKindMessage(int(store.kind)),
        recording_id=store.recording_id,
        application_id=ApplicationId(id=store.application_id),
    )


def payload(message: Message) -> bytes:
    return b"".join(message.segments)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("row_id", [Tuid(0, 0), Tuid(1, (1 << 64) - 1)])
def test_store_info(store: StoreId, row_id: Tuid) -> None:
    version = PythonVersion(major=3, minor=14, patch=0)
    expected = SetStoreInfo(
        row_id=TuidMessage(time_ns=row_id.time_ns, inc=row_id.inc),
        info=StoreInfo(
            store_id=store_message(store),
            store_source=StoreSource(
                kind=StoreSourceKind.PYTHON_SDK, extra=StoreSourceExtra(payload=bytes(version))
            ),
            store_version=StoreVersion(crate_version_bits=10496),
        ),
    )
    assert payload(store_info_message(store, row_id, (3, 14, 0))) == bytes(expected)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("size", [1, 100, 20_000])
def test_arrow_msg(store: StoreId, static: bool, size: int) -> None:
    made = scalar_chunk(frames=range(size))
    if static:
        made = chunk("/a", 1, [], [component("x", [[b"\0" * size]], pa.binary())])
    message = chunk_message(store, made)
    parsed = ArrowMsg.parse(payload(message))
    assert parsed == ArrowMsg(
        store_id=store_message(store),
        compression=Compression.LZ4,
        uncompressed_size=parsed.uncompressed_size,
        encoding=Encoding.ARROW_IPC,
        payload=parsed.payload,
        chunk_id=TuidMessage(time_ns=made.id.time_ns, inc=made.id.inc),
        is_static=static,
    )
    assert bytes(parsed) == payload(message)


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("default", [False, True])
def test_blueprint_activation(active: bool, default: bool) -> None:
    expected = BlueprintActivationCommand(
        blueprint_id=store_message(BLUEPRINT), make_active=active, make_default=default
    )
    message = blueprint_activation_message(BLUEPRINT, make_active=active, make_default=default)
    assert payload(message) == bytes(expected)


def test_footers_parse_to_the_same_bytes() -> None:
    (*_, footer) = iter_messages(stream_of(messages_of(scalar_chunk("/a"), scalar_chunk("/b"))))
    assert footer.kind is MessageKind.END
    assert bytes(RrdFooter.parse(bytes(footer.payload))) == bytes(footer.payload)


def test_the_numbers_of_message_kinds_are_those_of_the_network_message() -> None:
    messages = {
        MessageKind.SET_STORE_INFO: LogMsg(set_store_info=SetStoreInfo()),
        MessageKind.ARROW_MSG: LogMsg(arrow_msg=ArrowMsg()),
        MessageKind.BLUEPRINT_ACTIVATION_COMMAND: LogMsg(
            blueprint_activation_command=BlueprintActivationCommand()
        ),
    }
    for kind, message in messages.items():
        assert bytes(message) == bytes((kind << 3 | 2, 0))


def test_the_generated_modules_are_in_step_with_the_definitions() -> None:
    pytest.importorskip("grpc_tools", reason="needs protoc: pip install '.[dev]'")
    from aiorerun._codegen import proto

    assert proto.outdated(proto.generate()) == []
