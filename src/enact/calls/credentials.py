# SPDX-License-Identifier: Apache-2.0
"""Warnings where a program hands on a credential as an ordinary value.

Such values are recorded as they are, since a replay needs them. The first call of each
function is looked at for what looks like a credential; while secrets are alive, each
call is looked at for their text.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls.callers import stacklevel
from enact.values import LIVE, live_bytes, name_rule, redact, shape_rule

if TYPE_CHECKING:
    from enact.calls.layout import Blocks
    from enact.calls.targets import Target

_DEPTH = 3
_ITEMS = 64
_LONG = 10_000


class PlainCredentialWarning(UserWarning):
    """A credential is recorded as it is: make it an ``enact.Secret``."""


_seen: set[bytes] = set()
_told: set[tuple[str, str]] = set()


def look_at(
    target: Target, receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Warn if an argument looks like a credential; at the first call of a function.

    Args:
        target: what is called.
        receiver: the object whose method it is, else None.
        args, kwargs: its arguments.
    """
    if target.cid in _seen or target.builtin:
        return
    _seen.add(target.cid)
    parts: list[tuple[str, Any]] = [("self", receiver)]
    names = _parameters(target) if len(args) else []
    names += [str(n) for n in range(len(names), len(args))]
    parts += zip(names, args, strict=False)
    parts += kwargs.items()
    for name, value in parts:
        for path, rule in _found(name, name, value, _DEPTH):
            _warn(target.name, path, f"argument {path!r} looks like a credential", rule)


def look_for_live(target: Target, data: bytes, blocks: Blocks, what: str) -> None:
    """Warn if what is written has the text of a secret that is alive.

    To be called only while ``LIVE`` has something in it.

    Args:
        target: what is called.
        data: what is written of its input or output.
        blocks: more of it.
        what: the part of the call that it is.
    """
    assert LIVE is not None
    for text in live_bytes():
        if text in data or any(text in block for _, block in blocks):
            _warn(target.name, what, f"the {what} has the text of a Secret in it", "")


def _warn(name: str, path: str, said: str, rule: str) -> None:
    if (name, path) in _told:
        return
    _told.add((name, path))
    by = f" ({rule})" if rule else ""
    warnings.warn(
        f"calls of {name!r}: {redact(said)}{by}, and is written to the store as it is, "
        "since a replay needs it: pass an `enact.Secret` on, and `reveal()` it only "
        "where it is used",
        PlainCredentialWarning,
        stacklevel=stacklevel(),
    )


def _parameters(target: Target) -> list[str]:
    try:
        parameters = inspect.signature(target.fn).parameters.values()
    except (TypeError, ValueError):
        return []
    names = [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return names[1:] if target.method or target.takes_value else names


def _found(name: Any, path: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Paths in a value, and the rules by which something is a credential there."""
    if isinstance(value, bytes):
        value = value[:_LONG].decode("utf-8", "replace")
    if isinstance(value, str):
        rule = name_rule(name, value) or shape_rule(value[:_LONG])
        if rule is not None:
            yield path, rule
        return
    if depth == 0:
        return
    parts: Sequence[tuple[Any, str, Any]] = ()
    if type(value) is dict:
        items = list(value.items())[:_ITEMS]
        parts = [(key, f"{path}[{key!r}]", item) for key, item in items]
    elif type(value) in (list, tuple):
        parts = [(None, f"{path}[{n}]", item) for n, item in enumerate(value[:_ITEMS])]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [
            (field.name, f"{path}.{field.name}", getattr(value, field.name, None))
            for field in dataclasses.fields(value)
        ]
    for key, step, part in parts:
        yield from _found(key, step, part, depth - 1)
