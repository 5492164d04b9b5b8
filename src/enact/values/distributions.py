# SPDX-License-Identifier: Apache-2.0
"""Which package, in which version, defines a type.

Never part of an identifier: the same value has the same identifier whatever version of
a package made it. Stores write it down beside a type, for the message that says what to
install.
"""

from __future__ import annotations

import sys
from functools import lru_cache

_REGISTERED: dict[str, tuple[str, str]] = {}


def register_distribution(name: str, version: str) -> None:
    """Say which version of a distribution this process runs.

    Only needed for code that was not installed, so that nothing else knows.

    Args:
        name: of the distribution; its packages begin with the same name.
        version: any text.

    Example:
        >>> register_distribution("my-shop", "1.2")
        >>> distribution_of_module("my_shop.orders")
        ('my-shop', '1.2')
    """
    _REGISTERED[_top(name)] = (name, version)


def distribution_of_module(module: str) -> tuple[str, str] | None:
    """Return the distribution that a module comes from.

    Args:
        module: a dotted name; only its first part counts.

    Returns:
        Name and version; None for the standard library, for programs that were not
        installed, and where nobody knows.

    Example:
        >>> distribution_of_module("json") is None
        True
    """
    top = _top(module)
    return _REGISTERED.get(top) or _installed(top)


def loaded_distribution(module: str) -> tuple[str, str] | None:
    """Return the distribution of a module that is in use here.

    As `distribution_of_module`, but a program that was not installed, being a script
    or standing beside one, is told without a search through all that is installed.

    Args:
        module: a dotted name; only its first part counts.

    Returns:
        Name and version, or None.

    Example:
        >>> loaded_distribution("json") is None
        True
    """
    top = _top(module)
    if top in _REGISTERED:
        return _REGISTERED[top]
    return _installed(top) if top in sys.modules else None


def _top(name: str) -> str:
    return name.partition(".")[0].replace("-", "_")


@lru_cache(maxsize=1024)
def _installed(top: str) -> tuple[str, str] | None:
    if top in sys.stdlib_module_names or top.startswith("__"):
        return None
    # Slow to import and rarely needed.
    from importlib import metadata

    try:
        found = metadata.distribution(top)
    except (metadata.PackageNotFoundError, ValueError):
        names = metadata.packages_distributions().get(top)
        if not names:
            return None
        found = metadata.distribution(names[0])
    return found.name, found.version
