# SPDX-License-Identifier: Apache-2.0
"""Time and chance are recorded; where they are not, a replay says where they were."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import os
import random
import time
import uuid

import pytest

import enact

ENVIRONMENT = os.environ


@enact.register(name="chance/leaf")
def leaf(x):
    return x


@enact.register(name="chance/draws")
def draws():
    dice = enact.random()
    drawn = [dice.random() for _ in range(3)], enact.uuid4(), enact.now()
    enact.sleep(0.0)
    return leaf(repr(drawn)), leaf(dice.random())


def test_what_is_drawn_from_time_and_chance_is_recorded():
    with enact.InMemoryStore():
        inv = enact.invoke(draws)
        for count in range(7):
            again = inv.rewind(0).replay()
            assert again == inv and again.verdicts() == {}
            cut = inv.rewind(count).replay()
            kept = len(inv.children) - count
            assert cut.children[:kept] == inv.children[:kept]
        assert inv.rewind(6).replay().output != inv.output
        names = [call.name for call in inv.children]
    own = ["enact/random", "enact/uuid4", "enact/now", "enact/sleep"]
    assert names == [*own, "chance/leaf", "chance/leaf"]


def test_outside_of_an_invocation_they_just_run():
    assert enact.now().utcoffset() == datetime.timedelta(0)
    summer = datetime.timezone(datetime.timedelta(hours=2))
    assert enact.now(summer).tzinfo is summer
    assert enact.random().random() != enact.random().random()
    assert enact.uuid4() != enact.uuid4()
    assert enact.sleep(0.0) is None
    assert asyncio.run(enact.sleep_async(0.0)) is None


@enact.register(name="chance/race")
async def race():
    async def worker(name):
        await enact.sleep_async(enact.random().random() / 100)
        order.append(name)
        return leaf(len(order))

    order = []
    places = await asyncio.gather(*map(worker, "abcd"))
    return order, places


def test_tasks_that_sleep_are_replayed_in_their_order_without_waiting():
    with enact.InMemoryStore():
        for _ in range(5):
            inv = asyncio.run(enact.invoke_async(race))
            assert asyncio.run(inv.rewind(0).replay_async(live="forbid")) == inv


def test_where_no_call_may_run_no_time_is_drawn():
    with enact.InMemoryStore():
        inv = enact.invoke(draws).rewind(4)
        with pytest.raises(enact.LiveCallForbidden, match="enact/now"):
            inv.replay(live="forbid")


def plain_helper():
    return random.random()


@enact.register(name="chance/clock")
def clock():
    return leaf(time.time())  # here


@enact.register(name="chance/date")
def date():
    when = datetime.datetime.now  # here
    return leaf(str(when()))


@enact.register(name="chance/helped")
def helped():
    return leaf(plain_helper())


@enact.register(name="chance/named")
def named():
    return leaf(str(uuid.uuid4()))  # here


@enact.register(name="chance/environment")
def environment():
    return leaf(ENVIRONMENT.get("ENACT_TEST_CHANCE"))  # here


@enact.register(name="chance/missing")
def missing():
    if os.getenv("ENACT_TEST_CHANCE"):  # here
        return None
    return leaf(1)


@enact.register(name="chance/closure")
def closure():
    dice = random.randint

    def inner():
        return dice(0, 1 << 60)

    return leaf(inner())


class Clock:
    def now(self):
        return self.in_seconds()

    def in_seconds(self):
        return time.time()


@enact.register(name="chance/method")
def method():
    return leaf(Clock().now())


@dataclasses.dataclass
class Item:
    key: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


@enact.register(name="chance/default")
def default():
    return leaf(Item().key)


DICE = random.Random()


@enact.register(name="chance/generator")
def generator():
    return leaf(DICE.random())


@enact.register(name="chance/imported")
def imported():
    from time import perf_counter as seconds

    return leaf(seconds())


@enact.register(name="chance/which")
def which():
    if os.environ.get("ENACT_TEST_CHANCE"):
        return other_leaf(1)
    return leaf(1)


@enact.register(name="chance/other_leaf")
def other_leaf(value):
    return value


@enact.register(name="chance/token")
def token():
    return leaf(os.urandom(4))


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        (method, "time.time()"),
        (default, "uuid.uuid4()"),
        (generator, "DICE.random()"),
        (imported, "time.perf_counter()"),
        (which, "os.environ"),
        (token, "os.urandom()"),
        (clock, "time.time()"),
        (date, "datetime.now()"),
        (helped, "random.random()"),
        (named, "uuid.uuid4()"),
        (environment, "os.environ"),
        (missing, "os.getenv()"),
        (closure, "random.randint()"),
    ],
)
def test_a_replay_that_left_its_record_names_the_line(program, cause, monkeypatch):
    monkeypatch.delenv("ENACT_TEST_CHANCE", raising=False)
    with enact.InMemoryStore():
        inv = enact.invoke(program)
        monkeypatch.setenv("ENACT_TEST_CHANCE", "another")
        with pytest.raises(enact.ReplayError) as caught:
            inv.rewind(0).replay()
    assert f"{cause} at line " in str(caught.value)
    assert " of test_chance.py (use " in str(caught.value)


@enact.register(name="chance/sets")
def sets():
    names = ",".join({"a", "b"})  # here
    SALT[0] += "x"
    return leaf(names + SALT[0])


def test_sets_are_named_by_their_order():
    with enact.InMemoryStore():
        inv = enact.invoke(sets)
        with pytest.raises(enact.ReplayError, match="the order of a set at line"):
            inv.rewind(0).replay(on_code_change="reuse")


SALT = ["0"]


@enact.register(name="chance/named_set")
def named_set():
    words = {"a", "b"} | {"c"}
    SALT[0] += "x"
    return leaf([word for word in words] + SALT)  # noqa: C416  # gone through here


def test_sets_are_known_by_their_names():
    with enact.InMemoryStore():
        inv = enact.invoke(named_set)
        with pytest.raises(enact.ReplayError, match="the order of a set at line"):
            inv.rewind(0).replay(on_code_change="reuse")


def test_globals_are_named_where_nothing_else_is_found():
    @enact.register(name="chance/global")
    def from_a_global():
        SALT[0] += "x"
        return leaf(SALT[0])

    with enact.InMemoryStore():
        inv = enact.invoke(from_a_global)
        with pytest.raises(enact.ReplayError, match="the global SALT at line"):
            inv.rewind(0).replay(on_code_change="reuse")


def test_where_nothing_is_found_the_cause_is_told_in_general():
    numbers = iter(range(9))

    @enact.register(name="chance/captured")
    def from_outside():
        return leaf(next(numbers))

    with enact.InMemoryStore():
        inv = enact.invoke(from_outside)
        with pytest.raises(enact.ReplayError, match=r"\(time, chance, set order"):
            inv.rewind(0).replay(on_code_change="reuse")
