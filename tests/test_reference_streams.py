# SPDX-License-Identifier: Apache-2.0
"""Random programs that read streams do what the specification says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs import Program, programs
from tests.test_reference import (
    EDITS,
    SCHEDULES,
    Step,
    bounded,
    check_record,
    check_record_tasks,
    check_steps,
)


@given(programs(streams=True))
@settings(max_examples=30)
def test_streams_are_recorded_as_they_run(program: Program) -> None:
    bounded(check_record, program)


# A cut inside of a stream that its reader had left between two items is not specified.
CHANGES = st.one_of(
    st.tuples(st.just("rewind"), st.integers(0, 4), st.none()),
    st.tuples(st.just("edit"), st.integers(0, 50), EDITS),
)


@given(programs(streams=True), st.lists(CHANGES, max_size=2))
@settings(max_examples=30)
def test_partial_programs_with_streams_go_on_as_specified(
    program: Program, steps: list[Step]
) -> None:
    bounded(check_steps, program, steps)


@given(programs(streams=True, tasks=True, shared=True), SCHEDULES)
@settings(max_examples=20)
def test_streams_of_tasks_are_recorded_as_they_run(
    program: Program, schedule: list[int]
) -> None:
    bounded(check_record_tasks, program, schedule)


EACH = [
    test_streams_are_recorded_as_they_run,
    test_partial_programs_with_streams_go_on_as_specified,
    test_streams_of_tasks_are_recorded_as_they_run,
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("test", EACH)
def test_many_programs(test: Callable[[], None]) -> None:
    # Settings are given to a test once, says Hypothesis; here they are given anew.
    vars(test).pop("_hypothesis_internal_settings_applied", None)
    settings(max_examples=1000)(test)()
