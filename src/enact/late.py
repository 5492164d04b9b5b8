# SPDX-License-Identifier: Apache-2.0
"""Layers that most programs do without: they are imported when they are first used.

They would make up a third of the time that importing the package takes.
"""

from __future__ import annotations

import importlib
from typing import Any

from enact.values.registry import LATE

_MODULES = ("experiments", "search", "testing")
_NAMES = {"accept": "search", "discard": "search", "score": "search"}


def attribute(name: str) -> Any:
    """An attribute of the package that is not there yet.

    Args:
        name: of a late module, or of a function in one.

    Raises:
        AttributeError: there is no such attribute.

    Example:
        >>> import enact
        >>> enact.search.Budget(calls=3).calls
        3
    """
    if name in _MODULES:
        return importlib.import_module(f"enact.{name}")
    if name in _NAMES:
        found = getattr(importlib.import_module(f"enact.{_NAMES[name]}"), name)
        setattr(importlib.import_module("enact"), name, found)  # for the next time
        return found
    raise AttributeError(f"module 'enact' has no attribute {name!r}")


def _tell(name: str) -> None:
    layer = name.split("/")[1]
    if layer in _MODULES:
        importlib.import_module(f"enact.{layer}")


LATE.append(_tell)
