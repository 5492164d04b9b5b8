# SPDX-License-Identifier: Apache-2.0
"""How a value is shown: by what it is, in plain parts that templates put on pages."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from enact.calls import CallArgs, Invocation, NativeException, Program
from enact.explorer.chat import MARGIN, image_address, messages_in, tools_in
from enact.human import InputRequest
from enact.query.images import MOST_BYTES, image_kind, picture_bytes
from enact.render import PPrinter, as_json, short, visible
from enact.render.parameters import arguments_of
from enact.values import Opaque, Ref, Unknown, mark, name_rule, redact

MOST = 20_000
MOST_ON_A_PAGE = 1_000_000
_MOST_PARTS = 20
_MOST_ROWS = 200
_MOST_COLUMNS = 12
_MOST_IMAGE = MOST_BYTES


class Shown(NamedTuple):
    """A value as it is shown.

    Attributes:
        kind: ``text``, ``plain`` (short), ``json``, ``code``, ``chat``, ``tools``,
            ``table``, ``image``, ``error`` or ``ref``.
        content: text; of a chat roles and what they say, of a table heads and rows,
            of an image its address, of an error its message and traceback.
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
    parts = [_argument(str(label), arg, most) for label, arg in found]
    # What a model may call comes first, what it is told behind it.
    return sorted(parts, key=lambda part: part.kind != "tools")


def _argument(label: str, value: Any, most: int) -> Shown:
    tools = tools_in(value) if label in ("tools", "functions") else None
    if tools is not None:
        return Shown("tools", tools, label)
    return shown(value, label, most)


def parts_of(value: Any, most: int = MOST) -> list[Shown]:
    """A value whole, or item by item where some are more than data."""
    items: list[tuple[str, Any]] = []
    if isinstance(value, (list, tuple)):
        items = [(str(n), item) for n, item in enumerate(value[: _MOST_PARTS + 1])]
    elif isinstance(fields := _fields(value), dict):
        items = list(fields.items())[: _MOST_PARTS + 1]
    whole = shown(value, "", most)
    if whole.kind not in ("json", "text", "plain") or not 0 < len(items) <= _MOST_PARTS:
        return [whole]
    parts = [shown(item, label, most) for label, item in items]
    rich = any(
        part.kind in ("image", "code", "chat", "table")
        or (part.kind == "text" and "\n" in part.content)
        for part in parts
    )
    return parts if rich else [whole]


def _fields(value: Any) -> dict[str, Any] | None:
    """The parts of a value that have names; None if it has none."""
    if isinstance(value, Unknown):
        return value.fields
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Program)):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name, None) for name in names}
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return value
    return None


def _shown(value: Any, most: int) -> Shown:
    if value is None or isinstance(value, (bool, int, float)):
        return Shown("plain", short(value, 1000))
    if isinstance(value, str):
        return _text(value, most)
    if isinstance(value, (bytes, bytearray)):
        return _bytes(bytes(value))
    if (picture := picture_bytes(value)) is not None:
        return _bytes(picture)
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
        if (messages := messages_in(value)) is not None:
            more = len(value) - len(messages)
            return Shown("chat", messages, more=f"{more:,} more messages" * bool(more))
        if (found := _table(value)) is not None:
            return found
    if isinstance(value, dict) and (messages := messages_in([value])) is not None:
        return Shown("chat", messages)
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return _json(value, most)
    if isinstance(value, (Invocation, InputRequest, Opaque)):
        return _json(value, most)
    text = PPrinter(max_ref_depth=0).pformat(value)
    return _cut("plain" if len(text) < 200 and "\n" not in text else "text", text, most)


def _text(value: str, most: int) -> Shown:
    if (address := image_address(value)) is not None:
        return Shown("image", address)
    begin = value.lstrip()[:1]
    if begin in ("{", "[") and len(value) <= most:
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            if isinstance(data, (dict, list)) and data:
                return _json(data, most)
    kept = visible(redact(value[: most + MARGIN]))
    if len(value) <= most and len(kept) <= most:
        return Shown("text", kept)
    return Shown("text", kept[:most], more=f"{len(value) - most:,} more characters")


def _bytes(value: bytes) -> Shown:
    kind = image_kind(value)
    if kind is not None and len(value) <= _MOST_IMAGE:
        data = base64.b64encode(value).decode("ascii")
        return Shown("image", f"data:{kind};base64,{data}")
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
