"""Whatever is framed, cut and put together again comes out as it went in."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings, strategies as st

from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.errors import BadMemoryLimitError, InvalidUrlError
from aiorerun.net import logmsg
from aiorerun.net.assembling import BadMessageError, MessageAssembler
from aiorerun.net.data_frames import MIN_FRAME, FrameCutter
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.logmsg import Framed, MalformedMessage, frame_bytes, parse_log_msg
from aiorerun.net.memory_limit import parse_memory_limit
from aiorerun.proto.rerun.common.v1alpha1 import ApplicationId, StoreId, StoreKind, Tuid
from aiorerun.proto.rerun.log_msg.v1alpha1 import (
    ArrowMsg,
    BlueprintActivationCommand,
    Encoding,
    LogMsg,
    SetStoreInfo,
    StoreInfo,
)
from aiorerun.proto.rerun.sdk_comms.v1alpha1 import WriteMessagesRequest

UINT64 = st.integers(0, (1 << 64) - 1)
STORE_IDS = st.builds(
    StoreId,
    kind=st.sampled_from(StoreKind),
    recording_id=st.text(max_size=300),
    application_id=st.none() | st.builds(ApplicationId, id=st.text(max_size=300)),
)
TUIDS = st.builds(Tuid, time_ns=UINT64, inc=UINT64)
CHUNKS = st.builds(
    ArrowMsg,
    store_id=st.none() | STORE_IDS,
    uncompressed_size=UINT64,
    encoding=st.sampled_from(Encoding),
    payload=st.binary(max_size=2000),
    chunk_id=st.none() | TUIDS,
    is_static=st.none() | st.booleans(),
)
ANNOUNCEMENTS = st.builds(
    SetStoreInfo,
    row_id=st.none() | TUIDS,
    info=st.none() | st.builds(StoreInfo, store_id=st.none() | STORE_IDS),
)
ACTIVATIONS = st.builds(
    BlueprintActivationCommand,
    blueprint_id=st.none() | STORE_IDS,
    make_active=st.booleans(),
    make_default=st.booleans(),
)


def check(kind: MessageKind, payload: bytes, log_msg: LogMsg) -> None:
    request = bytes(WriteMessagesRequest(log_msg=log_msg))
    framed = frame_bytes(kind, payload)
    body = b"".join(framed.segments)[5:]
    assert body == request
    parsed = parse_log_msg(body)
    assert parsed.kind is kind
    assert bytes(parsed.payload) == payload


@given(CHUNKS)
def test_chunks(message: ArrowMsg) -> None:
    payload = bytes(message)
    check(MessageKind.ARROW_MSG, payload, LogMsg(arrow_msg=message))
    parsed = parse_log_msg(bytes(WriteMessagesRequest(log_msg=LogMsg(arrow_msg=message))))
    assert parsed.is_static == message.is_static
    assert (parsed.chunk_id is None) == (message.chunk_id is None)
    if message.chunk_id is not None:
        assert parsed.chunk_id == bytes(message.chunk_id)
    assert (parsed.store is None) == (message.store_id is None)
    if parsed.store is not None and message.store_id is not None:
        assert parsed.store.recording_id == message.store_id.recording_id
        assert (parsed.store_kind == 2) == (message.store_id.kind == StoreKind.BLUEPRINT)


@settings(max_examples=500)
@given(CHUNKS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=2), st.booleans())
def test_the_short_way_through_a_chunk(
    message: ArrowMsg, changes: list[tuple[int, int]], backward: bool
) -> None:
    """It either finds what the long way finds, or leaves it to that one."""
    body = bytearray(bytes(WriteMessagesRequest(log_msg=LogMsg(arrow_msg=message))))
    for position, value in changes:
        body[(-position if backward else position) % len(body)] = value
    usual = None
    with suppress(RrdError):
        usual = logmsg._parse_usual_chunk(bytes(body))
    if usual is not None:
        assert usual == logmsg._parse_any(bytes(body))
    elif not changes and message.store_id and message.chunk_id and message.is_static is not None:
        assert message.payload == b"" or len(bytes(message.store_id)) > 127 or message.uncompressed_size >> 35


@given(ANNOUNCEMENTS)
def test_announcements(message: SetStoreInfo) -> None:
    check(MessageKind.SET_STORE_INFO, bytes(message), LogMsg(set_store_info=message))


@given(ACTIVATIONS)
def test_activations(message: BlueprintActivationCommand) -> None:
    log_msg = LogMsg(blueprint_activation_command=message)
    check(MessageKind.BLUEPRINT_ACTIVATION_COMMAND, bytes(message), log_msg)


@settings(max_examples=500)
@given(
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"\x0a" + bytes((len(data),)) + data)
)
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    # Nothing else is raised.
    with suppress(MalformedMessage):
        assert parse_log_msg(body).nbytes == len(body)


@given(
    st.lists(st.lists(st.integers(1, 40_000), min_size=1, max_size=3), min_size=1, max_size=8),
    st.lists(st.integers(100, 200_000), min_size=1, max_size=5),
    st.sampled_from([16_384, 20_000, 1 << 20]),
)
def test_cut_and_put_together(sizes: list[list[int]], limits: list[int], max_frame: int) -> None:
    segments = [tuple(bytes((size % 251,)) * size for size in message) for message in sizes]
    messages = []
    for message in segments:
        nbytes = sum(map(len, message))
        messages.append(Framed((b"\0" + nbytes.to_bytes(4, "big"), *message), nbytes + 5))
    cutter = FrameCutter(messages, 1)
    assembler = MessageAssembler()
    turn = 0
    while cutter.ready(1):
        limit = limits[turn % len(limits)]
        turn += 1
        pieces, taken, nbytes = cutter.take(limit, max_frame)
        data = b"".join(pieces)
        assert len(data) == nbytes
        assert 0 < taken <= limit
        while data:
            size = int.from_bytes(data[:3], "big")
            is_last = len(data) == size + 9 and not cutter.ready(1)
            assert size <= max_frame
            assert size >= min(MIN_FRAME, limit) or is_last
            assembler.feed(data, 9, 9 + size)
            data = data[9 + size :]
    assert assembler.is_between
    assert [bytes(body) for body in assembler.bodies] == [b"".join(message) for message in segments]


@settings(max_examples=300)
@given(st.binary(max_size=100), st.integers(1, 10))
def test_any_bytes_are_messages_or_refused(data: bytes, step: int) -> None:
    assembler = MessageAssembler(50)
    try:
        for start in range(0, len(data), step):
            assembler.feed(data, start, min(start + step, len(data)))
    except BadMessageError:
        pass
    rest = data
    for body in assembler.bodies:
        assert rest[:5] == b"\0" + len(body).to_bytes(4, "big")
        assert rest[5 : 5 + len(body)] == body
        rest = rest[5 + len(body) :]


@settings(max_examples=500)
@given(
    st.text(max_size=50)
    | st.text("rerun+htps:/.[]@?#%0x19localhost \\\t", max_size=50).map("rerun://".__add__)
)
def test_any_url_is_accepted_or_refused(url: str) -> None:
    try:
        parsed = Endpoint.parse(url)
    except InvalidUrlError:
        return
    assert Endpoint.parse(str(parsed)) == parsed


@given(st.text("0123456789.eE+-%kKMGTiB ∞\N{MINUS SIGN}", max_size=12))
def test_any_memory_limit_is_accepted_or_refused(text: str) -> None:
    try:
        limit = parse_memory_limit(text, lambda: 1 << 30)
    except BadMemoryLimitError:
        return
    assert limit is None or limit >= 0
