# SPDX-License-Identifier: Apache-2.0
"""Which line of the user's program a warning is about."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_OURS = f"{Path(__file__).parents[1]}{os.sep}"


def stacklevel() -> int:
    """For ``warnings.warn``, called by who calls this: the nearest line not of enact.

    Returns:
        1 for the caller itself, 2 for its caller, and so on.
    """
    level = 1
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
        level += 1
    return level
