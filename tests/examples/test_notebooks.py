"""The example notebooks run from top to bottom, and a viewer gets what they log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat
import pytest
from nbclient import NotebookClient

from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parents[2] / "examples" / "notebooks"
NOTEBOOKS: Final = sorted(FOLDER.glob("*.ipynb"))


class WithViewer(NotebookClient):
    """Runs a notebook with a front end whose viewers are ready at once.

    Attributes:
        messages: Contents and buffers of what viewers got.
    """

    def __init__(self, notebook: Any, folder: Path) -> None:
        place = {"metadata": {"path": folder}}
        super().__init__(notebook, timeout=60, kernel_name="python3", resources=place)
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self._viewers: set[str] = set()

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Sees all that the kernel tells."""
        content = msg["content"]
        if msg["msg_type"] == "comm_open" and content["data"]["state"].get("_model_module") == "anywidget":
            self._viewers.add(content["comm_id"])
        elif msg["msg_type"] == "comm_msg" and content["data"].get("method") == "custom":
            self.messages.append((content["data"]["content"], [*map(bytes, msg["buffers"])]))
        elif msg["msg_type"] == "display_data":
            view = content["data"].get("application/vnd.jupyter.widget-view+json", {})
            if view.get("model_id") in self._viewers:
                data = {"comm_id": view["model_id"], "data": {"method": "custom", "content": "ready"}}
                assert self.kc is not None
                self.kc.shell_channel.send(self.kc.session.msg("comm_msg", data))
        return super().process_message(msg, cell, cell_index)

    @property
    def recordings(self) -> list[bytes]:
        """The RRD streams among the messages."""
        return [buffers[0] for content, buffers in self.messages if content["type"] == "rrd"]


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> WithViewer:
    """Runs a notebook."""
    # Nothing may come from the internet here.
    monkeypatch.setenv("RERUN_NOTEBOOK_ASSET", "http://127.0.0.1:9/widget.js")
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    notebook = nbformat.read(FOLDER / name, as_version=4)  # type: ignore[no-untyped-call]
    client = WithViewer(notebook, folder)
    client.execute()
    printed = [
        output["text"]
        for cell in client.nb.cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream"
    ]
    assert printed == []
    return client


def values_at(recordings: Sequence[bytes], path: str) -> list[float]:
    return [value for data in recordings for value in scalars_of(data, path)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_they_are_kept_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert path.stat().st_size < 10_000


def test_these_are_all() -> None:
    assert [path.name for path in NOTEBOOKS] == ["live.ipynb", "viewer.ipynb"]


def test_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("live.ipynb", tmp_path, monkeypatch)

    heights = values_at(done.recordings, "/height")
    assert len(heights) == 120
    rows = [row for data in done.recordings for row in rows_of(data) if row.path == "/ring"]
    assert [row.times["step"] for row in rows] == [*range(60)]
    # It was shown while it was logged, not in one piece at the end.
    assert sum(bool(scalars_of(data, "/height")) for data in done.recordings) > 2


def test_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("viewer.ipynb", tmp_path, monkeypatch)

    rows = [row for data in done.recordings for row in rows_of(data) if row.path == "/loss"]
    assert [row.recording for row in rows] == ["run 0"] * 100 + ["run 1"] * 100
    assert [content["type"] for content, _ in done.messages[-3:]] == ["recording_id", "time_ctrl", "table"]
    page = next(cell for cell in done.nb.cells if cell["source"].endswith("\npage"))
    [output] = page["outputs"]
    assert "<iframe" in output["data"]["text/html"]
