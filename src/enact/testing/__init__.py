# SPDX-License-Identifier: Apache-2.0
"""For tests: of programs (`schedules`), of backends (`check_backend`)."""

from enact.testing.backends import check_backend
from enact.testing.orders import in_some_order
from enact.testing.scheduling import Schedule, schedule, schedules

__all__ = ["Schedule", "check_backend", "in_some_order", "schedule", "schedules"]
