# SPDX-License-Identifier: Apache-2.0
"""Opening the file of a store, or making it."""

from __future__ import annotations

import os

import apsw

from enact.errors import StoreUnavailable
from enact.stores.connect import connect, kept, look, prepare, told
from enact.stores.files import sync_log
from enact.stores.schema import check_definitions, migrate, version


def open_file(path: str, read_only: bool = False) -> tuple[apsw.Connection, bool]:
    """Opens a file, for writing if that can be; and says whether it can.

    Args:
        path: of the file.
        read_only: do not write it, nor make it, even if that could be.

    Raises:
        NotAStore: the file is something else.
        StoreVersionError: it was made by a newer enact.
        StoreUnavailable: it cannot be opened, or not be made.
    """
    if read_only:
        look(path)
    elif prepare(path):
        try:
            with told(path, "open"), kept(connect(path)) as connection:
                migrate(connection, path)
                check_definitions(connection, path)
                # What a process wrote that died, or failed, before it could flush the
                # log counts from now on: nothing may be promised that rests on it.
                sync_log(path)
            return connection, True
        except StoreUnavailable:
            # A directory that cannot be written has no place for a log.
            if os.access(os.path.dirname(path), os.W_OK):
                raise
    with told(path, "open"), kept(connect(path, writable=False)) as connection:
        if version(connection, path) == 0:
            raise StoreUnavailable(
                f"{path} is empty: nothing was ever recorded there, or it was cut off"
            )
        check_definitions(connection, path)
    return connection, False
