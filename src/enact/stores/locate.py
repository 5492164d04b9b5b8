# SPDX-License-Identifier: Apache-2.0
"""From the address of a store to its backend."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from enact.errors import StoreError
from enact.stores.backend import Backend
from enact.stores.memory import MemoryBackend

DEFAULT_PATH = Path(".enact") / "enact.db"
"""Used when neither an address nor ``$ENACT_STORE`` is given."""

FILE_NAME = "enact.db"
"""The file of a store that was given as a directory."""


def memory_backend() -> Backend:
    """Makes a backend that lives as long as its process."""
    return MemoryBackend()


def sqlite_backend(path: str | os.PathLike[str], **options: Any) -> Backend:
    """Opens a SQLite file, making it and its directory if need be.

    Args:
        path: of the file.
        **options: as of `SQLiteBackend`.
    """
    from enact.stores.sqlite import SQLiteBackend

    return SQLiteBackend(path, **options)


def file_backend(directory: str | os.PathLike[str], **options: Any) -> Backend:
    """Opens the SQLite file of a store that is named by its directory."""
    return sqlite_backend(Path(directory) / FILE_NAME, **options)


def path_at(url: str | os.PathLike[str] | None = None) -> str | None:
    """Tells which file an address means.

    Args:
        url: as for `backend_for`.

    Returns:
        The path; None for a store in memory.

    Raises:
        StoreError: no backend is known for the scheme.

    Example:
        >>> from enact.stores import path_at
        >>> path_at("sqlite:///runs.db"), path_at("memory:")
        ('runs.db', None)
    """
    if url is None:
        url = os.environ.get("ENACT_STORE") or DEFAULT_PATH
    address = os.fspath(url)
    scheme, colon, rest = address.partition(":")
    # One letter is a drive; what has no colon, or one after a slash, is a path.
    if not colon or len(scheme) == 1 or not _is_scheme(scheme):
        return address
    if scheme == "memory" and not rest.strip("/"):
        return None
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > 3:
        return rest[3:]
    raise StoreError(
        f"no store is known at {address!r}: give a path such as runs.db,"
        " sqlite:///runs.db (sqlite:////absolute/runs.db), or memory:"
    )


def backend_for(
    url: str | os.PathLike[str] | None = None, *, read_only: bool = False
) -> Backend:
    """Opens the backend at an address.

    Args:
        url: a path (``runs.db``), ``sqlite:///relative.db``,
            ``sqlite:////absolute.db`` or ``memory:``. None stands for
            ``$ENACT_STORE``, else ``./.enact/enact.db``.
        read_only: only look: nothing is made or changed.

    Raises:
        StoreError: no backend is known for the scheme.
        StoreUnavailable: there is something that cannot be opened.
        NotAStore: there is a file that is something else.

    Example:
        >>> from enact.stores import backend_for
        >>> backend_for("memory:").runs()
        []
    """
    path = path_at(url)
    if path is None:
        return memory_backend()
    return sqlite_backend(path, read_only=read_only)


def _is_scheme(text: str) -> bool:
    return text.isascii() and text.replace("+", "").replace("-", "").isalnum()
