# SPDX-License-Identifier: Apache-2.0
"""The cases of ``bench.durable``, run for enact alone: killed, edited, resumed."""

from __future__ import annotations

import sys

import pytest

from bench.durable import RIGHT, outcome
from bench.systems.behaviour import CASES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_resume_after_an_edit_runs_what_changed_and_nothing_else(case):
    assert outcome(sys.executable, "enact:resume", case) == RIGHT
