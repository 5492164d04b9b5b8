# SPDX-License-Identifier: Apache-2.0
"""Names of the parameters of what was called, out of the source that is recorded.

Nothing of a user is imported, and only the head of the function is looked at, token by
token: a store may be of somebody else.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from enact.calls import CallArgs, Invocation
from enact.calls import source as source_of
from enact.errors import EnactError

_MOST = 20_000  # characters of a source that are looked at
_MOST_KNOWN = 1_000
_UNNAMED = ("self", "cls", "mcs")


class Parameters(NamedTuple):
    """Of a function.

    Attributes:
        names: of those that take an argument by position.
        rest: of the one that takes all further ones (``*args``); empty if none does.
    """

    names: tuple[str, ...]
    rest: str = ""

    def label(self, index: int) -> str:
        """What the argument at a position is called: a name, else its number."""
        if index < len(self.names):
            return self.names[index]
        return f"{self.rest}[{index - len(self.names)}]" if self.rest else str(index)


NONE = Parameters(())
_known: dict[tuple[str, str], Parameters] = {}


def arguments_of(view: Invocation, value: CallArgs) -> list[tuple[str, object]]:
    """The arguments of a call, each with the name of its parameter.

    Args:
        view: the call.
        value: its input.

    Returns:
        Labels and values. Where the source of the function is not recorded, arguments
        by position have their numbers for labels.

    Example:
        >>> import enact
        >>> program = enact.Program("def solve(n, /, *more, by=2):\\n    return n * by")
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(program.load(allow=True), (1, 2), {"by": 3})
        ...     arguments_of(inv, enact.CallArgs((1, 2), {"by": 3}))
        [('n', 1), ('more[0]', 2), ('by', 3)]
    """
    found = parameters_of(view) if value.args else NONE
    named = [(found.label(n), one) for n, one in enumerate(value.args)]
    return [*named, *value.kwargs.items()]


def parameters_of(view: Invocation) -> Parameters:
    """The parameters of what a call ran; none if its source is not recorded."""
    code = view._recorded().code
    if code is None:
        return NONE
    found = _known.get((view.name, code))
    if found is None:
        try:
            text = source_of(view).text
        except (EnactError, RecursionError):
            return NONE
        found = parameters_in(text)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[view.name, code] = found
    return found


def parameters_in(text: str) -> Parameters:
    """The parameters of the first function that a text defines.

    >>> parameters_in("def f(self, a: dict[str, int], b=lambda x, y: 1, *rest): ...")
    Parameters(names=('a', 'b'), rest='rest')
    >>> parameters_in("class A: pass")
    Parameters(names=(), rest='')
    """
    try:
        return _read(_tokens(text[:_MOST]))
    except (tokenize.TokenError, SyntaxError, StopIteration):
        return NONE


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    skipped = (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return (token for token in found if token.type not in skipped)


def _read(tokens: Iterator[tokenize.TokenInfo]) -> Parameters:
    while next(tokens).string != "def":
        pass
    depth = 0
    while (word := next(tokens).string) != "(" or depth:  # past type parameters
        depth += _step(word)
    names: list[str] = []
    rest, begins, star, in_lambda = "", True, False, False
    depth = 1
    while True:
        token = next(tokens)
        word = token.string
        depth += _step(word)
        if depth == 0:
            break
        if depth > 1:
            continue
        if in_lambda:
            in_lambda = word != ":"
        elif word == ",":
            if star:  # what comes after it is given by name
                break
            begins = True
        elif begins and word == "**":
            break
        elif begins and word == "*":
            star = True
        elif begins and token.type == tokenize.NAME:
            begins = False
            if star:
                rest = word
            else:
                names.append(word)
        elif word == "lambda":
            in_lambda = True
    if names and names[0] in _UNNAMED:
        del names[0]
    return Parameters(tuple(names), rest)


def _step(word: str) -> int:
    return {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(word, 0)
