"""The command line: a module per command, which reads arguments and prints outcomes.

What commands do to files is in :mod:`aiorerun.files`. All modules of commands are loaded for the help text,
so what they need is imported when they run.
"""

from __future__ import annotations
