# SPDX-License-Identifier: Apache-2.0
"""Settings for every test."""

from __future__ import annotations

import os

import hypothesis

# No test reads, or makes, the key of whoever runs it.
os.environ["ENACT_SECRET_KEY"] = "a key for tests, known to all"

# No deadline: shared machines pause. In CI the examples are the same every time, so
# that a red build is red for its change.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")
