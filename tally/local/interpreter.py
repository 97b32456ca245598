"""A Python of our own: its command and where it finds modules, never in the folder it starts in."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

OUR_FOLDER = str(Path(__file__).resolve().parents[2])
"""Where the package `tally` is: a checkout, or site-packages."""


def python_command(*arguments: str) -> list[str]:
    """The command of a child Python.

    With -P, since Python would look for modules in the current folder first, and execute a
    `queue.py` of the user's for the standard library's, or a `consumer.py` for our function.
    """
    return [sys.executable, "-P", *arguments]


def python_path(code: str = "") -> dict[str, str]:
    """The variable with which a child Python finds the modules that this process finds.

    Args:
        code: a folder whose modules come before all others, as a function's own do in Lambda.
    """
    started_as_module = sys.modules["__main__"].__spec__ is not None
    puts_folder_first = started_as_module and not sys.flags.safe_path
    path = search_path(sys.path, cwd=str(Path.cwd()), puts_folder_first=puts_folder_first)
    return {"PYTHONPATH": os.pathsep.join([code, *path] if code else path)}


def search_path(path: Sequence[str], *, cwd: str, puts_folder_first: bool) -> list[str]:
    """Where a child looks for modules: where this process does, except in the current folder.

    The current folder stays if something else than the way Python was started names it, such as
    an editable install. Our own packages are found in any case.

    Args:
        path: this process's `sys.path`.
        cwd: the current folder.
        puts_folder_first: whether Python itself has added the current folder, as `python -m` does.
    """
    # The empty item is what `python -c` and a prompt add. In PYTHONPATH it would mean the same.
    found = [str(Path(cwd, item)) for item in path if item]
    if puts_folder_first and cwd in found:
        found.remove(cwd)
    return found if OUR_FOLDER in found else [OUR_FOLDER, *found]
