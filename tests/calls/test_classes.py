# SPDX-License-Identifier: Apache-2.0
"""Whatever Python calls a callable is recorded, replayed and rewound in every form."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import functools
import inspect
from typing import Generic, Protocol, TypeVar, overload, runtime_checkable

import pytest

import enact

RAN: list[object] = []
T = TypeVar("T")


@pytest.fixture(autouse=True)
def store():
    RAN.clear()
    with enact.InMemoryStore() as store:
        yield store


def ran(value):
    RAN.append(value)
    return value


# --- what programs use ------------------------------------------------------------


@enact.register
@dataclasses.dataclass(slots=True)
class Gauge:
    level: int

    @enact.register
    def add(self, n):
        self.level += ran(n)
        return self.level

    @property
    @enact.register
    def doubled(self):
        return ran(2 * self.level)

    @doubled.setter
    @enact.register(name="classes/set_doubled")
    def doubled(self, value):
        self.level = ran(value) // 2

    @enact.register
    @property
    def tripled(self):
        return ran(3 * self.level)


@enact.register
@dataclasses.dataclass
class Slotted(enact.Resource):
    __slots__ = ("level",)
    level: int

    @enact.register
    def read(self):
        return ran(self.level)


@enact.register
@dataclasses.dataclass
class Page:
    text: str

    @functools.cached_property
    @enact.register
    def words(self):
        return ran(self.text.split())

    @enact.register
    @functools.cached_property
    def letters(self):
        return ran(len(self.text))

    @enact.register
    def cut(self, n, /, *, end="."):
        return ran(self.text[:n] + end)

    first = functools.partialmethod(cut, 1)

    @classmethod
    @enact.register
    def of(cls, n):
        return cls(ran("page " * n))

    @enact.register
    @classmethod
    def blank(cls):
        return ran(cls(""))

    @staticmethod
    @enact.register
    def clean(text):
        return ran(text.strip())

    @enact.register
    @staticmethod
    def dirty(text):
        return ran(text + " ")

    @enact.register
    def __call__(self, word):
        return ran(word in self.text)

    @enact.register
    def __len__(self):
        return ran(len(self.text))

    @enact.register
    async def fetch(self, n):
        await asyncio.sleep(0)
        return ran(self.text * n)


@enact.register
@dataclasses.dataclass
class Letter(Page):
    signed: str = "me"

    @enact.register
    def cut(self, n, /, *, end="!"):
        return super().cut(n, end=end) + self.signed

    @classmethod
    @enact.register
    def of(cls, n):
        return dataclasses.replace(super().of(n), signed="of")


@enact.register
@dataclasses.dataclass(frozen=True)
class Money:
    cents: int

    @enact.register
    def plus(self, other):
        return ran(Money(self.cents + other.cents))


class Shape(abc.ABC):
    @enact.register
    @abc.abstractmethod
    def area(self): ...

    @abc.abstractmethod
    @enact.register
    def edges(self): ...


@enact.register
@dataclasses.dataclass
class Square(Shape):
    side: int

    @enact.register
    def area(self):
        return ran(self.side**2)

    @enact.register
    def edges(self):
        return ran(4)


@runtime_checkable
class Speaks(Protocol):
    @enact.register
    def speak(self) -> str:
        return ran("...")


@enact.register
@dataclasses.dataclass
class Dog(Speaks):
    pass


@enact.register
@dataclasses.dataclass
class Box(Generic[T]):
    content: T

    @enact.register
    def open(self) -> T:
        return ran(self.content)


@enact.register
@dataclasses.dataclass
class Words:
    sep: str

    @functools.singledispatchmethod
    @enact.register(name="classes/join_any")
    def join(self, what):
        return ran(str(what))

    @join.register
    @enact.register(name="classes/join_list")
    def _(self, what: list):
        return ran(self.sep.join(what))


@enact.register
@functools.singledispatch
def kind(value):
    return ran("something")


@kind.register
def _(value: int):
    return ran("number")


@functools.singledispatch
@enact.register(name="classes/size_of_any")
def size(value):
    return ran(1)


@size.register
@enact.register(name="classes/size_of_list")
def _(value: list):
    return ran(len(value))


@overload
def echo(value: int) -> int: ...
@overload
def echo(value: str) -> str: ...
@enact.register
def echo(value):
    return ran(value)


def twice(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return [fn(*args), fn(*args)]

    return wrapper


@twice
@enact.register
def above(value):
    return ran(value)


@enact.register
@twice
def below(value):
    return ran(value)


@enact.register
@functools.lru_cache
def cached(value):
    return ran(value)


half = enact.register(functools.partial(pow, 2), name="classes/power_of_two")


@contextlib.contextmanager
def opened(name):
    echo(f"open {name}")
    try:
        yield echo(name)
    finally:
        echo(f"close {name}")


class Client:
    def __init__(self):
        self.asked = 0

    def ask(self, prompt: str) -> str:
        """Answer a prompt."""
        self.asked += 1
        return ran(prompt.upper())

    def close(self):
        return "closed"

    def __call__(self, prompt):
        return self.ask(prompt)


CLIENT = Client()
ask = enact.register(CLIENT.ask)
client = enact.register(CLIENT, name="classes/client")


# --- programs, and what they call ---------------------------------------------------

CASES = []


def case(*calls):
    """A program, and the names of the calls that it is to be recorded with."""

    def note(fn):
        program = enact.register(fn, name=f"classes/{fn.__name__}")
        CASES.append(pytest.param(program, list(calls), id=fn.__name__))
        return program

    return note


@case("Gauge.add", "Gauge.doubled", "classes/set_doubled", "Gauge.tripled")
def a_slots_class_with_properties():
    gauge = Gauge(1)
    first = gauge.add(2), gauge.doubled
    gauge.doubled = 10
    return [*first, gauge.tripled, gauge]


@case("Slotted.read")
def slots_by_hand():
    return Slotted(3).read()


@case("Page.words", "Page.letters")
def cached_properties():
    page = Page("a b")
    return [page.words, page.words, page.letters, page.letters]


@case("Page.cut", "Page.cut", "Page.cut")
def methods_partial_and_by_keyword():
    page = Page("sea")
    return [page.cut(2, end="?"), page.first(), functools.partial(page.cut, 1)()]


@case("Page.of", "Page.blank", "Page.clean", "Page.dirty", "Letter.of")
def class_and_static_methods():
    return [
        Page.of(1),
        Page.blank(),
        Page.clean(" x "),
        Page("").dirty(""),
        Letter.of(2),
    ]


@case("Letter.cut", "Page.cut", "Page.cut")
def overridden_methods():
    letter = Letter("sea")
    return [letter.cut(1), Page.cut(letter, 2), letter.first()]


@case("Page.__call__", "Page.__len__")
def special_methods():
    page = Page("sea")
    return [page("s"), len(page)]


@case("Page.fetch", "Page.fetch", "Page.fetch")
async def async_methods():
    page = Page("sea")
    return [await page.fetch(1), *await asyncio.gather(page.fetch(2), page.fetch(3))]


@case("Money.plus", "Money.plus")
def a_frozen_dataclass():
    return Money(1).plus(Money(2)).plus(Money(3))


@case("Square.area", "Square.edges", "Speaks.speak", "Box.open")
def abstract_protocol_generic():
    dog = Dog()
    shown = [Square(3).area(), Square(3).edges(), dog.speak(), Box[int](3).open()]
    return [*shown, isinstance(dog, Speaks), isinstance(Square(1), Shape)]


@case("kind", "kind", "classes/size_of_any", "classes/size_of_list")
def single_dispatch():
    return [kind("x"), kind(1), size("x"), size(["a", "b"])]


@case("classes/join_any", "classes/join_list")
def single_dispatch_methods():
    return [Words("-").join(1), Words("-").join(["a", "b"])]


@case("echo", "echo", "above", "above", "below")
def decorated_and_overloaded():
    return [echo(1), echo("a"), above(2), below(3)]


@case("cached", "cached", "classes/power_of_two")
def cached_and_partial_functions():
    return [cached(1), cached(1), half(10)]


@case("echo", "echo", "echo", "echo")
def a_context_manager():
    with opened("sea") as name:
        return echo(name.upper())


@case("Client.ask", "classes/client")
def methods_of_somebodys_object():
    return [ask("sea"), client("lake")]


def finish(inv, **options):
    if inspect.iscoroutinefunction(inv.request().invokable()):
        return asyncio.run(inv.replay_async(**options))
    return inv.replay(**options)


@pytest.mark.parametrize(("program", "calls"), CASES)
def test_every_form_is_recorded_replayed_and_rewound(program, calls):
    cached.cache_clear()
    if inspect.iscoroutinefunction(program):
        untracked = asyncio.run(program())
        inv = asyncio.run(enact.invoke_async(program))
    else:
        untracked = program()
        inv = enact.invoke(program)
    assert inv.output == untracked
    assert [call.name.rpartition(":")[2] for call in inv.children] == calls
    assert inv.successful()
    RAN.clear()
    assert finish(inv, live="forbid") == inv
    assert RAN == []
    for number in range(len(calls) + 1):
        cached.cache_clear()
        again = finish(inv.rewind(number))
        # Of calls that overlap, those that run again may end in another order.
        assert again == inv or program is async_methods
        assert list(again.children) == list(inv.children)
        assert again.output == untracked
    assert RAN


@pytest.mark.parametrize(("program", "calls"), CASES)
def test_a_changed_outcome_of_each_call_reaches_the_program(program, calls):
    if inspect.iscoroutinefunction(program):
        inv = asyncio.run(enact.invoke_async(program))
    else:
        inv = enact.invoke(program)
    for index in range(len(calls)):
        edited = inv.edit(str(index), raises=ValueError("edited"))
        with pytest.raises(ValueError, match="edited"):
            finish(edited, strict=False)


# --- other decorators -------------------------------------------------------------


def test_what_is_cached_above_register_is_replayed_where_the_cache_is_empty():
    @functools.lru_cache
    @enact.register(name="classes/under_cache")
    def heavy(value):
        return ran(value)

    @enact.register(name="classes/over_cache")
    def program():
        return [heavy(1), heavy(1)]

    inv = enact.invoke(program)
    assert len(inv.children) == 1
    with pytest.raises(enact.ReplayError, match="classes/under_cache"):
        inv.replay(live="forbid")
    heavy.cache_clear()
    assert inv.replay(live="forbid") == inv
    assert RAN == [1]


@pytest.mark.parametrize(
    "descriptor",
    [
        functools.partialmethod(ran, 1),
        functools.singledispatchmethod(ran),
        property(),
    ],
)
def test_what_cannot_be_registered_says_where_register_goes(descriptor):
    with pytest.raises(enact.InvokableTypeError, match="below the decorator"):
        enact.register(descriptor)


def test_abstract_methods_stay_abstract():
    with pytest.raises(TypeError, match=r"area.*edges"):
        Shape()


def test_an_overridden_method_that_is_not_registered_is_no_call():
    class Quiet(Page):
        def cut(self, n, /, *, end="."):
            return "quiet"

    @enact.register(name="classes/quiet")
    def program():
        return Quiet("x").cut(1)

    inv = enact.invoke(program)
    assert (inv.output, len(inv.children)) == ("quiet", 0)
