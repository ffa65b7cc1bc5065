"""Runs the scripted cases with one SDK: ``python -m tests.conformance.running rerun FOLDER MODE``."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.conformance.cases.registry import APPLICATION, Case, all_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS: Final = "rows"
"""Every row is a chunk."""
BATCHED: Final = "batched"
"""All rows wait until the file is closed."""
MODES: Final = (ROWS, BATCHED)

ENVIRONMENT: Final[Mapping[str, str]] = {"RERUN_LOG_TICK": "0"}
ROWS_ENVIRONMENT: Final[Mapping[str, str]] = {"RERUN_FLUSH_NUM_ROWS": "0"}


def environment(mode: str) -> dict[str, str]:
    """The variables under which the cases run."""
    return {**ENVIRONMENT, **(ROWS_ENVIRONMENT if mode == ROWS else {})}


def options(rr: Any, mode: str) -> dict[str, Any]:
    """The arguments of the streams."""
    # The start time differs, and so would the properties.
    return {"send_properties": False} | (
        {} if mode == ROWS else {"batcher_config": rr.ChunkBatcherConfig.NEVER()}
    )


def run_case(rr: Any, case: Case, path: Path, mode: str) -> None:
    """Runs one case with a blocking API; the file is complete afterwards."""
    rec = rr.RecordingStream(APPLICATION, recording_id=case.name, **options(rr, mode))
    rec.save(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.run(rr, rec)
    wrong = [str(warning.message) for warning in caught if "DeprecationWarning" not in repr(warning)]
    assert not wrong, (case.name, wrong)
    rec.flush()
    rec.disconnect()


def main() -> None:
    """Runs all cases; a case that raises is reported and leaves no file."""
    module, folder, mode = sys.argv[1:]
    os.environ.update(environment(mode))
    rr = importlib.import_module(module)
    rr.set_strict_mode(True)
    failed = False
    for case in all_cases().values():
        path = Path(folder) / f"{case.name}.rrd"
        try:
            run_case(rr, case, path, mode)
        except Exception as error:
            print(f"{case.name}: {type(error).__name__}: {error}", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
