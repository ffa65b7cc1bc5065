"""Blueprints in files and at servers, with both APIs."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import aiorerun as aio
import aiorerun.blueprint as aio_rrb
import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MessageKind
from aiorerun.errors import InvalidUrlError, RerunWarning, SinkOpenError
from aiorerun.server.server import ProxyServer
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind
from tests.faults.grpc_servers import as_rrd, read_messages
from tests.unit.made_blueprints import seen

if TYPE_CHECKING:
    from pathlib import Path


def entities(path: Path) -> list[str]:
    return sorted(each.what.split("/")[1] for each in seen(path) if each.kind == "chunk")


async def test_saving_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blueprint = aio_rrb.Blueprint(aio_rrb.TextLogView(), collapse_panels=True)
    await blueprint.save("app")
    await blueprint.save("app", tmp_path / "other.rbl")
    for name in ("app.rbl", "other.rbl"):
        assert entities(tmp_path / name) == [
            "blueprint_panel",
            "container",
            "selection_panel",
            "time_panel",
            "view",
            "view",
            "viewport",
        ]
    await aio_rrb.TableBlueprint().save("app", tmp_path / "table.rbl")
    assert entities(tmp_path / "table.rbl") == ["table"]


def test_saving_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rrb.Blueprint(rrb.TextLogView()).save("app")
    rrb.TableBlueprint(sort_by="a").save("table")
    rrb.Blueprint().to_blueprint().save("app", str(tmp_path / "text.rbl"))
    assert entities(tmp_path / "text.rbl") == ["viewport"]
    assert len(entities(tmp_path / "app.rbl")) == 4
    assert entities(tmp_path / "table.rbl") == ["table", "table"]


def test_messages_are_in_the_official_order() -> None:
    blueprint = rrb.Blueprint(rrb.TextLogView())
    messages = blueprint.messages("app", make_active=False)
    kinds = [message.kind for message in messages]
    assert kinds == [
        MessageKind.SET_STORE_INFO,
        MessageKind.SET_STORE_INFO,
        *[MessageKind.ARROW_MSG] * 4,
        MessageKind.BLUEPRINT_ACTIVATION_COMMAND,
    ]
    (store,) = {message.store for message in messages}
    assert (store.kind, store.application_id) == (StoreKind.BLUEPRINT, "app")
    again = {message.store for message in blueprint.messages("app")}
    assert store not in again


def test_ids_are_fresh_at_each_call() -> None:
    blueprint = rrb.Blueprint(rrb.TextLogView())
    store = StoreId(StoreKind.BLUEPRINT, "app", "b")
    chunks, again = blueprint._chunks(store, ids), blueprint._chunks(store, ids)
    assert [chunk.entity_path for chunk in chunks] == [chunk.entity_path for chunk in again]
    assert len({chunk.id for chunk in [*chunks, *again]}) == 8
    assert len({chunk.row_ids.tobytes() for chunk in [*chunks, *again]}) == 8


def test_a_file_that_cannot_be_created(tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError, match="its directory must exist"):
        rrb.Blueprint().save("app", tmp_path / "missing" / "a.rbl")


def test_application_ids(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        rrb.Blueprint().save("", tmp_path / "a.rbl")
    with pytest.warns(RerunWarning, match="is written as"):
        rrb.Blueprint().save("a.b", tmp_path / "a.rbl")
    assert {store.application_id for store in _stores(tmp_path / "a.rbl")} == {"a-bed56"}


def _stores(path: Path) -> set[StoreId]:
    from aiorerun.codec.decoder import read_chunks

    assert list(iter_messages(path.read_bytes()))
    return {store for store, _ in read_chunks(path.read_bytes())}


async def test_a_server_gets_it() -> None:
    server = ProxyServer(port=0)
    await server.start()
    try:
        blueprint = aio_rrb.Blueprint(aio_rrb.TextLogView())
        await blueprint.connect_grpc("app", url=server.uri, make_active=False)
        found = seen(as_rrd(await read_messages(server.uri, lambda got: len(got) >= 7)))
    finally:
        await server.close()
    assert sorted({each.kind for each in found}) == ["activation", "chunk", "info"]
    assert len([each for each in found if each.kind == "chunk"]) == 4
    assert found[-1].kind == "activation"


@pytest.mark.may_block
async def test_a_server_gets_it_from_the_blocking_api() -> None:
    server = ProxyServer(port=0)
    await server.start()
    try:
        blueprint = rrb.Blueprint()
        await asyncio.to_thread(blueprint.connect_grpc, "app", url=server.uri)
        found = seen(as_rrd(await read_messages(server.uri, lambda got: len(got) >= 4)))
    finally:
        await server.close()
    assert [each.kind for each in found] == ["info", "chunk", "activation"]


async def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorerun.sinks.grpc.connection.UNREACHABLE_SECS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError):
        await aio_rrb.Blueprint().connect_grpc("app", url=f"rerun+http://127.0.0.1:{port}/proxy")
    with pytest.raises(InvalidUrlError):
        await aio_rrb.Blueprint().connect_grpc("app", url="nonsense")


async def test_spawning(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []

    async def spawn(**options: object) -> None:
        called.append(options)

    async def send(*args: object, **flags: object) -> None:
        called.append((args[1:], flags))

    monkeypatch.setattr("aiorerun.viewer.spawn.spawn", spawn)
    monkeypatch.setattr("aiorerun.blueprint._live.send", send)
    await aio_rrb.Blueprint().spawn("app", port=1234, memory_limit="50%")
    options = {"port": 1234, "memory_limit": "50%", "hide_welcome_screen": False, "detach_process": True}
    sent = (("app", "rerun+http://127.0.0.1:1234/proxy"), {"make_active": True, "make_default": True})
    assert called == [options, sent]
    await asyncio.to_thread(rrb.Blueprint().spawn, "app", port=1234, memory_limit="50%")
    assert called == [options, sent] * 2


def test_names_are_the_same_in_both_apis() -> None:
    assert set(rrb.__all__) == set(aio_rrb.__all__)
    assert rr.blueprint is rrb
    assert aio.blueprint is aio_rrb
    same = [name for name in rrb.__all__ if getattr(rrb, name) is getattr(aio_rrb, name)]
    own = {
        "Blueprint",
        "TableBlueprint",
        "archetypes",
        "components",
        "datatypes",
        "encodings",
        "table",
        "views",
    }
    assert set(rrb.__all__) - set(same) == own | {"visualizers"}
    assert issubclass(rrb.Blueprint, aio_rrb.Blueprint)
    assert rrb.table.TableBlueprint is rrb.TableBlueprint
    assert set(dir(rrb)) >= set(rrb.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = rrb.no_such_name


@pytest.mark.parametrize(
    "name",
    ["archetypes", "components", "datatypes", "encodings", "views", "containers", "visualizers", "table"],
)
def test_submodules_can_be_imported(name: str) -> None:
    import importlib

    own = importlib.import_module(f"aiorerun.sync.blueprint.{name}")
    other = importlib.import_module(f"aiorerun.blueprint.{name}")
    assert set(own.__all__) == set(other.__all__)
    for each in own.__all__:
        assert each == "TableBlueprint" or getattr(own, each) is getattr(other, each)
    assert set(dir(own)) >= set(own.__all__)
    with pytest.raises(AttributeError):
        _ = own.no_such_name


def test_importing_it_is_light() -> None:
    code = (
        "import sys, aiorerun as rr, aiorerun.sync\n"
        "before = [name for name in sys.modules if name.startswith('aiorerun.blueprint.')]\n"
        "import aiorerun.blueprint as rrb, aiorerun.sync.blueprint\n"
        "rrb.Spatial3DView(name='a', background=rrb.Background(kind='GradientDark'))\n"
        "print(before, {'numpy', 'pyarrow', 'grpclib', 'rerun'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] set()\n"
