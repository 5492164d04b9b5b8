# SPDX-License-Identifier: Apache-2.0
"""What is written down about the process that executes a run."""

from __future__ import annotations

import contextvars
import functools
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from enact.values import mark, name_rule, redact, without_live


def describe_process() -> dict[str, Any]:
    """Facts about this process and its program, as plain data.

    Returns:
        ``python``, ``platform``, ``pid``, ``host``, ``argv``; and ``git``, where the
        program lies in a working tree: its ``commit``, and whether it is ``dirty``
        (null until that is known: git is asked in the background).

    >>> describe_process()["python"].startswith("3.")
    True
    """
    facts = dict(_constant())
    facts["argv"] = [without_live(argument) for argument in facts["argv"]]
    tree = _working_tree()
    if tree is not None:
        facts["git"] = {"commit": _commit(tree, _seconds() // 1), "dirty": _dirty(tree)}
    return facts


@functools.lru_cache(maxsize=1)
def _constant() -> dict[str, Any]:
    import platform
    import socket

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "argv": list(_without_credentials(sys.argv)),
    }


def _without_credentials(argv: list[str]) -> Iterator[str]:
    """The command line without what looks like a credential, or is named as one."""
    name = ""
    for argument in argv:
        rule = name_rule(name, argument)
        yield redact(argument) if rule is None else mark(rule)
        name = argument.lstrip("-") if argument.startswith("-") else ""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_constant.cache_clear)

_ASK_AGAIN = 5.0
_seconds = time.monotonic

_DIST_INFO = re.compile(r"(.+)-([^-]+)\.dist-info")


@functools.lru_cache(maxsize=1)
def installed_packages() -> dict[str, str]:
    """Versions of the installed distributions, by name.

    They are taken from the names of their directories: reading each takes longer.
    """
    found: dict[str, str] = {}
    for directory in sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for match in filter(None, map(_DIST_INFO.fullmatch, names)):
            found.setdefault(match[1].replace("_", "-").lower(), match[2])
    return dict(sorted(found.items()))


@functools.lru_cache(maxsize=1)
def _working_tree() -> str | None:
    """The directory with ``.git`` that the program is in."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    directory = os.path.dirname(os.path.abspath(main)) if main else os.getcwd()
    for start in (directory, os.getcwd()):
        while True:
            if os.path.exists(os.path.join(start, ".git")):
                return start
            above = os.path.dirname(start)
            if above == start:
                break
            start = above
    return None


@functools.lru_cache(maxsize=8)
def _commit(tree: str, second: float) -> str | None:
    """The commit that is checked out, read from git's own files."""
    try:
        git = os.path.join(tree, ".git")
        if os.path.isfile(git):  # of a further working tree
            git = os.path.join(tree, _read(git).removeprefix("gitdir:").strip())
        head = _read(os.path.join(git, "HEAD")).strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        common = os.path.join(git, "commondir")
        if os.path.exists(common):
            git = os.path.join(git, _read(common).strip())
        loose = os.path.join(git, name)
        if os.path.exists(loose):
            return _read(loose).strip()
        for line in _read(os.path.join(git, "packed-refs")).splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    except OSError:
        pass
    return None


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class _Dirt:
    """What git said last about a working tree, and when it was asked."""

    dirty: bool | None = None
    asked = 0.0


_dirt: dict[str, _Dirt] = {}


def _dirty(tree: str) -> bool | None:
    """Whether tracked files were changed; asks again in the background."""
    known = _dirt.setdefault(tree, _Dirt())
    if not known.asked or _seconds() - known.asked > _ASK_AGAIN:
        known.asked = _seconds()
        thread = threading.Thread(
            target=_ask_git, args=(tree, known), name="enact-git", daemon=True
        )
        # In a context of its own: it is no part of any recorded call.
        contextvars.Context().run(thread.start)
    return known.dirty


def _ask_git(tree: str, known: _Dirt) -> None:
    import subprocess

    # Without locks, which would get into the way of what the user does with git.
    command = ["git", "--no-optional-locks", "-C", tree, "status", "--porcelain"]
    command.append("--untracked-files=no")
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=10, check=True, text=True
        )
        known.dirty = bool(done.stdout.strip())
    except (OSError, subprocess.SubprocessError):
        known.dirty = None
