# SPDX-License-Identifier: Apache-2.0
"""The page in the browser: ``enact ui``. Needs the extra ``explorer``."""

from enact.explorer.app import make_app
from enact.explorer.server import Server, listen
from enact.explorer.source import Source

__all__ = ["Server", "Source", "listen", "make_app"]
