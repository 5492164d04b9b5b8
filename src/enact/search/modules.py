# SPDX-License-Identifier: Apache-2.0
"""Which modules another process imports, to know the functions and types it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from enact.calls.targets import modules_of
from enact.errors import UnregisteredType
from enact.values import lookup_type
from enact.values.cbor import decode_form

_MAIN = {"__main__", "__mp_main__"}


class Modules:
    """Looks at each block once."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._types: set[str] = set()
        self._found: set[str] = set()
        self._lock = threading.Lock()

    def needed(
        self, functions: Iterable[str], blocks: Iterable[tuple[bytes, bytes]]
    ) -> list[str]:
        """What to import.

        Args:
            functions: names of those that may be called.
            blocks: of the values that are sent.

        Returns:
            Names of modules, also those of earlier blocks, in order.
        """
        with self._lock:
            for cid, data in blocks:
                if cid not in self._seen:
                    self._seen.add(cid)
                    self._look_at(decode_form(data))
            return sorted({*self._found, *modules_of(functions)})

    def _look_at(self, form: Any) -> None:
        if isinstance(form, dict):
            name = form.get("$")
            if isinstance(name, str) and name not in self._types:
                self._types.add(name)
                self._note(name)
            form = form.values()
        elif not isinstance(form, list):
            return
        for part in form:
            self._look_at(part)

    def _note(self, name: str) -> None:
        try:
            module = lookup_type(name).__module__
        except UnregisteredType:
            return  # a function, or nothing that this process knows either
        if module not in _MAIN:
            self._found.add(module)
