# SPDX-License-Identifier: Apache-2.0
"""How a value is shown: by what it is, in plain parts that templates put on pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from enact.calls import CallArgs, Invocation, NativeException, Program
from enact.human import InputRequest
from enact.render import PPrinter, as_json, short, visible
from enact.render.parameters import arguments_of
from enact.values import Opaque, Ref, Unknown, mark, name_rule, redact

MOST = 20_000
MOST_ON_A_PAGE = 1_000_000
_MOST_PARTS = 20
_MOST_ROWS = 200
_MOST_COLUMNS = 12
_MOST_IMAGE = 4_000_000
# No credential that is looked for is longer.
_MARGIN = 10_000

_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_ROLES = {"system", "developer", "user", "assistant", "tool", "function", "model"}


class Shown(NamedTuple):
    """A value as it is shown.

    Attributes:
        kind: ``text``, ``plain`` (short), ``json``, ``code``, ``chat``, ``table``,
            ``image``, ``error`` or ``ref``.
        content: text; of a chat roles and texts, of a table heads and rows, of an
            image its address, of an error its message and traceback.
        label: what it is called there.
        more: how much of it is left out, in words.
    """

    kind: str
    content: Any
    label: str = ""
    more: str = ""


def shown(value: Any, label: str = "", most: int = MOST) -> Shown:
    """How a value is shown.

    Args:
        value: any.
        label: what it is called there.
        most: characters of it that are shown.
    """
    if label and (rule := name_rule(label, value)) is not None:
        return Shown("plain", mark(rule), label)
    return _shown(value, most)._replace(label=label)


def parts_of_input(
    value: Any, most: int = MOST, view: Invocation | None = None
) -> list[Shown]:
    """What a call got, argument by argument.

    Args:
        value: its input.
        most: characters of each that are shown.
        view: the call, whose parameters name the arguments.
    """
    if not isinstance(value, CallArgs):
        return [] if value is None else [shown(value, "", most)]
    if view is None:
        numbered = [(str(n), arg) for n, arg in enumerate(value.args)]
        found: list[tuple[str, Any]] = [*numbered, *value.kwargs.items()]
    else:
        found = arguments_of(view, value)
    return [shown(arg, str(label), most) for label, arg in found]


def parts_of(value: Any, most: int = MOST) -> list[Shown]:
    """A value whole, or item by item where some are more than data."""
    items: list[tuple[str, Any]] = []
    if isinstance(value, (list, tuple)):
        items = [(str(n), item) for n, item in enumerate(value[: _MOST_PARTS + 1])]
    elif isinstance(value, dict) and all(type(key) is str for key in value):
        items = list(value.items())[: _MOST_PARTS + 1]
    whole = shown(value, "", most)
    if whole.kind != "json" or not 0 < len(items) <= _MOST_PARTS:
        return [whole]
    parts = [shown(item, label, most) for label, item in items]
    rich = any(
        part.kind in ("image", "code", "chat", "table")
        or (part.kind == "text" and "\n" in part.content)
        for part in parts
    )
    return parts if rich else [whole]


def _shown(value: Any, most: int) -> Shown:
    if value is None or isinstance(value, (bool, int, float)):
        return Shown("plain", short(value, 1000))
    if isinstance(value, str):
        return _text(value, most)
    if isinstance(value, (bytes, bytearray)):
        return _bytes(bytes(value))
    if isinstance(value, Ref):
        return Shown("ref", value.id)
    if isinstance(value, Program):
        return _cut("code", visible(redact(value.source)), most)
    if isinstance(value, Unknown) and value.type == "enact/Program":
        return _cut("code", visible(redact(str(value.fields.get("source")))), most)
    if isinstance(value, NativeException):
        trace = visible(redact(value.traceback or ""))
        return Shown("error", (visible(redact(str(value))), trace))
    if isinstance(value, (list, tuple)):
        found = _chat(value) or _table(value)
        if found is not None:
            return found
    if isinstance(value, dict) and (found := _chat([value])) is not None:
        return found
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _json(value, most)
    if isinstance(value, (Invocation, InputRequest, Opaque)):
        return _json(value, most)
    text = PPrinter(max_ref_depth=0).pformat(value)
    return _cut("plain" if len(text) < 200 and "\n" not in text else "text", text, most)


def _text(value: str, most: int) -> Shown:
    begin = value.lstrip()[:1]
    if begin in ("{", "[") and len(value) <= most:
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            if isinstance(data, (dict, list)) and data:
                return _json(data, most)
    kept = visible(redact(value[: most + _MARGIN]))
    if len(value) <= most and len(kept) <= most:
        return Shown("text", kept)
    return Shown("text", kept[:most], more=f"{len(value) - most:,} more characters")


def _bytes(value: bytes) -> Shown:
    for magic, kind in _IMAGES.items():
        if value.startswith(magic) and len(value) <= _MOST_IMAGE:
            data = base64.b64encode(value).decode("ascii")
            return Shown("image", f"data:{kind};base64,{data}")
    if value[:4] == b"RIFF" and value[8:12] == b"WEBP" and len(value) <= _MOST_IMAGE:
        data = base64.b64encode(value).decode("ascii")
        return Shown("image", f"data:image/webp;base64,{data}")
    return Shown("plain", f"{len(value):,} bytes, {short(value[:64], 200)}")


def _json(value: Any, most: int) -> Shown:
    text = json.dumps(as_json(value), indent=2, ensure_ascii=False)
    if len(text) <= 72 + text.count("\n") * 4:
        text = json.dumps(as_json(value), ensure_ascii=False)
    return _cut("json", visible(text), most)


def _cut(kind: str, text: str, most: int) -> Shown:
    if len(text) <= most:
        return Shown(kind, text)
    return Shown(kind, text[:most], more=f"{len(text) - most:,} more characters")


def _chat(value: Sequence[Any]) -> Shown | None:
    """Messages to or from a model, as most libraries have them."""
    items = [one.fields if isinstance(one, Unknown) else one for one in value]
    if not items or not all(
        isinstance(one, dict) and one.get("role") in _ROLES and "content" in one
        for one in items
        if one is not None
    ):
        return None
    if any(one is None for one in items):
        return None
    messages = []
    for one in items:
        rest = {k: v for k, v in one.items() if k not in ("role", "content")}
        texts = [_said(one["content"])] if one["content"] is not None else []
        if any(item is not None for item in rest.values()):
            texts.append(visible(json.dumps(as_json(rest), indent=2)))
        messages.append((one["role"], [text[:MOST] for text in texts if text]))
    return Shown("chat", messages)


def _said(content: Any) -> str:
    if isinstance(content, str):
        return visible(redact(content[: MOST + _MARGIN]))
    if isinstance(content, list) and all(
        isinstance(one, dict) and isinstance(one.get("text"), str) for one in content
    ):
        return visible(redact("\n".join(one["text"] for one in content)))
    return visible(json.dumps(as_json(content), indent=2, ensure_ascii=False))


def _table(value: Sequence[Any]) -> Shown | None:
    """Several records of the same few fields."""
    if len(value) < 2:
        return None
    data = as_json(value[:_MOST_ROWS])
    if not all(isinstance(row, dict) for row in data):
        return None
    heads = [key for key in data[0] if key != "$"]
    if not 0 < len(heads) <= _MOST_COLUMNS or "/" in heads:
        return None
    if any([key for key in row if key != "$"] != heads for row in data):
        return None
    if any(isinstance(row[head], (dict, list)) for row in data for head in heads):
        return None
    rows = [[_cell(row[head]) for head in heads] for row in data]
    more = f"{len(value) - len(data):,} more rows" if len(value) > len(data) else ""
    return Shown("table", (heads, rows), more=more)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text = visible(text)
    return text if len(text) <= 300 else f"{text[:300]}..."
