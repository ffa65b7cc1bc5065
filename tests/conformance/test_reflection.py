"""The official programs still have the messages that ours were made for, number by number.

Both describe themselves over gRPC's server reflection. Theirs may have more; nothing of ours may differ.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.codec.protobuf import fields, text_field
from aiorerun.net import methods
from aiorerun.net.channel import open_channel
from aiorerun.proto.rerun.sdk_comms.v1alpha1 import MessageProxyServiceBase
from aiorerun.proto.rerun.viewer_control.v1alpha1 import ViewerControlServiceBase
from tests.unit.net.serving import SECS, official_server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.net.channel import WireChannel
    from aiorerun.net.endpoint import Endpoint

descriptor_pb2: Any = pytest.importorskip("google.protobuf.descriptor_pb2", reason="reads descriptors")

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
# Fields of a request of the reflection service, and of its answers.
BY_FILE, BY_SYMBOL = 3, 4
FILES, ERROR = 4, 7

SERVICES = {
    "--serve-grpc": [methods.PROXY_SERVICE],
    "--headless": [methods.PROXY_SERVICE, methods.VIEWER_CONTROL_SERVICE],
}


async def ask(channel: WireChannel, questions: Iterable[tuple[int, str]]) -> dict[str, Any]:
    """Descriptors of files, by path."""
    from grpclib.const import Cardinality

    found: dict[str, Any] = {}
    async with channel.request(REFLECTION, Cardinality.STREAM_STREAM, bytes, bytes) as stream:
        for number, name in questions:
            await stream.send_message(text_field(number, name))
            answer = await stream.recv_message()
            assert answer is not None
            parts: dict[int, Any] = {field: value for field, _, value in fields(memoryview(answer))}
            assert ERROR not in parts, f"{name}: {bytes(parts[ERROR])!r}"
            for _, _, file in fields(parts[FILES]):
                descriptor = descriptor_pb2.FileDescriptorProto.FromString(bytes(file))
                found[descriptor.name] = descriptor
        await stream.end()
    return found


async def official_files(endpoint: Endpoint, services: list[str]) -> dict[str, Any]:
    """The files of these services, and all that they import."""
    channel = await open_channel(endpoint, timeout=SECS)
    try:
        files = await ask(channel, [(BY_SYMBOL, service) for service in services])
        while missing := {name for file in files.values() for name in file.dependency} - files.keys():
            files |= await ask(channel, [(BY_FILE, name) for name in missing])
        return files
    finally:
        channel.close()
        await channel.wait_closed()


def our_files(directory: Path) -> dict[str, Any]:
    """The same from our own definitions."""
    pytest.importorskip("grpc_tools", reason="needs protoc: pip install '.[dev]'")
    from aiorerun._codegen.proto import DEFINITIONS

    target = directory / "descriptors"
    names = sorted(path.relative_to(DEFINITIONS).as_posix() for path in DEFINITIONS.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={DEFINITIONS}"]
    subprocess.run([*command, f"--descriptor_set_out={target}", *names], check=True, timeout=60)
    files = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file
    return {file.name: file for file in files}


def facts(files: Iterable[Any]) -> dict[str, Any]:
    """All that must not differ, by full name."""
    found: dict[str, Any] = {}
    for file in files:
        for enum in file.enum_type:
            found |= facts_of_enum(enum, file.package)
        for message in file.message_type:
            found |= facts_of_message(message, file.package)
        for service in file.service:
            for method in service.method:
                found[f"/{file.package}.{service.name}/{method.name}"] = (
                    *(method.input_type, method.client_streaming),
                    *(method.output_type, method.server_streaming),
                )
    return found


def facts_of_enum(enum: Any, prefix: str) -> dict[str, Any]:
    return {f"{prefix}.{enum.name}.{value.name}": value.number for value in enum.value}


def facts_of_message(message: Any, prefix: str) -> dict[str, Any]:
    name = f"{prefix}.{message.name}"
    found: dict[str, Any] = {name: "message"}
    for field in message.field:
        is_choice = field.HasField("oneof_index") and not field.proto3_optional
        found[f"{name}.{field.name}"] = (
            *(field.number, field.label, field.type, field.type_name, field.proto3_optional),
            message.oneof_decl[field.oneof_index].name if is_choice else "",
        )
    for enum in message.enum_type:
        found |= facts_of_enum(enum, name)
    for nested in message.nested_type:
        found |= facts_of_message(nested, name)
    return found


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What of ours is different there."""
    return [
        f"{name}: {value} here, {theirs.get(name, 'nothing')} there"
        for name, value in ours.items()
        if theirs.get(name) != value
    ]


def has_vulkan() -> bool:
    """Whether there is something to draw with, as far as that can be seen from outside."""
    if not ctypes.util.find_library("vulkan"):
        return False
    return sys.platform != "linux" or any(Path("/usr/share/vulkan/icd.d").glob("*.json"))


@pytest.mark.parametrize("program", SERVICES)
async def test_check_27_nothing_differs(program: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if program == "--headless" and not has_vulkan():
        pytest.skip("the headless viewer needs Vulkan: apt-get install mesa-vulkan-drivers libvulkan1")
    # Each of the two is asked for what it has; the files of the catalog come with the viewer's alone.
    ours = await asyncio.to_thread(our_files, tmp_path_factory.mktemp("descriptors"))
    async with asyncio.timeout(60), official_server(program) as endpoint:
        theirs = await official_files(endpoint, SERVICES[program])
    shared = [file for name, file in ours.items() if name in theirs]
    expected = {
        "rerun/v1alpha1/sdk_comms.proto",
        "rerun/v1alpha1/log_msg.proto",
        "rerun/v1alpha1/common.proto",
    }
    if program == "--headless":
        expected |= {"rerun/v1alpha1/viewer_control.proto", "rerun/v1alpha1/cloud.proto"}
    assert {file.name for file in shared} == expected
    found = facts(shared)
    # PythonVersion and other messages inside of bytes are in the same file.
    assert len(found) > 80
    assert compare(found, facts(theirs.values())) == []


def test_differences_are_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    files = our_files(tmp_path_factory.mktemp("descriptors"))
    ours = facts(files.values())
    assert compare(ours, ours) == []
    for file in files.values():
        if file.name.endswith("log_msg.proto"):
            chunk = next(message for message in file.message_type if message.name == "ArrowMsg")
            chunk.field[0].number = 99
            del chunk.field[1]
        if file.name.endswith("sdk_comms.proto"):
            file.service[0].method[0].client_streaming = False
    different = compare(ours, facts(files.values()))
    assert [line.partition(":")[0] for line in different] == [
        "rerun.log_msg.v1alpha1.ArrowMsg.store_id",
        "rerun.log_msg.v1alpha1.ArrowMsg.compression",
        methods.WRITE_MESSAGES,
    ]


def test_paths_of_methods() -> None:
    """The names that are written by hand are those of the definitions."""
    proxy = MessageProxyServiceBase().__mapping__()
    assert set(proxy) == {
        *(methods.WRITE_MESSAGES, methods.READ_MESSAGES),
        *(methods.WRITE_TABLE, methods.READ_TABLES),
    }
    viewer = ViewerControlServiceBase().__mapping__()
    assert set(viewer) == {methods.VIEWER_CONTROL, methods.EGUI_INSPECT}
