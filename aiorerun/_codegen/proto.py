"""Generates the message classes: ``python -m aiorerun._codegen.proto [--check]``.

Needs ``grpcio-tools`` (for its ``protoc``) and ``betterproto2_compiler``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent.parent / "proto"
DEFINITIONS: Final = PACKAGE / "definitions"
_PLUGIN: Final = "protoc-gen-python_betterproto2"


def generate() -> dict[str, str]:
    """All generated modules: path below ``aiorerun/proto``, and text."""
    plugin = _plugin()
    with tempfile.TemporaryDirectory() as directory:
        command = [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            f"--proto_path={DEFINITIONS}",
            f"--plugin={_PLUGIN}={plugin}",
            f"--python_betterproto2_out={directory}",
            "--python_betterproto2_opt=client_generation=async",
            "--python_betterproto2_opt=server_generation=async",
            *sorted(str(path.relative_to(DEFINITIONS)) for path in DEFINITIONS.rglob("*.proto")),
        ]
        # The compiler formats what it writes with the ruff it finds, by the settings of where it runs.
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(plugin.parent), os.environ.get("PATH", "")]),
        }
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        written = sorted(Path(directory).rglob("*.py"))
        return {path.relative_to(directory).as_posix(): path.read_text() for path in written}


def _plugin() -> Path:
    """The betterproto2 compiler that was installed beside this interpreter."""
    suffix = ".exe" if sys.platform == "win32" else ""
    plugin = Path(sysconfig.get_path("scripts")) / f"{_PLUGIN}{suffix}"
    if not plugin.is_file():
        raise SystemExit(f"{plugin} is missing: pip install betterproto2_compiler")
    return plugin


def outdated(texts: dict[str, str]) -> list[str]:
    """Modules that differ from what is there, are missing, or should not be there any more."""
    present = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}
    return sorted(path for path in {*texts, *present} if texts.get(path) != present.get(path))


def write(texts: dict[str, str]) -> None:
    """Puts the modules where they belong, and removes those that are no longer generated."""
    for path in outdated(texts):
        target = PACKAGE / path
        if path in texts:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(texts[path])
        else:
            target.unlink()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; the result is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m aiorerun._codegen.proto", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 if anything differs")
    arguments = parser.parse_args(argv)
    texts = generate()
    different = outdated(texts)
    for path in different:
        print(f"{'differs' if arguments.check else 'written'}: {path}")
    if arguments.check:
        return 1 if different else 0
    write(texts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
