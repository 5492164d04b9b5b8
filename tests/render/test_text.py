# SPDX-License-Identifier: Apache-2.0
"""What people see of values and executions."""

from __future__ import annotations

import dataclasses

import pytest

import enact
from enact.render import short
from enact.values import Unknown


@pytest.fixture(autouse=True)
def store():
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def draft(topic, style="haiku"):
    if style == "haiku":
        raise ValueError("empty")
    return f"{topic} in {style}"


@enact.register
def plan(topic):
    try:
        draft(topic)
    except ValueError:
        return draft(topic, style="free")


@enact.register
@dataclasses.dataclass
class Writer(enact.Invokable[str, str]):
    prompt: str

    def call(self, topic: str) -> str:
        return enact.request_input(str, for_value=topic, context="How?")


def test_a_summary_has_one_line_per_call():
    assert enact.invocation_summary(enact.invoke(plan, ("sea",))) == (
        "->plan('sea') = 'sea in free'\n"
        "  ->draft('sea') raised ValueError: empty\n"
        "  ->draft('sea', style='free') = 'sea in free'"
    )


def test_a_summary_shows_questions_and_what_is_left_open():
    paused = enact.invoke(Writer("about {}"), ("sea",))
    assert enact.invocation_summary(paused) == (
        "->Writer(prompt='about {}')('sea') paused\n"
        "  ->RequestInput(requested_type=str, context='How?')('sea') waits for an "
        "answer (str)"
    )
    rewound = enact.invoke(plan, ("sea",)).rewind(1)
    assert enact.invocation_summary(rewound).startswith("->plan('sea') incomplete\n")


def test_a_summary_can_be_cut_short():
    @enact.register(name="text/many")
    def many():
        return [draft("x", style=str(n)) for n in range(5)]

    inv = enact.invoke(many)
    assert enact.invocation_summary(inv, max_depth=0).count("\n") == 0
    cut = enact.invocation_summary(inv, max_children=2)
    assert cut.endswith("\n  ... 3 more calls")
    plain = enact.invocation_summary(inv, 1, show_input=False, show_output=False)
    assert plain.splitlines()[:2] == ["  ->many(...)", "    ->draft(...)"]


def test_control_characters_are_visible():
    @enact.register(name="text/evil\x1b[31m")
    def evil(text):
        raise ValueError(f"bad \x1b]0;title\x07 {text}")

    inv = enact.invoke(evil, ("a\x1b[2J\u202e",), wrap_exceptions=True)
    for text in (
        enact.invocation_summary(inv),
        enact.pformat({"a\x9b": ["\x1b[1m", Plain()]}),
    ):
        assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in text)
        assert "\u202e" not in text


class Plain:
    def __repr__(self):
        return "\x1b[5mblink\x85"


def test_functions_and_types_have_names_and_no_addresses():
    @enact.register(name="text/higher")
    def higher(fn, kind):
        return [fn, kind]

    text = enact.invocation_summary(enact.invoke(higher, (draft, int)))
    assert text == "->higher(draft, int) = [draft, int]"


def test_values_are_printed_with_what_refs_point_to(capsys):
    inner = enact.commit({"words": ["sea", "salt"]})
    value = [inner, inner, (1,), {"a": 1}]
    assert enact.pformat(value, 0).count("<ref ") == 2
    assert enact.pformat(value).count("'salt'") == 2
    assert enact.pformat(value, skip_repeated_refs=True).count("'salt'") == 1
    enact.pprint(value)
    assert capsys.readouterr().out == enact.pformat(value) + "\n"
    long = enact.pformat({"k" * 30: ["x" * 30, "y" * 30]})
    assert long.splitlines()[0] == "{" and long.splitlines()[1].startswith("  'kkk")


def test_a_printer_takes_formatters_for_types():
    printer = enact.PPrinter(max_ref_depth=1).register(
        Writer, lambda writer: f"<writer {writer.prompt}>"
    )
    assert printer.pformat([Writer("p")]) == "[<writer p>]"
    assert printer.pformat(enact.Ref(b"\x01\x71\x12\x20" + bytes(32))).endswith(
        "(MissingBlock)"
    )


@dataclasses.dataclass
class Box:
    content: object
    size: int = 1


def test_values_of_unknown_types_look_like_values() -> None:
    order = Unknown("shop:Order", {"amount": 3, "by": Unknown("shop:Ada", {})})
    assert short(order) == "Order(amount=3, by=Ada())"
    assert short([order], 100) == "[Order(amount=3, by=Ada())]"
    assert short(Box(order), 100) == "Box(content=Order(amount=3, by=Ada()), size=1)"
    assert short(Unknown("enact/Function", {"name": "shop:draft"})) == "draft"
    assert enact.pformat(order) == "Order(amount=3, by=Ada())"
