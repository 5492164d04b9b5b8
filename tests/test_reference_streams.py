# SPDX-License-Identifier: Apache-2.0
"""Random programs that read streams do what the specification says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enact
from tests import test_reference_threads as threads
from tests.programs import CodeChange, Program, code_changes, programs
from tests.test_reference import (
    CHANGES,
    OPTIONS,
    SCHEDULES,
    STEPS,
    Step,
    bounded,
    check_changes,
    check_code,
    check_code_tasks,
    check_exact,
    check_forbidden,
    check_record,
    check_record_tasks,
    check_steps,
)


def readers(**options: Any) -> st.SearchStrategy[Program]:
    """Programs that close all streams, and others that leave some to Python."""
    both = [
        programs(streams=True, leaves=leaves, **options) for leaves in (False, True)
    ]
    return st.one_of(both)


def check(what: Callable[..., Any], *args: Any) -> None:
    """Check a program; an edited stream that goes on may not give the same items."""
    try:
        bounded(what, *args)
    except enact.ReplayError as error:
        if "gave another item" not in str(error):
            raise


@given(readers())
@settings(max_examples=30)
def test_streams_are_recorded_as_they_run(program: Program) -> None:
    check(check_record, program)


@given(readers(), st.lists(STEPS, max_size=4))
@settings(max_examples=30)
def test_partial_programs_with_streams_go_on_as_specified(
    program: Program, steps: list[Step]
) -> None:
    check(check_steps, program, steps)


@given(readers(calm=True), st.lists(CHANGES, max_size=2), code_changes(), OPTIONS)
@settings(max_examples=30)
def test_changed_programs_with_streams_go_on_as_specified(
    program: Program, steps: list[Step], changes: list[CodeChange], options: Any
) -> None:
    check(check_code, program, steps, changes, options)


@given(programs(streams=True, calm=True), code_changes(), st.booleans())
@settings(max_examples=20)
def test_where_no_call_may_run_the_code_around_streams_does(
    program: Program, changes: list[CodeChange], strict: bool
) -> None:
    check(check_forbidden, program, changes, strict)


TASKS = programs(streams=True, tasks=True, shared=True)
DISTINCT_TASKS = programs(streams=True, tasks=True, distinct=True)


@given(TASKS, SCHEDULES)
@settings(max_examples=20)
def test_streams_of_tasks_are_recorded_as_they_run(
    program: Program, schedule: list[int]
) -> None:
    check(check_record_tasks, program, schedule)


@given(TASKS, SCHEDULES, SCHEDULES)
@settings(max_examples=20)
def test_streams_of_tasks_are_replayed_exactly(
    program: Program, first: list[int], second: list[int]
) -> None:
    check(check_exact, program, first, second)


@given(DISTINCT_TASKS, SCHEDULES, st.lists(CHANGES, max_size=3))
@settings(max_examples=20)
def test_partial_programs_with_streams_of_tasks_go_on_as_specified(
    program: Program, schedule: list[int], changes: list[Step]
) -> None:
    check(check_changes, program, schedule, changes)


@given(
    programs(streams=True, tasks=True, distinct=True, calm=True),
    SCHEDULES, st.lists(CHANGES, max_size=1), code_changes("task", "task"),
)  # fmt: skip
@settings(max_examples=20)
def test_changed_programs_with_streams_of_tasks_go_on_as_specified(
    program: Program, schedule: list[int], steps: list[Step], changes: list[CodeChange]
) -> None:
    check(check_code_tasks, program, schedule, steps, changes)


@given(TASKS, SCHEDULES)
@settings(max_examples=20)
def test_streams_of_threads_are_recorded_as_they_run(
    program: Program, schedule: list[int]
) -> None:
    check(threads.check_record, program, schedule)


@given(TASKS, SCHEDULES, SCHEDULES)
@settings(max_examples=20)
def test_streams_of_threads_are_replayed_exactly(
    program: Program, first: list[int], second: list[int]
) -> None:
    check(threads.check_exact, program, first, second)


@given(DISTINCT_TASKS, SCHEDULES, st.lists(CHANGES, max_size=3))
@settings(max_examples=20)
def test_partial_programs_with_streams_of_threads_go_on_as_specified(
    program: Program, schedule: list[int], changes: list[Step]
) -> None:
    check(threads.check_changes, program, schedule, changes)


EACH = [
    test_streams_are_recorded_as_they_run,
    test_partial_programs_with_streams_go_on_as_specified,
    test_changed_programs_with_streams_go_on_as_specified,
    test_where_no_call_may_run_the_code_around_streams_does,
    test_streams_of_tasks_are_recorded_as_they_run,
    test_streams_of_tasks_are_replayed_exactly,
    test_partial_programs_with_streams_of_tasks_go_on_as_specified,
    test_changed_programs_with_streams_of_tasks_go_on_as_specified,
    test_streams_of_threads_are_recorded_as_they_run,
    test_streams_of_threads_are_replayed_exactly,
    test_partial_programs_with_streams_of_threads_go_on_as_specified,
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("test", EACH)
def test_many_programs(test: Callable[[], None]) -> None:
    # Settings are given to a test once, says Hypothesis; here they are given anew.
    vars(test).pop("_hypothesis_internal_settings_applied", None)
    settings(max_examples=1000)(test)()
