"""Where the page's files come from, and their compressed forms."""

from __future__ import annotations

import gzip
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from aiorerun.viewer import assets as module
from aiorerun.viewer.assets import Asset, compress_assets, default_cache, find_assets

WASM = os.urandom(3000) * 1000
NAMES = ("widget.js", "widget.css", "re_viewer_bg.wasm")


@pytest.fixture
def widget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package like rerun-notebook, the only one that is found."""
    package = tmp_path / "package"
    (package / "static").mkdir(parents=True)
    (package / "static" / "widget.js").write_text("// script\n" * 1000)
    (package / "static" / "widget.css").write_text("p {}\n")
    (package / "static" / "re_viewer_bg.wasm").write_bytes(WASM)
    spec = importlib.machinery.ModuleSpec(module.PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return package / "static"


def never() -> bool:
    return False


def test_all_files_are_there_with_their_types(widget: Path) -> None:
    assets = find_assets()
    assert {path: asset.content_type for path, asset in assets.items()} == {
        "/": "text/html; charset=utf-8",
        "/index.html": "text/html; charset=utf-8",
        "/page.js": "text/javascript; charset=utf-8",
        "/page.css": "text/css; charset=utf-8",
        "/icon.svg": "image/svg+xml",
        "/widget.js": "text/javascript; charset=utf-8",
        "/widget.css": "text/css; charset=utf-8",
        "/re_viewer_bg.wasm": "application/wasm",
    }
    assert assets["/re_viewer_bg.wasm"].nbytes == len(WASM)
    assert len({asset.etag for asset in assets.values()}) == len(assets) - 1
    assert all(asset.path.stat().st_size == asset.nbytes for asset in assets.values())


def test_the_page_of_a_recording_is_another_one(widget: Path) -> None:
    plain, live = find_assets(), find_assets("live.html")
    assert set(live) - set(plain) == {"/live.html", "/live.js"}
    assert set(plain) - set(live) == {"/index.html"}
    assert live["/"] is live["/live.html"]


@pytest.mark.parametrize("page", ["index.html", "live.html"])
def test_the_page_needs_nothing_but_these_files(page: str) -> None:
    names = {"page.js", "page.css", "icon.svg", *NAMES}
    text = (module.PAGE / page).read_text()
    links = [part.partition('"')[0] for mark in ('src="', 'href="') for part in text.split(mark)[1:]]
    assert set(links) <= names
    for path in module.PAGE.iterdir():
        assert "//cdn" not in path.read_text()
        assert "https://" not in path.read_text()


def test_an_etag_changes_with_the_file(widget: Path) -> None:
    before = find_assets()
    os.utime(widget / "widget.js", ns=(1, 1))
    after = find_assets()
    changed = {path for path in before if before[path].etag != after[path].etag}
    assert changed == {"/widget.js"}


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"not installed: pip install 'aiorerun\[web\]'"):
        find_assets()


def test_a_package_of_another_kind_is_told_apart(widget: Path) -> None:
    (widget / "re_viewer_bg.wasm").unlink()
    with pytest.raises(ImportError, match=r"no web viewer of the kind.*aiorerun\[web\]"):
        find_assets()


def test_large_files_are_compressed_once(widget: Path, tmp_path: Path) -> None:
    assets = find_assets()
    compress_assets(assets, tmp_path / "cache", never)
    packed = assets["/re_viewer_bg.wasm"].compressed
    assert packed is not None
    path, nbytes = packed
    assert gzip.decompress(path.read_bytes()) == WASM
    assert nbytes == path.stat().st_size < len(WASM)
    assert assets["/widget.js"].compressed is not None
    assert assets["/widget.css"].compressed is None
    assert assets["/page.js"].compressed is None
    inode = path.stat().st_ino
    again = find_assets()
    compress_assets(again, tmp_path / "cache", never)
    assert again["/re_viewer_bg.wasm"].compressed == packed
    assert path.stat().st_ino == inode
    assert not list((tmp_path / "cache").glob(".new-*"))


def test_an_unfinished_file_in_the_cache_is_made_again(widget: Path, tmp_path: Path) -> None:
    assets = find_assets()
    compress_assets(assets, tmp_path / "cache", never)
    packed = assets["/widget.js"].compressed
    assert packed is not None
    for damage in (b"", packed[0].read_bytes()[:-10]):
        packed[0].write_bytes(damage)
        compress_assets(find_assets(), tmp_path / "cache", never)
        assert gzip.decompress(packed[0].read_bytes()) == (widget / "widget.js").read_bytes()


def test_it_stops_when_nobody_wants_it_any_more(widget: Path, tmp_path: Path) -> None:
    assets = find_assets()
    asked = iter([False, False, True])
    compress_assets(assets, tmp_path / "cache", lambda: next(asked, True))
    assert assets["/re_viewer_bg.wasm"].compressed is None
    assert not [path for path in (tmp_path / "cache").iterdir() if "wasm" in path.name or path.name[0] == "."]


def test_a_cache_that_cannot_be_written_is_no_error(widget: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    assets = find_assets()
    compress_assets(assets, tmp_path / "cache", never)
    assert all(asset.compressed is None for asset in assets.values())


def test_old_files_are_forgotten(widget: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for number in range(10):
        old = cache / f"old-{number}.wasm.gz"
        old.write_bytes(b"x")
        os.utime(old, (number, number))
    compress_assets(find_assets(), cache, never)
    kept = {path.name for path in cache.iterdir()}
    assert len(kept) == module._KEPT
    assert {"old-9.wasm.gz", "old-8.wasm.gz"} <= kept


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("/var/cache", "/var/cache"), ("relative", "{home}/.cache"), (None, "{home}/.cache")],
)
def test_the_cache_is_where_the_user_keeps_caches(
    wanted: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if wanted is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", wanted)
    assert default_cache() == Path(expected.format(home=Path.home())) / "aiorerun" / "web-viewer"


def test_an_asset_says_what_it_is() -> None:
    asset = Asset(Path("a.js"), 1, "text/javascript", '"1"', is_fixed=True)
    assert asset.compressed is None
