"""Services of several processes, restarts and signals: complete files, torn by nobody, and nothing hangs."""

from __future__ import annotations

import asyncio
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.examples.services import running, uvicorn
from tests.faults.grpc_servers import free_port
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from pathlib import Path

APP = """
from examples.services.fastapi_service import make_app
app = make_app(save={save!r})
"""


def write_app(folder: Path, save: str) -> None:
    """A module that a server can import."""
    (folder / "my_service.py").write_text(APP.format(save=save))


def get(url: str) -> int:
    """Asks on a connection of its own, so that any worker may answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            response.read()
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def ask_until(url: str, files: int, folder: Path) -> int:
    """Asks until so many workers have files; returns how many requests it took."""
    asked = 0
    while asked < 20 or len(list(folder.glob("*.rrd"))) < files:
        assert asked < 2000
        assert get(f"{url}/items/7") == 200
        asked += 1
    return asked


def requests_in(folder: Path) -> list[int]:
    """How many requests each file has, all of which must be complete."""
    files = sorted(folder.glob("*.rrd"))
    assert_verified(files)
    recordings = [{row.recording for row in rows_of(file)} for file in files]
    ids = [recording for ids in recordings for recording in ids]
    assert len(set(ids)) == len(ids), "each worker has a recording of its own"
    return [sum("/requests/items" in row.path for row in rows_of(file)) for file in files]


def gunicorn(folder: Path, worker: str, *options: str) -> list[str]:
    command = ["-m", "gunicorn", "-k", worker, "-w", "2", "-b", "127.0.0.1:0", "--graceful-timeout", "10"]
    return [*command, *options, "my_service:app"]


@pytest.mark.parametrize("save", ["a-{pid}.rrd", "a-{worker}.rrd"])
@pytest.mark.parametrize("server", ["uvicorn", "uvicorn.workers.UvicornWorker", "asgi"])
def test_workers(server: str, save: str, tmp_path: Path) -> None:
    write_app(tmp_path, save)
    if server == "uvicorn":
        # With several workers uvicorn does not tell which port it was given.
        port = str(free_port())
        command = ["-m", "uvicorn", "my_service:app", "--port", port, "--workers", "2", "--no-access-log"]
    else:
        command = gunicorn(tmp_path, server)
    with running(command, tmp_path) as service:
        (url, *_) = service.wait_for(r"(?:running on|Listening at:) (http://127\.0\.0\.1:\d+)")
        if server == "uvicorn":
            service.wait_for("Application startup complete", times=2)
        # Both have opened their files before they answer.
        asked = ask_until(url[1], 2, tmp_path)
        code = service.stop()
        service.wait_for(r"\(end\)")

    assert code in (0, -signal.SIGTERM)
    assert sum(requests_in(tmp_path)) == asked
    assert "Traceback" not in service.output
    if save == "a-{worker}.rrd":
        assert [file.name for file in sorted(tmp_path.glob("*.rrd"))] == ["a-0.rrd", "a-1.rrd"]


def test_the_same_path_in_two_workers_is_an_error(tmp_path: Path) -> None:
    write_app(tmp_path, "same.rrd")
    with running(gunicorn(tmp_path, "uvicorn.workers.UvicornWorker"), tmp_path) as service:
        service.wait_for("put {pid} or {worker} into the path")
        service.process.wait(60)
        service.wait_for(r"\(end\)")

    assert "another process" in service.output
    assert_verified([tmp_path / "same.rrd"])


def test_the_same_path_in_two_services_is_an_error(tmp_path: Path) -> None:
    write_app(tmp_path, "same.rrd")
    command = ["-m", "uvicorn", "my_service:app", "--port", "0", "--no-access-log"]
    with running(command, tmp_path) as first:
        (url, *_) = first.wait_for(r"running on (http://127\.0\.0\.1:\d+)")
        with running(command, tmp_path) as second:
            second.wait_for("Application startup failed")
            assert second.process.wait(30) == 3
        for _ in range(20):
            assert get(f"{url[1]}/items/7") == 200
        assert first.stop() in (0, -signal.SIGTERM)

    assert "put {pid} or {worker} into the path" in second.output
    assert requests_in(tmp_path) == [20]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_signals(number: signal.Signals, loop: str, tmp_path: Path) -> None:
    with uvicorn("fastapi_service:app", tmp_path, "--loop", loop) as (service, url):
        for _ in range(20):
            assert get(f"{url}/items/7") == 200
        assert service.stop(number) in (0, -number, 130)

    assert requests_in(tmp_path) == [20]


async def test_sigterm_while_requests_are_in_progress(tmp_path: Path) -> None:
    with uvicorn("fastapi_service:app", tmp_path) as (service, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /stream/300 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        head = await asyncio.wait_for(reader.read(10), 10)
        service.process.send_signal(signal.SIGTERM)
        rest = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        assert await asyncio.to_thread(service.process.wait, 30) in (0, -signal.SIGTERM)

    assert head.startswith(b"HTTP/1.1 2")
    assert b"299\n" in rest
    (path,) = tmp_path.glob("*.rrd")
    assert_verified([path])
    (row,) = [row for row in rows_of(path) if row.path.startswith("/http/requests")]
    assert row.values["Request:client_disconnected"] == [False]


def test_reload(tmp_path: Path) -> None:
    write_app(tmp_path, "a-{pid}.rrd")
    command = ["-m", "uvicorn", "my_service:app", "--port", "0", "--reload", "--reload-dir", str(tmp_path)]
    with running(command, tmp_path) as service:
        (url, *_) = service.wait_for(r"running on (http://127\.0\.0\.1:\d+)")
        service.wait_for("Application startup complete")
        assert get(f"{url[1]}/items/7") == 200
        (tmp_path / "my_service.py").write_text(APP.format(save="a-{pid}.rrd") + "# changed\n")
        service.wait_for("Application startup complete", times=2)
        assert get(f"{url[1]}/items/7") == 200
        assert service.stop() in (0, -signal.SIGTERM)
        service.wait_for(r"\(end\)")

    assert requests_in(tmp_path) == [1, 1]


def test_reload_with_one_path_for_all(tmp_path: Path) -> None:
    """The next process may have the file when the one before is through with it."""
    write_app(tmp_path, "same.rrd")
    command = ["-m", "uvicorn", "my_service:app", "--port", "0", "--reload", "--reload-dir", str(tmp_path)]
    with running(command, tmp_path) as service:
        service.wait_for("Application startup complete")
        (tmp_path / "my_service.py").write_text(APP.format(save="same.rrd") + "# changed\n")
        service.wait_for("Application startup complete", times=2)
        assert service.stop() in (0, -signal.SIGTERM)
        service.wait_for(r"\(end\)")

    assert_verified([tmp_path / "same.rrd"])


@pytest.mark.parametrize("lifespan", ["off", "auto"])
def test_without_lifespan_the_recording_is_there_all_the_same(lifespan: str, tmp_path: Path) -> None:
    (tmp_path / "my_service.py").write_text(
        """
