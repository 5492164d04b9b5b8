# SPDX-License-Identifier: Apache-2.0
"""Arguments have the names of parameters, as far as recorded source tells them."""

from __future__ import annotations

from typing import Any

import pytest

import enact
from enact.render.parameters import Parameters, arguments_of, parameters_in


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("def f(): ...", (), ""),
        ("def f(*, a): ...", (), ""),
        ("def f(a, b, /, c, *, d): ...", ("a", "b", "c"), ""),
        ("@dec(1)\nasync def f(\n # no, c\n a: int = 3,\n *n: int): ...", ("a",), "n"),
        ("def f[T: (int, str)](a: T): ...", ("a",), ""),
        ("def f(a=(1, 2), b={'x': lambda q, r: 1}, c=lambda u, v: 2, **w): ...",
         ("a", "b", "c"), ""),
        ("class A:\n  def __call__(self, x): ...", ("x",), ""),
        ("x = lambda a: 1", (), ""),
        ("def f(a", (), ""),
        ("(" * 10_000 + "def", (), ""),
        ("\0def", (), ""),
    ],
)  # fmt: skip
def test_parameters_are_read_from_a_text(
    text: str, names: tuple[str, ...], rest: str
) -> None:
    assert parameters_in(text) == Parameters(names, rest)


@enact.register(name="render/mix")
def mix(topic: str, *more: int, style: str = "plain") -> str:
    return topic


def test_arguments_are_labelled() -> None:
    with enact.InMemoryStore():
        found = enact.invoke(mix, ("sea", 1, 2), {"style": "dry"})
        value = enact.CallArgs(("sea", 1, 2), {"style": "dry"})
        assert [label for label, _ in arguments_of(found, value)] == [
            "topic", "more[0]", "more[1]", "style",
        ]  # fmt: skip


def test_without_source_there_are_numbers() -> None:
    space: dict[str, Any] = {}
    exec("def made(topic): return topic", space)
    made = enact.register(space["made"], name="render/made")
    with enact.InMemoryStore():
        found = enact.invoke(made, ("sea",))
        assert arguments_of(found, enact.CallArgs(("sea",), {})) == [("0", "sea")]
