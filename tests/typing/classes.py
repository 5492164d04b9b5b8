# SPDX-License-Identifier: Apache-2.0
"""What type checkers see of registered methods and of other callables.

A line with ``type: ignore`` is a mistake that a checker must find, as in
``signatures.py``.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar, assert_type, overload

import enact

T = TypeVar("T")


@enact.register
@dataclasses.dataclass
class Page:
    text: str

    @enact.register
    def cut(self, n: int, *, end: str = ".") -> str:
        return self.text[:n] + end

    @property
    @enact.register
    def size(self) -> int:
        return len(self.text)

    @functools.cached_property
    @enact.register
    def words(self) -> list[str]:
        return self.text.split()

    @classmethod
    @enact.register
    def blank(cls) -> Page:
        return cls("")

    @staticmethod
    @enact.register
    def clean(text: str) -> str:
        return text.strip()

    @enact.register
    async def fetch(self, url: str) -> bytes:
        return url.encode()

    @enact.register
    def __call__(self, word: str) -> bool:
        return word in self.text


@enact.register
class Letter(Page):
    @enact.register
    def cut(self, n: int, *, end: str = "!") -> str:
        return super().cut(n, end=end)


@enact.register
@dataclasses.dataclass
class Box(Generic[T]):
    content: T

    @enact.register
    def open(self) -> T:
        return self.content


class Shape(abc.ABC):
    @enact.register
    @abc.abstractmethod
    def area(self) -> float: ...


class Square(Shape):
    @enact.register
    def area(self) -> float:
        return 1.0


class Speaks(Protocol):
    def speak(self) -> str: ...


class Dog:
    @enact.register
    def speak(self) -> str:
        return "woof"


@overload
def echo(value: int) -> int: ...
@overload
def echo(value: str) -> str: ...
@enact.register
def echo(value: int | str) -> int | str:
    return value


@enact.register
def pair(one: T, other: T) -> list[T]:
    return [one, other]


@enact.register
@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    yield len(name)


@enact.register
@functools.lru_cache
def cached(n: int) -> int:
    return n


class Client:
    def ask(self, prompt: str) -> str:
        return prompt


def methods_keep_their_signature(page: Page) -> None:
    assert_type(page.cut(1, end="?"), str)
    page.cut("1")  # type: ignore[arg-type]
    page.cut(1, "?")  # type: ignore[call-arg]
    assert_type(Letter("x").cut(1), str)
    assert_type(Page.blank(), Page)
    assert_type(Page.clean(" x"), str)
    Page.clean(1)  # type: ignore[arg-type]
    assert_type(page("word"), bool)
    page(1)  # type: ignore[arg-type]
    cut: Callable[[int], str] = page.cut
    assert_type(cut(1), str)


def properties_keep_their_type(page: Page) -> None:
    assert_type(page.size, int)
    assert_type(page.words, list[str])
    page.size()  # type: ignore[operator]
    page.size = 3  # type: ignore[misc]


async def async_methods_keep_theirs(page: Page) -> None:
    assert_type(await page.fetch("x"), bytes)
    await page.fetch(1)  # type: ignore[arg-type]


def generic_and_abstract_classes_stay_so() -> None:
    assert_type(Box(3).open(), int)
    assert_type(pair("a", "b"), list[str])
    Shape()  # type: ignore[abstract]
    assert_type(Square().area(), float)
    speaks: Speaks = Dog()
    assert_type(speaks.speak(), str)


def functions_of_every_kind_keep_theirs() -> None:
    assert_type(echo(1), int)
    assert_type(echo("a"), str)
    echo(1.5)  # type: ignore[call-overload]
    with opened("sea") as size:
        assert_type(size, int)
    opened(1)  # type: ignore[arg-type]
    cached.cache_clear()
    assert_type(cached.cache_info().hits, int)
    ask = enact.register(Client().ask)
    assert_type(ask("x"), str)
    ask(1)  # type: ignore[arg-type]
    half = enact.register(functools.partial(pow, 2.0), name="typing/half")
    half(3)
