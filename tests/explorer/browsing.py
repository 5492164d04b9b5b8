# SPDX-License-Identifier: Apache-2.0
"""A real browser, and pages in it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 400, "height": 900}
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="needs the browser chromium on the PATH"
)


def go(page: Any, path: str) -> None:
    page.goto(re.sub(r"(//[^/]+)/.*", r"\1", page.url) + path)


def artefacts(tmp_path: Path) -> Path:
    """Where screenshots are kept: of CI where it says, else with the test."""
    kept = os.environ.get("ENACT_SCREENSHOTS")
    where = Path(kept) if kept else tmp_path
    where.mkdir(parents=True, exist_ok=True)
    return where


def no_wider_than_the_screen(page: Any) -> bool:
    wide = page.evaluate("document.documentElement.scrollWidth")
    return bool(wide <= page.viewport_size["width"])
