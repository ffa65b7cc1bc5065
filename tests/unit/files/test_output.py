"""Files appear when they are complete, together, and never in place of others by accident."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from aiorerun.files.output import OutputSet, RrdOutput, total_size
from tests.unit.codec.building import announcement, messages_of, scalar_chunk, stream_of
from tests.unit.files.making import payloads

if TYPE_CHECKING:
    from pathlib import Path


def test_files_appear_together(tmp_path: Path) -> None:
    with OutputSet() as outputs:
        outputs.make_folder(tmp_path / "a" / "b")
        for name in ("one", "two"):
            outputs.new(tmp_path / "a" / "b" / name).write_text(name)
        assert all(each.name.startswith(".") for each in (tmp_path / "a" / "b").iterdir())
    assert {each.name: each.read_text() for each in (tmp_path / "a" / "b").iterdir()} == {
        "one": "one",
        "two": "two",
    }


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with OutputSet() as outputs:
            outputs.make_folder(tmp_path / "a" / "b")
            outputs.new(tmp_path / "a" / "b" / "one").write_text("x")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_others_put_into_a_folder_stays(tmp_path: Path) -> None:
    def fail() -> None:
        with OutputSet() as outputs:
            outputs.make_folder(tmp_path / "a")
            (tmp_path / "a" / "other").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "a" / "other").exists()


def test_what_exists_is_only_replaced_if_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("before")
    with pytest.raises(FileExistsError, match="--force"), OutputSet() as outputs:
        outputs.new(path)
    with OutputSet(force=True) as outputs:
        outputs.new(path).write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    with pytest.raises(IsADirectoryError), OutputSet(force=True) as outputs:
        outputs.new(tmp_path)


@pytest.mark.parametrize("links", [True, False])
def test_what_came_into_being_meanwhile_stays_too(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def no_links(source: object, target: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr("os.link", no_links)

    def clash() -> None:
        with OutputSet() as outputs:
            outputs.new(tmp_path / "one").write_text("ours")
            outputs.new(tmp_path / "two").write_text("ours")
            (tmp_path / "two").write_text("theirs")

    with pytest.raises(FileExistsError):
        clash()
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"two": "theirs"}
    (tmp_path / "two").unlink()
    with OutputSet() as outputs:
        outputs.new(tmp_path / "two").write_text("ours")
    assert [each.name for each in tmp_path.iterdir()] == ["two"]


def test_permissions_are_the_usual_ones(tmp_path: Path) -> None:
    with RrdOutput(tmp_path / "out.bin") as writer:
        writer.write(announcement())
    (tmp_path / "other").touch()
    modes = {stat.S_IMODE(os.stat(each).st_mode) for each in tmp_path.iterdir()}
    assert len(modes) == 1


def test_messages_become_a_complete_stream(tmp_path: Path) -> None:
    messages = messages_of(*(scalar_chunk(f"/e{number}") for number in range(600)))
    with RrdOutput(tmp_path / "out.bin") as writer:
        for message in messages:
            writer.write(message)
        assert writer.nbytes < writer.estimated_nbytes
    data = (tmp_path / "out.bin").read_bytes()
    assert payloads(data) == payloads(stream_of(messages))
    assert writer.num_chunks == 600
    assert writer.has_footer
    assert writer.nbytes == len(data)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), RrdOutput(tmp_path / "missing" / "out.bin"):
        pass


def test_the_size_of_files(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(10))
    assert total_size([tmp_path / "one", tmp_path / "missing", tmp_path / "one"]) == 20
