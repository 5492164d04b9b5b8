# SPDX-License-Identifier: Apache-2.0
"""Strategies as text: ``beam(width=4, expand=3)``."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

from enact.errors import SearchError, UnknownStrategy
from enact.search.strategies import BY_NAME
from enact.search.strategy import Strategy


def strategy_of(given: str | Strategy) -> Strategy:
    """The strategy that a text names.

    Args:
        given: a name, or a name with options in parentheses; a strategy is given back
            as it is.

    Raises:
        UnknownStrategy: there is none of this name, or it has no such option.
        SearchError: an option makes no sense.

    Example:
        >>> strategy_of("beam(width=2)").width
        2
        >>> strategy_of("bean")
        Traceback (most recent call last):
        ...
        enact.errors.UnknownStrategy: there is no strategy 'bean'. There are: ...
    """
    if isinstance(given, Strategy):
        return given
    if not isinstance(given, str):
        raise UnknownStrategy(f"a strategy is a text or a Strategy, not {given!r}")
    name, options = _read(given)
    kind = BY_NAME.get(name)
    if kind is None:
        raise UnknownStrategy(
            f"there is no strategy {name!r}. There are: {', '.join(sorted(BY_NAME))}"
        )
    known = [field.name for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]  # all strategies are dataclasses
    for option in options:
        if option not in known:
            raise UnknownStrategy(
                f"{name} has no option {option!r}. It has: {', '.join(known) or 'none'}"
            )
    try:
        return kind(**options)
    except TypeError as error:
        raise SearchError(f"{given}: {error}") from None


def _read(text: str) -> tuple[str, dict[str, Any]]:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            if not tree.args and all(keyword.arg for keyword in tree.keywords):
                options = {k.arg: ast.literal_eval(k.value) for k in tree.keywords}
                return tree.func.id, options  # type: ignore[return-value]  # no None
    except (SyntaxError, ValueError):
        pass
    raise UnknownStrategy(
        f"{text!r} names no strategy: write a name, or a name with options, as in "
        f"'beam(width=4, expand=3)'. There are: {', '.join(sorted(BY_NAME))}"
    )
