# SPDX-License-Identifier: Apache-2.0
"""Which store a command works on, and how it opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from enact.cli.errors import Failure
from enact.errors import EnactError, NotFound, StoreError
from enact.query import Store, open_store
from enact.stores import path_at


def store_path(url: str | None) -> str:
    """The file of the store that is meant.

    Raises:
        Failure: there is none, or the address is of no file.
    """
    try:
        path = path_at(url)
    except StoreError as error:
        raise click.BadParameter(str(error), param_hint="--store") from None
    if path is None:
        raise click.BadParameter(
            "a store in memory ends with its program: name a file",
            param_hint="--store",
        )
    return path


@contextmanager
def looking(url: str | None) -> Iterator[Store]:
    """A store that is only read: it is neither made nor changed."""
    with _opened(url, read_only=True) as store:
        before = _state(store)
        try:
            yield store
        except (EnactError, click.exceptions.Exit) as error:
            # A file without a log is read without locks: nobody was writing it when
            # it was opened.
            began = before is not None and before != _state(store)
            if began and not isinstance(error, NotFound):
                raise Failure(
                    "somebody began to write the store while it was looked at, so this"
                    " may be wrong: try again"
                ) from error
            raise


@contextmanager
def changing(url: str | None) -> Iterator[Store]:
    """A store that is written; it must be there."""
    with _opened(url, read_only=False) as store:
        yield store


@contextmanager
def _opened(url: str | None, **options: Any) -> Iterator[Store]:
    path = store_path(url)
    if os.path.isdir(path):
        path = _within(path)
    if not os.path.exists(path):
        where = "named by --store" if url else _default_source()
        raise Failure(
            f"there is no store at {path} ({where}): name another one with --store,"
            " or record something; `enact init` makes an empty one"
        )
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise Failure(
            f"{path} is empty: nothing was ever recorded there; `enact init` makes it"
            " a store"
        )
    store = open_store(path, **options)
    try:
        yield store
    finally:
        store.close()


def _state(store: Store) -> object:
    """What changes when somebody begins to write a file; None if one does already."""
    path = str(getattr(store.backend, "path", ""))
    if os.path.exists(f"{path}-wal"):
        return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _default_source() -> str:
    return "from $ENACT_STORE" if os.environ.get("ENACT_STORE") else "the default"


def _within(path: str) -> str:
    """The store in a directory, if there is one."""
    for name in ("enact.db", os.path.join(".enact", "enact.db")):
        inner = os.path.join(path, name)
        if os.path.exists(inner):
            return inner
    raise Failure(f"{path} is a directory without a store in it: name a file")
