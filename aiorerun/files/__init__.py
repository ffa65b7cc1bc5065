"""What is done with whole files: ask what they hold, verify, recover, merge, split, convert them.

Chunks go from file to file as the messages they are. Memory does not grow with the files: what has to be
known about every chunk is kept on disk. Everything here blocks; the command line is in :mod:`aiorerun.cli`.
"""

from __future__ import annotations
