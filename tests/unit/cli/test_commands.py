"""Each command: what it prints, what it writes, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from aiorerun.cli import codes
from aiorerun.cli.main import main
from aiorerun.cli.notes import Notes
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MESSAGE_HEADER
from aiorerun.files.reading import Note
from tests.unit.codec.building import FRAME, STORE, chunk, component, index, messages_of, stream_of
from tests.unit.files.making import assert_footer_is_right, chunk_payloads, payloads, scalars
from tests.unit.recording.making import everything, one_recording

if TYPE_CHECKING:
    from aiorerun.types.store import StoreId

ROOT = Path(__file__).parents[3]

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("all.rrd")
    path.write_bytes(everything())
    return path


@pytest.fixture
def cut(complete: Path) -> Path:
    """The same one cut off in its footer."""
    path = Path("cut.rrd")
    path.write_bytes(complete.read_bytes()[:-200])
    return path


def test_info_for_people(complete: Path, cut: Path, capsys: Captured) -> None:
    assert main(["info", str(complete), str(cut)]) == codes.DONE
    printed = capsys.readouterr()
    assert "all.rrd: " in printed.out
    assert "with a footer" in printed.out
    assert "no footer" in printed.out
    assert "recording 'demo' of application 'app'" in printed.out
    assert "8 rows in 5 chunks" in printed.out
    assert "label (static)" in printed.out
    assert "1970-01-01T00:00:00.000000010Z" in printed.out
    assert printed.err.startswith("aiorerun info: cut.rrd:")


def test_info_for_programs(complete: Path, capsys: Captured) -> None:
    assert main(["info", "--json", str(complete)]) == codes.DONE
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["file"], found["bytes"], found["format"]) == ("all.rrd", complete.stat().st_size, "0.41.0")
    assert (found["has_footer"], found["is_by_footer"], found["notes"]) == (True, True, [])
    assert [each["kind"] for each in found["recordings"]] == ["recording", "recording", "blueprint"]
    first = found["recordings"][0]
    assert (first["application_id"], first["recording_id"], first["rows"], first["chunks"]) == (
        "app",
        "demo",
        8,
        5,
    )
    assert first["timelines"]["frame"] == {"kind": "sequence", "start": 0, "end": 3}
    assert first["entities"]["/wave"]["components"]["Scalars:scalars"] == {
        "archetype": "rerun.archetypes.Scalars",
        "component_type": "rerun.components.Scalar",
        "type": "double",
        "is_static": False,
    }


def test_info_goes_on_after_a_file_that_is_none(complete: Path, capsys: Captured) -> None:
    Path("other.rrd").write_text("something else entirely")
    assert main(["info", "missing.rrd", "other.rrd", str(complete)]) == codes.FAILED
    printed = capsys.readouterr()
    assert "missing.rrd" in printed.err
    assert "not an RRD stream" in printed.err
    assert "demo" in printed.out


def test_cat(complete: Path, capsys: Captured) -> None:
    assert main(["cat", "points", str(complete)]) == codes.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[3] == 'frame=0  label="z"'
    assert main(["cat", "/points", str(complete), "--component", "label", "--json"]) == codes.DONE
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["components"]["label"] for row in rows] == [["a"], ["b"], ["z"], ["always"]]
    assert main(["cat", "/points", str(complete), "--recording", "other"]) == codes.FAILED
    assert "no such rows of /points" in capsys.readouterr().err
    assert main(["cat", "/nothing", str(complete)]) == codes.FAILED


def test_cat_tells_recordings_apart(complete: Path, capsys: Captured) -> None:
    streams = [stream_of(messages_of(scalars("/a", [1]), store=store)) for store in _stores()]
    # The footers of joined files do not say where chunks are: no file for the official program.
    joined = complete.with_suffix(".bin")
    joined.write_bytes(b"".join(streams))
    assert main(["cat", "/a", str(joined)]) == codes.DONE
    assert capsys.readouterr().out.splitlines() == [
        "frame=1  Scalars:scalars=1", "==> second <==", "frame=1  Scalars:scalars=1",
    ]  # fmt: skip


def _stores() -> list[StoreId]:
    return [STORE, STORE._replace(recording_id="second")]


def test_tail(complete: Path, cut: Path, capsys: Captured) -> None:
    assert main(["tail", "-n", "2", "/points", str(complete)]) == codes.DONE
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["tail", "-n", "0", "/points", str(complete)]) == codes.DONE
    assert main(["tail", "/points", str(cut)]) == codes.DONE
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert main(["tail", "/nothing", str(complete)]) == codes.FAILED
    assert main(["tail", "-n", "-1", "/points", str(complete)]) == codes.USAGE


def test_following_ends_with_the_stream(complete: Path, capsys: Captured) -> None:
    assert main(["tail", "-f", "-n", "3", "/points", str(complete)]) == codes.DONE
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_following_what_is_no_file_of_rerun_fails(complete: Path, capsys: Captured) -> None:
    other = Path("other.rrd")
    other.write_bytes(b"no recording at all" * 10)
    assert main(["tail", "-f", "/points", str(other)]) == codes.FAILED
    assert "other.rrd" in capsys.readouterr().err
    data = complete.read_bytes()
    end = list(iter_messages(data))[-1].offset - MESSAGE_HEADER.size
    other.write_bytes(data[:end] + b"\xff" * 400)
    assert main(["tail", "-f", "/points", "-n", "1", str(other)]) == codes.FAILED
    assert "label=" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_rows_are_printed_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    text = "漢字 \N{GRINNING FACE} é"
    made = chunk("/e", 1, [index(FRAME, [1])], [component("x", [[text]], pa.string())])
    path = one_recording(tmp_path / "one.rrd", [made])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def printed(*arguments: str) -> str:
        command = [sys.executable, "-m", "aiorerun", *arguments, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (codes.DONE, b"")
        return done.stdout.decode(encoding)

    for command in ("cat", "tail"):
        shown = text if encoding == "utf-8" else text.encode(encoding, "backslashreplace").decode(encoding)
        assert printed(command, "/e") == f'frame=1  x="{shown}"\n'
        row = printed(command, "--json", "/e")
        assert json.loads(row)["components"] == {"x": [text]}
        assert row.isascii() == (encoding != "utf-8")
    assert json.loads(printed("info", "--json"))


def test_following_gives_rows_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "growing.rrd"
    data = stream_of(messages_of(*(scalars("/a", [frame]) for frame in range(6)), scalars("/b", [1])))
    half = len(data) // 2
    path.write_bytes(data[:half])
    command = [sys.executable, "-m", "aiorerun", "tail", "-f", "-n", "1", "/a", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("frame=")
            with path.open("ab") as file:
                file.write(data[half:])
            rest = process.stdout.read().splitlines()
            assert process.wait(30) == 0
        finally:
            watchdog.cancel()
            process.kill()
    frames = [int(line.split()[0].removeprefix("frame=")) for line in (first, *rest)]
    assert frames == list(range(frames[0], 6))
    assert frames[0] < 5


def test_verify(complete: Path, cut: Path, capsys: Captured) -> None:
    assert main(["verify", str(complete)]) == codes.DONE
    assert capsys.readouterr().out == "all.rrd: ok; 10 rows in 7 chunks of 3 recordings and blueprints\n"
    assert main(["verify", str(cut), "missing.rrd", str(complete)]) == codes.FAILED
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith("cut.rrd:")
    assert int(lines[0].split(":")[1]) < cut.stat().st_size
    assert "2 problems" in lines[2]
    assert lines[3].startswith("all.rrd: ok")
    assert "missing.rrd: No such file" in printed.err
    Path("unfinished.rrd").write_bytes(everything(write_footer=False))
    assert main(["verify", "unfinished.rrd"]) == codes.FAILED
    assert main(["verify", "--ignore-footers", "unfinished.rrd"]) == codes.DONE


def test_recover(cut: Path, capsys: Captured) -> None:
    before = cut.read_bytes()
    assert main(["recover", str(cut)]) == codes.DONE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "dropped bytes" in printed.err
    assert "cut.recovered.rrd: kept 10 rows in 7 chunks (11 messages)" in printed.err
    assert_footer_is_right(Path("cut.recovered.rrd"))
    assert cut.read_bytes() == before
    assert main(["recover", str(cut)]) == codes.FAILED
    assert "--force" in capsys.readouterr().err
    assert main(["recover", str(cut), "--force"]) == codes.DONE
    assert main(["recover", str(cut), "-o", "named.rrd"]) == codes.DONE
    assert Path("named.rrd").exists()
    assert main(["recover", "-"]) == codes.USAGE


def test_recover_says_when_nothing_is_lost(complete: Path, capsys: Captured) -> None:
    assert main(["recover", str(complete)]) == codes.DONE
    assert "dropped nothing\n" in capsys.readouterr().err


def test_recover_lists_only_so_many_losses(
    complete: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiorerun.files.recover._MAX_LISTED", 1)
    data = bytearray(stream_of(messages_of(*(scalars("/a", [frame]) for frame in range(5)))))
    for payload in chunk_payloads(bytes(data))[1:4:2]:
        place = data.index(payload)
        data[place + 60 : place + 200] = bytes(140)
    complete.with_suffix(".bin").write_bytes(bytes(data))
    assert main(["recover", "all.bin"]) == codes.DONE
    assert "dropped 1 more stretches" in capsys.readouterr().err


def test_merge(complete: Path, cut: Path, capsys: Captured) -> None:
    assert main(["merge", str(complete), str(cut), "-o", "merged.rrd"]) == codes.DONE
    printed = capsys.readouterr().err
    assert "merged.rrd: 10 rows in 7 chunks of 3 recordings and blueprints" in printed
    assert "7 repeated ones left out" in printed
    assert "cut off" in printed
    assert main(["merge", str(complete), "-o", "merged.rrd"]) == codes.FAILED
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(complete)])
    assert ended.value.code == codes.USAGE


def test_standard_input_and_output(tmp_path: Path) -> None:
    one, two = (stream_of(messages_of(scalars(path, [1]))) for path in ("/a", "/b"))
    (tmp_path / "one.rrd").write_bytes(one)
    command = [sys.executable, "-m", "aiorerun", "merge", "-", str(tmp_path / "one.rrd"), "-o", "-"]
    done = subprocess.run(command, cwd=ROOT, input=two, capture_output=True, timeout=60, check=True)
    assert chunk_payloads(done.stdout) == chunk_payloads(two) + chunk_payloads(one)
    assert done.stdout[-12:-4] == b"RRF2FOOT"
    command = [sys.executable, "-m", "aiorerun", "recover", "-", "-o", "-"]
    done = subprocess.run(command, cwd=ROOT, input=two[:-9], capture_output=True, timeout=60, check=True)
    assert payloads(done.stdout) == payloads(two)


def test_split_by_size(complete: Path, capsys: Captured) -> None:
    assert main(["split", str(complete), "-o", "parts", "--size", "1kB"]) == codes.DONE
    printed = capsys.readouterr().out.splitlines()
    assert printed == sorted(str(each) for each in Path("parts").iterdir())
    assert len(printed) > 1
    assert main(["merge", *printed, "-o", "again.rrd"]) == codes.DONE
    assert sorted(chunk_payloads(Path("again.rrd").read_bytes())) == sorted(
        chunk_payloads(complete.read_bytes())
    )


def test_split_by_time(complete: Path, capsys: Captured) -> None:
    assert main(["split", str(complete), "-o", "a", "--timeline", "frame", "--every", "2"]) == codes.DONE
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert (
        main(["split", str(complete), "-o", "b", "--timeline", "frame", "-t", "1", "-t", "2"]) == codes.DONE
    )
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["split", str(complete), "-o", "c", "--timeline", "clock", "--every", "15ns"]) == codes.DONE
    assert len(capsys.readouterr().out.splitlines()) == 3
    times = ["--timeline", "clock", "--time", "1970-01-01T00:00:00.000001"]
    assert main(["split", str(complete), "-o", "d", *times]) == codes.DONE


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "10 bananas"],
        ["--size", "1kB", "--timeline", "frame"],
        ["--every", "1"],
        ["--timeline", "frame", "--every", "1.5h"],
        ["--timeline", "clock", "--time", "soon"],
        ["--timeline", "clock", "--time", "3000-01-01"],
        ["--timeline", "since", "--time", "200000d"],
        ["--timeline", "since", "--every", "200000d"],
    ],
)
def test_wrong_use_of_split(complete: Path, arguments: list[str], capsys: Captured) -> None:
    assert main(["split", str(complete), "-o", "parts", *arguments]) == codes.USAGE
    assert capsys.readouterr().err.startswith("aiorerun split: ")
    assert not Path("parts").exists()


def test_split_names_the_timelines_there_are(complete: Path, capsys: Captured) -> None:
    assert main(["split", str(complete), "-o", "p", "--timeline", "x", "--every", "1"]) == codes.FAILED
    assert "there are: 'clock', 'frame', 'since'" in capsys.readouterr().err


def test_to_parquet(complete: Path, capsys: Captured) -> None:
    assert main(["to-parquet", str(complete), "-o", "out"]) == codes.DONE
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(each) for each in Path("out").rglob("*.parquet"))
    assert main(["to-parquet", str(complete), "-o", "out"]) == codes.FAILED
    assert main(["to-parquet", str(complete), "-o", "some", "--entity", "wave"]) == codes.DONE
    assert capsys.readouterr().out.splitlines() == ["some/app/demo/wave.parquet"]


def test_only_so_many_notes_are_printed(capsys: Captured) -> None:
    notes = Notes("merge")
    for offset in range(25):
        notes(Note("x", offset, "left out"))
    notes.finish()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "aiorerun merge: and 5 more like these"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_reader_that_closes_its_pipe_is_no_error(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.rrd", [scalars("/a", list(range(5000)))])
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "aiorerun", "cat", "/a", str(path)]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (codes.BROKEN_PIPE, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_files_are_not_for_terminals(tmp_path: Path) -> None:
    import pty

    path = one_recording(tmp_path / "one.rrd")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aiorerun", "merge", str(path), "-o", "-"]
    done = subprocess.run(command, cwd=ROOT, stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == codes.USAGE
    assert b"terminal" in done.stderr
