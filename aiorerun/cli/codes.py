"""The exit codes of all commands."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
TERMINATED: Final = 143

EPILOG: Final = """\
exit codes:
  0    done; for `verify`: nothing is wrong
  1    it failed, or `verify` found a problem, or `cat` and `tail` found no row: see the messages
  2    the arguments make no sense, or an extra is not installed
  130  interrupted (Ctrl-C)
  141  whoever read the output closed it
  143  terminated
Whatever the code, files appear complete or not at all.
"""
