# SPDX-License-Identifier: Apache-2.0
"""Forms for values of a type, and what people put into them."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request

from enact.calls import fits, type_in_words
from enact.errors import WrongAnswer
from enact.explorer.multipart import FormData, read_parts
from enact.query.images import image_kind, is_file, is_picture, read_file, without_none
from enact.query.reading import read_value
from enact.render import as_json

_DEPTH = 4
_IMAGES = "image/png,image/jpeg,image/gif,image/webp"
NOTHING: Any = object()


async def read_form(request: Request) -> FormData:
    """What a page sent.

    Raises:
        HTTPException: it is not what a form of ours sends.
    """
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    body = await request.body()
    if kind.strip() == "application/x-www-form-urlencoded":
        text = body.decode("utf-8", "replace")
        return FormData(parse_qsl(text, keep_blank_values=True))
    boundary = rest.partition("boundary=")[2].strip().strip('"')
    if kind.strip() != "multipart/form-data" or not boundary:
        raise HTTPException(415, "this is not what a form of ours sends")
    return read_parts(body, boundary)


Form = Annotated[FormData, Depends(read_form)]


class Field(NamedTuple):
    """A part of a form.

    Attributes:
        name: of the input.
        label: for people; empty for the whole.
        kind: ``text``, ``number``, ``yesno``, ``choice``, ``lines``, ``json``,
            ``file`` or ``group``.
        value: what is in it at first.
        choices: of a choice; of a file the one media type that it may have, if any.
        fields: of a group.
        hint: the type in words.
    """

    name: str
    label: str
    kind: str
    value: str
    choices: list[str]
    fields: list[Field]
    hint: str

    @property
    def has_file(self) -> bool:
        """Whether there is a file to be chosen in it."""
        return self.kind == "file" or any(one.has_file for one in self.fields)


def field_for(
    wanted: Any, value: Any = NOTHING, name: str = "value", label: str = ""
) -> Field:
    """The form for a value of a type.

    Args:
        wanted: the type.
        value: that is in it at first.
        name: of the input.
        label: for people.
    """
    wanted = _plain(wanted)
    kind, choices, fields = "json", [], []
    if value is not NOTHING and "[redacted:" in _json(value):
        value = NOTHING  # nobody wants the mark for an answer
    text = "" if value is NOTHING else _json(value)
    if wanted is str:
        kind, text = "text", value if isinstance(value, str) else ""
    elif wanted is bool:
        kind, text = "yesno", {True: "yes", False: "no"}.get(value, "")
    elif wanted in (int, float):
        kind = "number"
    elif (found := _choices(wanted)) is not None:
        kind, choices = "choice", found
        text = value.name if isinstance(value, Enum) else text.strip('"')
    elif is_file(without_none(wanted)):
        kind, text = "file", "" if value is NOTHING or value is None else "as it was"
        choices = [_IMAGES] if _wants_image(wanted, value) else []
    elif wanted == list[str]:
        kind = "lines"
        text = "\n".join(value) if _are_lines(value) else ""
    elif _is_group(wanted) and name.count(".") < _DEPTH:
        kind = "group"
        hints = typing.get_type_hints(wanted)
        fields = [
            field_for(
                hints.get(one.name, Any),
                _first(one, value),
                f"{name}.{one.name}",
                one.name,
            )
            for one in dataclasses.fields(wanted)
            if one.init
        ]
    return Field(name, label, kind, text, choices, fields, type_in_words(wanted))


def value_from(
    form: FormData, wanted: Any, name: str = "value", old: Any = NOTHING
) -> Any:
    """The value that a form stands for.

    Args:
        form: what was sent.
        wanted: the type.
        name: of the input.
        old: what was in it at first: files that nobody chose anew stay.

    Raises:
        WrongAnswer: it is no such value.
    """
    wanted = _plain(wanted)
    field = field_for(wanted, name=name)
    if field.kind == "group":
        hints = typing.get_type_hints(wanted)
        values = {
            one.label: value_from(
                form,
                hints.get(one.label, Any),
                one.name,
                NOTHING if old is NOTHING else getattr(old, one.label, NOTHING),
            )
            for one in field.fields
        }
        try:
            return wanted(**values)
        except Exception as error:  # of the user's class
            raise WrongAnswer(f"{type(error).__name__}: {error}") from error
    if field.kind == "file":
        return _file(form.files.get(name), wanted, old)
    text = form.get(name, "").replace("\r\n", "\n")
    if field.kind == "lines":
        return [line for line in text.split("\n") if line]
    if wanted is Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise WrongAnswer(f"this is no JSON: {error}") from None
    return read_value(text, wanted)


def _file(data: bytes | None, wanted: Any, old: Any) -> Any:
    kind = without_none(wanted)
    if data is not None:
        return read_file(data, kind, image=_wants_image(wanted, old))
    if old is not NOTHING:
        return old
    if kind is not wanted:
        return None
    raise WrongAnswer("no file was chosen: choose one")


def _wants_image(wanted: Any, value: Any) -> bool:
    """Whether only an image will do: where there was one, there is one again."""
    if is_picture(without_none(wanted)):
        return True
    return (
        isinstance(value, (bytes, bytearray)) and image_kind(bytes(value)) is not None
    )


def filled(field: Field, form: Mapping[str, str]) -> Field:
    """A form with what somebody put into it; files have to be chosen again."""
    if field.kind == "file":
        return field
    return field._replace(
        value=form.get(field.name, field.value),
        fields=[filled(one, form) for one in field.fields],
    )


def _plain(wanted: Any) -> Any:
    while typing.get_origin(wanted) is Annotated:
        wanted = typing.get_args(wanted)[0]
    return wanted


def _choices(wanted: Any) -> list[str] | None:
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return list(wanted.__members__)
    if typing.get_origin(wanted) is Literal:
        return [_json(one).strip('"') for one in typing.get_args(wanted)]
    return None


def _is_group(wanted: Any) -> bool:
    return isinstance(wanted, type) and dataclasses.is_dataclass(wanted)


def _first(field: dataclasses.Field[Any], value: Any) -> Any:
    if value is not NOTHING:
        return getattr(value, field.name, NOTHING)
    if field.default is not dataclasses.MISSING:
        return field.default
    return NOTHING


def _are_lines(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _json(value: Any) -> str:
    return json.dumps(as_json(value), ensure_ascii=False, indent=2)


def may_accept(value: Any, wanted: Any) -> bool:
    """Whether a value is itself an answer of the type."""
    try:
        return value is not None and fits(value, wanted)
    except TypeError:
        return False
