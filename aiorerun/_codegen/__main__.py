"""The command: ``python -m aiorerun._codegen [--check] [--extract FILE] [--test-data FOLDER]``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from aiorerun._codegen import archetypes, exports, test_data, types, views
from aiorerun._codegen.extract import dumps, extract
from aiorerun._codegen.model import DATA, Model
from aiorerun._codegen.source import HEADER

PACKAGE = Path(__file__).parent.parent


def generate() -> dict[str, str]:
    """All generated modules: path below the package, and formatted text."""
    texts: dict[str, str] = {}
    for model in (Model.load(), Model.load("blueprint")):
        for writer in (archetypes, types, views, exports):
            texts.update(writer.modules(model))
    return {path: _formatted(path, text) for path, text in sorted(texts.items())}


def _formatted(path: str, text: str) -> str:
    # The formatter is pinned, so the text is the same everywhere.
    for arguments in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(PACKAGE / path), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{path}: {done.stderr}\n{text}")
        text = done.stdout
    return text


def outdated(texts: dict[str, str]) -> list[str]:
    """Modules that differ from what is there, are missing, or should not be there any more."""
    different = [
        path
        for path, text in texts.items()
        if not (PACKAGE / path).is_file() or (PACKAGE / path).read_text() != text
    ]
    return sorted({*different, *_orphans(texts)})


def _orphans(texts: dict[str, str]) -> list[str]:
    found = [
        path
        for package in ("archetypes", "components", "datatypes", "blueprint")
        for path in (PACKAGE / package).rglob("*.py")
        if path.read_text().startswith(HEADER)
    ]
    return [str(path.relative_to(PACKAGE)) for path in found if str(path.relative_to(PACKAGE)) not in texts]


def main(argv: list[str] | None = None) -> int:
    """Runs the command; the result is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m aiorerun._codegen", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 if anything differs")
    parser.add_argument("--extract", metavar="FILE", help="first take the data out of a full description")
    parser.add_argument("--test-data", metavar="FOLDER", help="also take the tests' data out of recordings")
    arguments = parser.parse_args(argv)
    if arguments.extract:
        DATA.write_text(dumps(extract(json.loads(Path(arguments.extract).read_text()))))
    if arguments.test_data:
        folder = PACKAGE.parent / "tests" / "data"
        models = (Model.load(), Model.load("blueprint"))
        for written in test_data.write(models, Path(arguments.test_data), folder):
            sys.stdout.write(f"wrote: {written.name}\n")
    texts = generate()
    stale = outdated(texts)
    if arguments.check:
        sys.stdout.writelines(f"differs: {path}\n" for path in stale)
        return 1 if stale else 0
    for path in stale:
        if path in texts:
            (PACKAGE / path).parent.mkdir(parents=True, exist_ok=True)
            (PACKAGE / path).write_text(texts[path])
        else:
            (PACKAGE / path).unlink()
        sys.stdout.write(f"wrote: {path}\n" if path in texts else f"removed: {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
