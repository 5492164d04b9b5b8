# SPDX-License-Identifier: Apache-2.0
"""Messages to and from models, and the tools that they get, as most libraries write
them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from enact.render import as_json, visible
from enact.values import Unknown, redact

MOST = 20_000
# No credential that is looked for is longer.
MARGIN = 10_000
_MOST_MESSAGES = 500
_MOST_IMAGE = 10_000_000

_ROLES = {"system", "developer", "user", "assistant", "tool", "function", "model"}
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}\s*")
_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Piece(NamedTuple):
    """A part of a message.

    Attributes:
        kind: ``text``, ``json``, ``image`` or ``call`` (of a tool).
        content: text; of an image its address.
        label: what it is.
    """

    kind: str
    content: str
    label: str = ""


class Tool(NamedTuple):
    """What a model may call.

    Attributes:
        name: of it.
        about: its description.
        schema: what it takes, as JSON.
    """

    name: str
    about: str
    schema: str


def image_address(text: str) -> str | None:
    """The address of an image that is all within it; None for any other text."""
    if text[:11] == "data:image/" and len(text) <= _MOST_IMAGE:
        return text if _IMAGE.fullmatch(text) else None
    return None


def messages_in(value: Sequence[Any]) -> list[tuple[str, list[Piece]]] | None:
    """Roles with what they say; None if these are no messages."""
    items = [one.fields if isinstance(one, Unknown) else one for one in value]
    if not items or not all(
        isinstance(one, dict) and one.get("role") in _ROLES and "content" in one
        for one in items
    ):
        return None
    return [(one["role"], _pieces(one)) for one in items[:_MOST_MESSAGES]]


def tools_in(value: Any) -> list[Tool] | None:
    """The tools that a model gets; None if these are none."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    found = []
    for one in value:
        body = one.get("function", one) if isinstance(one, dict) else None
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            return None
        schema = body.get("parameters", body.get("input_schema"))
        if not isinstance(schema, dict):
            return None
        about = body.get("description")
        found.append(
            Tool(
                visible(redact(body["name"])),
                _text(about) if isinstance(about, str) else "",
                _json(schema),
            )
        )
    return found


def _pieces(message: Mapping[str, Any]) -> list[Piece]:
    found = _said(message["content"])
    for call in _list(message.get("tool_calls")):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            found.append(_call(function["name"], function.get("arguments")))
        else:
            found.append(Piece("json", _json(call)))
    rest = {
        key: value
        for key, value in message.items()
        if key not in ("role", "content", "tool_calls") and value is not None
    }
    if rest:
        found.append(Piece("json", _json(rest)))
    return found


def _said(content: Any) -> list[Piece]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Piece("text", _text(content))] if content else []
    if isinstance(content, list):
        return [piece for one in content for piece in _part(one)]
    return [Piece("json", _json(content))]


def _part(part: Any) -> list[Piece]:
    """A part of a content, as the common interfaces of models have them."""
    if isinstance(part, str):
        return [Piece("text", _text(part))]
    if not isinstance(part, dict):
        return [Piece("json", _json(part))]
    if isinstance(part.get("text"), str) and part.get("type", "text") != "thinking":
        return [Piece("text", _text(part["text"]))]
    if isinstance(part.get("thinking"), str):
        return [Piece("text", _text(part["thinking"]), "thinking")]
    address = _image(part)
    if address is not None:
        return [Piece("image", address)]
    if part.get("type") == "tool_use" and isinstance(part.get("name"), str):
        return [_call(part["name"], part.get("input"))]
    if part.get("type") == "tool_result":
        return [piece._replace(label="result") for piece in _said(part.get("content"))]
    return [Piece("json", _json(part))]


def _image(part: Mapping[str, Any]) -> str | None:
    url = part.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    if isinstance(url, str):
        return image_address(url)
    source = part.get("source")
    if isinstance(source, dict) and source.get("media_type") in _KINDS:
        data = source.get("data")
        if isinstance(data, str):
            return image_address(f"data:{source['media_type']};base64,{data}")
    return None


def _call(name: str, arguments: Any) -> Piece:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            pass
    text = _text(arguments) if isinstance(arguments, str) else _json(arguments)
    return Piece("call", text, visible(redact(name)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(text: str) -> str:
    shown = visible(redact(text[: MOST + MARGIN]))
    return shown if len(shown) <= MOST else f"{shown[:MOST]}…"


def _json(value: Any) -> str:
    text = visible(json.dumps(as_json(value), indent=2, ensure_ascii=False))
    return text if len(text) <= MOST else f"{text[:MOST]}…"
