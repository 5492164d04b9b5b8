# SPDX-License-Identifier: Apache-2.0
"""How values are shown: by what they are."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import enact
from enact.explorer.pages import environment
from enact.explorer.values import Shown, parts_of, parts_of_input, shown
from tests.shop_app import PIXEL

ADDRESS = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def drawn(parts: list[Shown]) -> str:
    template = environment().from_string(
        '{% from "shown.html" import shown %}{{ shown(parts) }}'
    )
    return template.render(parts=parts)


def test_messages_have_images_and_calls_of_tools() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is <b>this</b>?"},
            {"type": "image_url", "image_url": {"url": ADDRESS}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif",
                                         "data": "R0lGODlh"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "content": [{"type": "text", "text": "rain"}]}
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm."},
            {"type": "tool_use", "name": "weather", "input": {"city": "Genf"}},
        ]},
    ]  # fmt: skip
    found = shown(messages)
    assert found.kind == "chat"
    said = [
        (role, [(p.kind, p.label) for p in pieces]) for role, pieces in found.content
    ]
    assert said == [
        ("system", [("text", "")]),
        ("user", [("text", ""), ("image", ""), ("image", ""), ("json", "")]),
        ("assistant", [("call", "weather")]),
        ("user", [("text", "result")]),
        ("assistant", [("text", "thinking"), ("call", "weather")]),
    ]
    text = drawn([found])
    assert "&lt;b&gt;this" in text and text.count("<img") == 2
    assert 'src="https' not in text and '"city": "Bern"'.replace('"', "&#34;") in text


def test_tools_come_first() -> None:
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "Of now.",
                                          "parameters": SCHEMA}},
        {"name": "search", "input_schema": SCHEMA},
    ]  # fmt: skip
    call = enact.CallArgs((), {"messages": [], "model": "m", "tools": tools})
    first = parts_of_input(call)[0]
    assert (first.kind, [tool.name for tool in first.content]) == (
        "tools", ["weather", "search"]
    )  # fmt: skip
    assert "<summary><code>weather</code>" in drawn([first])
    assert parts_of_input(enact.CallArgs((), {"tools": [{"x": 1}]}))[0].kind == "json"


@pytest.mark.parametrize(
    "text",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        'data:image/png;base64,AAAA" onerror="alert(1)',
        "data:text/html;base64,AAAA",
        "data:image/png;base64,",
    ],
)
def test_other_addresses_are_text(text: str) -> None:
    assert shown(text).kind == "text"
    assert "<img" not in drawn([shown(text)])


def test_images_in_fields_are_seen() -> None:
    assert shown(ADDRESS).kind == "image"
    kinds = [part.kind for part in parts_of({"title": "sea", "image": PIXEL})]
    assert kinds == ["text", "image"]
    unknown = enact.Unknown("shop/Card", {"image": PIXEL, "n": 1})
    assert [part.kind for part in parts_of(unknown)] == ["image", "plain"]
