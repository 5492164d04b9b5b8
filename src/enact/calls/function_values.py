# SPDX-License-Identifier: Apache-2.0
"""Functions as values: stored by name, and found again in the registry."""

from __future__ import annotations

import types
from typing import Any

from enact.calls.targets import (
    FUNCTION,
    METHOD,
    UNREGISTERED,
    find,
    is_nameless,
    target_of,
)
from enact.errors import UnstorableValue
from enact.values import adapter, qualified_name


class UnregisteredFunction:
    """Stands for a function that was invoked without having been registered.

    Attributes:
        name: of the function, as ``module:qualname``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<unregistered function {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnregisteredFunction) and other.name == self.name

    def __hash__(self) -> int:
        return hash((UnregisteredFunction, self.name))


def _dump_function(fn: Any) -> dict[str, object]:
    target = target_of(fn)
    if target is None:
        raise UnstorableValue(
            f"function {qualified_name(fn)!r} is not registered: decorate it with "
            "`@enact.register`"
        )
    if is_nameless(target.name):
        # Closures share a name, and differ in what they captured.
        return {"name": target.name, "code": target.refresh_code()}
    return {"name": target.name}


def _load_function(fields: Any) -> Any:
    return find(fields["name"], fields.get("code")).wrapper


def _dump_method(method: Any) -> dict[str, object]:
    target = target_of(method.__func__)
    if target is None:
        raise UnstorableValue(
            f"method {qualified_name(method.__func__)!r} is not registered: decorate "
            "it with `@enact.register`"
        )
    return {"name": target.name, "self": method.__self__}


def _load_method(fields: Any) -> Any:
    return types.MethodType(find(fields["name"]).wrapper, fields["self"])


adapter(FUNCTION, [types.FunctionType], _dump_function, _load_function)
adapter(METHOD, [types.MethodType], _dump_method, _load_method)
adapter(
    UNREGISTERED,
    [UnregisteredFunction],
    lambda fn: {"name": fn.name},
    lambda fields: UnregisteredFunction(fields["name"]),
)
