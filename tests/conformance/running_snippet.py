"""Runs one script with the official SDK: only its imports are changed.

``python tests/conformance/running_snippet.py SCRIPT [ARGUMENTS]``
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

IMPORTS: Final = re.compile(r"^(import|from) aiorerun\.sync\b", re.MULTILINE)


def official(source: str) -> str:
    """The same script for the official SDK."""
    changed, number = IMPORTS.subn(r"\1 rerun", source)
    assert number, "the script does not import aiorerun.sync"
    return changed


if __name__ == "__main__":
    del sys.argv[0]
    script = Path(sys.argv[0])
    # Under its own name, so that what lies beside it is found.
    code = compile(official(script.read_text()), str(script), "exec")
    exec(code, {"__name__": "__main__", "__file__": str(script)})
