# SPDX-License-Identifier: Apache-2.0
"""Each construct of trio and anyio, with each thing that is done to a record.

trio takes tasks that can go on in any order, so each execution has one of its own:
results are compared, and of a record, that its replays are equal to it.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

import enact
from tests.calls import test_matrix
from tests.calls.matrix_trio import PROGRAMS
from tests.calls.test_matrix import CHECKS, OPERATIONS, QUICK, SOAK

pytestmark = pytest.mark.filterwarnings("ignore::enact.AmbiguousWorkerWarning")


#: Which of their tasks has the next item is chance in trio itself; and in an edited
#: program that takes it from a stream of anyio, a matter of rounds of the event loop.
TAKE_JOBS = ("channel_workers", "streams")


class Case(test_matrix.Case):
    def __init__(self, program, schedule, step=1):
        super().__init__(program, schedule, step)
        self.is_real_time = program.threads
        self.real = True
        self.is_async = True
        on_trio = program.loop != "anyio-asyncio"
        name = program.run.__name__
        self.takes_jobs = name in TAKE_JOBS and (on_trio or name == "streams")

    def wait(self, coroutine):
        if self.loop == "anyio-asyncio":
            self.real = self.is_real_time
            try:
                return super().wait(coroutine)
            finally:
                self.real = True

        async def run():
            return await coroutine

        clock = None
        if not self.is_real_time:
            clock = trio.testing.MockClock(autojump_threshold=0)
        return trio.run(run, clock=clock)


CELLS = [
    pytest.param(name, operation, id=f"{name}-{operation}")
    for name in PROGRAMS
    for operation in OPERATIONS
]


def check(name, operation, schedules, step):
    for schedule in schedules:
        with enact.InMemoryStore():
            CHECKS[operation](Case(PROGRAMS[name], schedule, step))


@pytest.mark.parametrize(("name", "operation"), CELLS)
def test_cell(name, operation):
    check(name, operation, range(QUICK), QUICK)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "operation"), CELLS)
def test_cell_under_many_schedules(name, operation):
    check(name, operation, range(QUICK, QUICK + SOAK), 1)
