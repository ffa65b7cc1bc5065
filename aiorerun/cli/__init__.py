"""The command line: a module per command, which reads arguments and prints outcomes.

What commands do to files is in :mod:`aiorerun.files`. Modules of commands are loaded for the help text of all,
so what they need is imported when they run.
"""

from __future__ import annotations