from aiorerun.integrations.asgi import RerunMiddleware

async def plain(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

app = RerunMiddleware(plain, save="a.rrd")
"""
    )
    command = ["-m", "uvicorn", "my_service:app", "--port", "0", "--lifespan", lifespan]
    with running(command, tmp_path) as service:
        (url, *_) = service.wait_for(r"running on (http://127\.0\.0\.1:\d+)")
        for _ in range(20):
            assert get(f"{url[1]}/items") == 200
        # This signal ends the program by an exception, so what it does at exit is done.
        assert service.stop(signal.SIGINT) in (0, -signal.SIGINT, 130, 1)

    assert_verified([tmp_path / "a.rrd"])
    assert sum("/requests/items" in row.path for row in rows_of(tmp_path / "a.rrd")) == 20


def test_a_service_that_fails_to_start_leaves_a_complete_file(tmp_path: Path) -> None:
    (tmp_path / "my_service.py").write_text(
        """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from aiorerun.integrations.asgi import RerunMiddleware, lifespan
import aiorerun as rr

@asynccontextmanager
async def mine(app):
    await rr.log("started", rr.TextLog("so far, so good"))
    raise RuntimeError("no database")
    yield

app = FastAPI(lifespan=lifespan(mine, save="helper.rrd"))
app.add_middleware(RerunMiddleware, save="middleware.rrd")
"""
    )
    with running(["-m", "uvicorn", "my_service:app", "--port", "0"], tmp_path) as service:
        service.wait_for("Application startup failed")
        assert service.process.wait(30) == 3

    assert "no database" in service.output
    assert_verified(sorted(tmp_path.glob("*.rrd")))
    assert [row.path for row in rows_of(tmp_path / "helper.rrd")] == ["/started"]
