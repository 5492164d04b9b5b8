# SPDX-License-Identifier: Apache-2.0
"""What a suspended task waits for, as its frames tell."""

from __future__ import annotations

import asyncio

import pytest

from enact.calls.hops import Wait, wait_of

NOTHING = {"seconds": 0}


async def as_written():
    await asyncio.sleep(0)


async def by_name():
    await asyncio.sleep(delay=0)


async def with_a_result():
    await asyncio.sleep(0, "given")


async def of_a_variable(seconds=0):
    await asyncio.sleep(seconds)


async def computed():
    await asyncio.sleep(NOTHING["seconds"])


async def nothing_by_default():
    await asyncio.sleep(NOTHING["seconds"] or 0)


async def one_or_the_other():
    await asyncio.sleep(NOTHING["seconds"] if NOTHING else 0)


async def by_name_or_nothing():
    await asyncio.sleep(delay=NOTHING["seconds"] or 0)


async def of_a_variable_with_a_result(seconds=0):
    await asyncio.sleep(seconds, "given")


@pytest.mark.parametrize("program", [as_written, by_name, with_a_result])
def test_to_sleep_for_no_time_lets_others_go_first(program):
    assert wait_now(program()) is Wait.TASKS


@pytest.mark.parametrize(
    "program",
    [
        of_a_variable,
        computed,
        nothing_by_default,
        one_or_the_other,
        by_name_or_nothing,
        of_a_variable_with_a_result,
    ],
)
def test_a_time_that_is_nothing_now_may_have_been_long(program):
    assert wait_now(program()) is Wait.NO_TIME


def wait_now(coro):
    yielded = coro.send(None)
    try:
        return wait_of(coro, yielded)
    finally:
        coro.close()
