# SPDX-License-Identifier: Apache-2.0
"""Libraries that come with extras: imported when somebody asks for what they do."""

from __future__ import annotations

import importlib
from typing import Any

from enact.errors import MissingExtra


def import_extra(module: str, extra: str) -> Any:
    """Import a library that enact gets along without.

    Args:
        module: of the library.
        extra: of enact that brings it.

    Returns:
        The module.

    Raises:
        MissingExtra: it is not installed; says how to install it.

    Example:
        >>> import_extra("no_such_library", "plot")
        Traceback (most recent call last):
        ...
        enact.errors.MissingExtra: this needs no_such_library, which is not installed...
    """
    library = module.partition(".")[0]
    try:
        importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise  # it is there, and lacks something itself
        raise MissingExtra(
            f"this needs {library}, which is not installed. Next: "
            f"`pip install 'enact[{extra}]'`"
        ) from None
    return importlib.import_module(module)
