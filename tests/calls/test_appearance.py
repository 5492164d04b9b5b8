# SPDX-License-Identifier: Apache-2.0
"""Registered callables look to others as what was registered."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import pickle
import pydoc
import typing
import weakref

import pytest

import enact


@pytest.fixture(autouse=True)
def store():
    with enact.InMemoryStore() as store:
        yield store


def plain(topic: str, /, *parts: int, tone: str = "dry", **more: float) -> list[str]:
    """Write a draft.

    Second paragraph.
    """
    return [topic]


plain.owner = "us"


async def fetch(url: str) -> bytes:
    """Fetch it."""
    return url.encode()


class Client:
    """A client."""

    retries = 3

    def ask(self, prompt: str, n: int = 1) -> str:
        """Ask it."""
        return prompt * n

    def close(self) -> str:
        return "closed"

    @classmethod
    def make(cls) -> Client:
        return cls()

    @property
    def broken(self):
        raise RuntimeError("not connected")

    def __call__(self, prompt: str) -> str:
        return self.ask(prompt)


@enact.register
@dataclasses.dataclass
class Page:
    text: str

    @enact.register
    def cut(self, n: int) -> str:
        """Cut it."""
        return self.text[:n]

    @enact.register
    @property
    def size(self) -> int:
        """How long it is."""
        return len(self.text)

    @size.setter
    def size(self, n: int) -> None:
        self.text = self.text[:n]


@enact.register
def by_name(x: int) -> int:
    return x


@enact.register
@functools.lru_cache(maxsize=8)
def cached(x: int) -> int:
    """Kept."""
    return x


NAMES = ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__")


@pytest.mark.parametrize("fn", [plain, fetch, Client().ask, cached.__wrapped__])
def test_names_documentation_and_signature_stay(fn):
    tracked = enact.register(fn, name="appearance/some")
    for name in NAMES:
        assert getattr(tracked, name, None) == getattr(fn, name, None)
    assert tracked.__wrapped__ == fn
    assert inspect.signature(tracked) == inspect.signature(fn)
    assert typing.get_type_hints(tracked) == typing.get_type_hints(fn)
    assert inspect.iscoroutinefunction(tracked) == inspect.iscoroutinefunction(fn)
    assert inspect.getsource(tracked) == inspect.getsource(inspect.unwrap(fn))
    assert inspect.isfunction(tracked)
    assert callable(tracked)


def test_help_is_the_same():
    tracked = enact.register(plain, name="appearance/help")
    assert pydoc.render_doc(tracked) == pydoc.render_doc(plain)
    shown = pydoc.plain(pydoc.render_doc(Page))
    assert "cut(self, n: " in shown
    assert "Cut it." in shown


def test_attributes_stay():
    assert enact.register(plain, name="appearance/owner").owner == "us"
    cached.cache_clear()
    cached(1)
    cached(1)
    assert cached.cache_info().hits == 1
    assert cached.cache_parameters()["maxsize"] == 8


def test_a_partial_function_shows_its_parts():
    partial = functools.partial(plain, "sea", tone="wet")
    tracked = enact.register(partial, name="appearance/partial")
    parts = tracked.func, tracked.args, tracked.keywords
    assert parts == (plain, ("sea",), {"tone": "wet"})
    assert inspect.signature(tracked) == inspect.signature(partial)
    assert tracked.__name__ == "appearance/partial"
    assert tracked.__module__ == __name__


def test_methods_of_a_callable_object_stay_and_its_data_is_left_to_it():
    client = Client()
    client.model = "tiny"
    tracked = enact.register(client, name="appearance/client")
    assert tracked("x") == "x"
    assert tracked.close() == "closed"
    assert isinstance(tracked.make(), Client)
    assert not hasattr(tracked, "model")  # a copy would not follow the original
    assert tracked.__wrapped__.model == "tiny"


def test_async_callables_are_coroutine_functions():
    tracked = enact.register(functools.partial(fetch, "x"), name="appearance/fetch")
    assert inspect.iscoroutinefunction(tracked)
    assert asyncio.run(tracked()) == b"x"


def test_descriptors_stay_what_they_are():
    assert isinstance(Page.size, property)
    assert Page.size.__doc__ == "How long it is."
    page = Page("long text")
    page.size = 4
    assert (page.text, page.size) == ("long", 4)
    assert inspect.ismethod(page.cut)
    assert page.cut.__self__ is page


def test_functions_are_pickled_and_copied_by_name():
    assert pickle.loads(pickle.dumps(by_name)) is by_name
    assert pickle.loads(pickle.dumps(Page("ab").cut))(1) == "a"
    assert copy.copy(by_name) is by_name
    assert copy.deepcopy([by_name])[0] is by_name
    assert copy.deepcopy(Page("ab")) == Page("ab")
    assert weakref.ref(by_name)() is by_name
    assert {by_name: 1}[by_name] == 1


def test_classes_stay_what_they_are():
    assert isinstance(Page("x"), Page)
    assert Page.__mro__ == (Page, object)
    assert Page.__module__ == __name__
    assert [field.name for field in dataclasses.fields(Page)] == ["text"]
