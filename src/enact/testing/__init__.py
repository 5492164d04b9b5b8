# SPDX-License-Identifier: Apache-2.0
"""For tests: of programs (`schedules`), and of backends (`check_backend`)."""

from enact.testing.backends import check_backend
from enact.testing.scheduling import Schedule, schedule, schedules

__all__ = ["Schedule", "check_backend", "schedule", "schedules"]
