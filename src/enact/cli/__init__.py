# SPDX-License-Identifier: Apache-2.0
"""The command line, ``enact``."""

from enact.cli.main import main

__all__ = ["main"]
