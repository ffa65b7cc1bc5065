"""Rerun's widget, from the package ``rerun-notebook``."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def load() -> Any:
    """The module that has the widget.

    The first time it loads half of Jupyter, and with ``RERUN_NOTEBOOK_ASSET=inline`` or ``serve-local`` it
    compresses the viewer, which takes seconds. So it is rather for a thread than for an event loop.

    Raises:
        ImportError: The extra ``notebook`` is not installed.
        ValueError: ``RERUN_NOTEBOOK_ASSET`` is neither of these two, nor the URL of a ``widget.js``.
    """
    try:
        import rerun_notebook
    except ModuleNotFoundError as error:
        raise ImportError(
            f"viewers in notebooks need the package rerun-notebook ({error.name} is not installed): "
            "pip install 'aiorerun[notebook]'",
            name=error.name,
        ) from error
    return rerun_notebook


def is_loaded() -> bool:
    """Whether :func:`load` has nothing to do any more."""
    return "rerun_notebook" in sys.modules


def display(widget: Any) -> None:
    """Shows a widget below the cell that runs."""
    from aiorerun.widget.kernel import in_marimo

    if in_marimo():
        importlib.import_module("marimo").output.append(widget)
        return
    show: Callable[[Any], object] = importlib.import_module("IPython.display").display
    error_widget = getattr(load(), "ErrorWidget", None)
    if error_widget is not None:
        # It tells in the browser if the widget's script cannot be loaded from where it was to come from.
        show(error_widget())
    show(widget)
