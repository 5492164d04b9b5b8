# SPDX-License-Identifier: Apache-2.0
"""What is to be done when the program imports a module, now or later.

Importing it from here would cost those who never use it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence

_waiting: dict[str, Callable[[], None]] = {}


def when_imported(name: str, then: Callable[[], None]) -> None:
    """Call ``then`` as soon as a module has been imported.

    Args:
        name: of the module.
        then: called once, at once if the module is there.
    """
    if name in sys.modules:
        then()
        return
    if not _waiting:
        sys.meta_path.insert(0, _FINDER)
    _waiting[name] = then


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _waiting:
            return None
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None and spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                    return spec
        return None


_FINDER = _Finder()


class _Loader(importlib.abc.Loader):
    """Loads as another loader does, and then does what waits for that."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        module.__loader__ = spec.loader = self._loader  # as if this had never been
        self._loader.exec_module(module)
        then = _waiting.pop(spec.name, None)
        if not _waiting:
            sys.meta_path[:] = [one for one in sys.meta_path if one is not _FINDER]
        if then is not None:
            then()
