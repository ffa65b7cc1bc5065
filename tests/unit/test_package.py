"""The package as a whole: what importing it costs, what it offers, and what the wheel holds."""

from __future__ import annotations

import ast
import email
import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import aiorerun
import aiorerun.sync

ROOT = Path(__file__).parents[2]
PACKAGES = ("aiorerun", "aiorerun.sync")
ATTRIBUTES = {"aiorerun.sync": {"error_utils", "recording_stream", "sinks", "time"}}
"""Offered, as by the official package, and left out of star imports, where they would hide other modules."""
HEAVY = {
    "aiohttp",
    "anyio",
    "betterproto2",
    "google",
    "grpclib",
    "h2",
    "numpy",
    "opentelemetry",
    "PIL",
    "psutil",
    "pyarrow",
    "pytest",
    "rerun",
    "structlog",
    "xxhash",
}


def modules_after(code: str) -> set[str]:
    """The modules that a new interpreter has imported after some code."""
    report = "\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}{report}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_import_is_light(package: str) -> None:
    assert modules_after(f"import {package}") & HEAVY == set()


def test_a_row_of_plain_values_needs_no_arrow() -> None:
    assert "pyarrow" not in modules_after(
        "import aiorerun as rr\nrr.Scalars(1.5)\nrr.TextLog('x', level='INFO')"
    )


def test_logging_to_a_file_imports_nothing_that_is_not_needed(tmp_path: Path) -> None:
    code = f"""
import aiorerun.sync as rr
rr.init("x")
rr.save({str(tmp_path / "x.rrd")!r})
rr.log("a", rr.Scalars(1.0))
rr.disconnect()
"""

    # Not pandas either: `pyarrow.array` imports it wherever it is installed, which takes long and, while the
    # interpreter shuts down, fails. Nor the compute functions, as `take` of an array does: they take a fifth
    # of the CPU time of such a program.
    unneeded = {"grpclib", "h2", "psutil", "PIL", "pandas", "pyarrow.compute"}
    assert modules_after(code) & unneeded == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_exist_and_are_listed(package: str) -> None:
    module = importlib.import_module(package)

    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_what_is_offered_at_run_time(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    declared: dict[str, object] = {}
    for block in tree.body:
        if (
            isinstance(block, ast.If)
            and isinstance(block.test, ast.Name)
            and block.test.id == "TYPE_CHECKING"
        ):
            for statement in block.body:
                assert isinstance(statement, ast.ImportFrom)
                assert statement.module is not None
                home = importlib.import_module(statement.module)
                if statement.names[0].name == "*":
                    declared |= {name: getattr(module, name) for name in home.__all__}
                    continue
                for alias in statement.names:
                    declared[alias.asname or alias.name] = getattr(
                        home, alias.name, sys.modules.get(f"{statement.module}.{alias.name}")
                    )

    offered = {*module.__all__, *ATTRIBUTES.get(package, ())} - {"__version__"}
    assert set(declared) == offered
    for name in offered:
        assert getattr(module, name) is declared[name], name


def test_both_faces_offer_the_same_names() -> None:
    asynchronous = set(aiorerun.__all__) - {"AsyncRecordingStream"}

    assert asynchronous == set(aiorerun.sync.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_star_import_and_unknown_names(package: str) -> None:
    module = importlib.import_module(package)
    namespace: dict[str, object] = {}
    exec(f"from {package} import *", namespace)

    assert set(module.__all__) <= set(namespace)
    assert not namespace.keys() & ATTRIBUTES.get(package, set())
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_is_pure_and_complete(wheel: Path) -> None:
    assert wheel.name == f"aiorerun-{aiorerun.__version__}-py3-none-any.whl"
    package = ROOT / "aiorerun"
    modules = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] != "_codegen"
    }

    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    page = {str(path.relative_to(ROOT)) for path in (package / "viewer" / "page").iterdir()}
    # No generator, no tests, no data of theirs: the modules, the page of the web viewer, and the marker of
    # typed packages, nothing else.
    assert names == modules | page | {"aiorerun/py.typed"}
    assert len(page) == 6


def test_wheel_carries_licenses_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        folder = info.rpartition("/")[0]
        metadata = email.message_from_bytes(archive.read(info))
        licenses = {name for name in archive.namelist() if name.startswith(f"{folder}/licenses/")}

    assert licenses == {f"{folder}/licenses/LICENSE-MIT", f"{folder}/licenses/LICENSE-APACHE"}
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    extras = [
        "aiohttp",
        "demo",
        "images",
        "notebook",
        "opentelemetry",
        "progress",
        "structlog",
        "system",
        "video",
        "web",
    ]
    assert set(metadata.get_all("Provides-Extra", [])) == {*extras, "dev", "interop"}
