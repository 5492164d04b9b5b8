# SPDX-License-Identifier: Apache-2.0
"""Values as text over several lines, with refs followed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from enact.calls import Invocation
from enact.errors import EnactError
from enact.render.summary import invocation_summary
from enact.render.text import short, short_name, visible
from enact.values import Ref, Unknown, redact

_WIDTH = 80


class PPrinter:
    """Formats values, following refs.

    Args:
        offset: by how many spaces to indent what is inside.
        max_ref_depth: how many refs deep to look; 0 shows refs as such; None for all.
        skip_repeated_refs: show what a ref points to only where it is first met.

    Example:
        >>> import enact
        >>> with enact.InMemoryStore():
        ...     ref = enact.commit(["sea", 3])
        ...     print(enact.PPrinter().pformat({"poem": ref}))
        {'poem': -> ['sea', 3]}
    """

    def __init__(
        self,
        offset: int = 2,
        max_ref_depth: int | None = None,
        skip_repeated_refs: bool = False,
    ) -> None:
        self.offset = offset
        self.max_ref_depth = max_ref_depth
        self.skip_repeated_refs = skip_repeated_refs
        self._formatters: dict[type, Callable[[Any], str]] = {}

    def register(self, kind: type, formatter: Callable[[Any], str]) -> PPrinter:
        """Use ``formatter`` for values of a type and of its subclasses.

        Args:
            kind: the type.
            formatter: gives the text, of one line or several, for a value.

        Returns:
            The printer itself.
        """
        self._formatters[kind] = formatter
        return self

    def pformat(self, value: Any) -> str:
        """The text for a value: control characters are visible, credentials are not."""
        return visible(redact(self._format(value, 0, set())))

    def pprint(self, value: Any, file: TextIO | None = None) -> None:
        """Print the text for a value.

        Args:
            value: any.
            file: by default standard output.
        """
        print(self.pformat(value), file=file)

    def _format(self, value: Any, depth: int, seen: set[Ref[Any]]) -> str:
        for kind in type(value).__mro__:
            formatter = self._formatters.get(kind)
            if formatter is not None:
                return formatter(value)
        if isinstance(value, Invocation):
            return invocation_summary(value)
        if isinstance(value, Ref):
            return self._ref(value, depth, seen)
        opening, closing, items = _parts(value)
        if items is None:
            return short(value, 10_000)
        texts = [f"{label}{self._format(item, depth, seen)}" for label, item in items]
        line = f"{opening}{', '.join(texts)}{closing}"
        if len(line) <= _WIDTH and "\n" not in line:
            return line
        indent = " " * self.offset
        inner = "".join(
            f"{indent}{text}".replace("\n", f"\n{indent}") + ",\n" for text in texts
        )
        return f"{opening}\n{inner}{closing}"

    def _ref(self, ref: Ref[Any], depth: int, seen: set[Ref[Any]]) -> str:
        name = f"<ref {ref.id[-8:]}>"
        if self.max_ref_depth is not None and depth >= self.max_ref_depth:
            return name
        if self.skip_repeated_refs:
            if ref in seen:
                return f"{name} (above)"
            seen.add(ref)
        try:
            value = ref.checkout()
        except EnactError as error:
            return f"{name} ({type(error).__name__})"
        return f"-> {self._format(value, depth + 1, seen)}"


def _parts(value: Any) -> tuple[str, str, Iterator[tuple[str, Any]] | None]:
    """How a container begins and ends, and its labelled items."""
    if isinstance(value, list):
        return "[", "]", (("", item) for item in value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        closing = ",)" if len(value) == 1 else ")"
        return "(", closing, (("", item) for item in value)
    if isinstance(value, Mapping):
        opening = "{" if type(value) is dict else f"{type(value).__qualname__}({{"
        closing = "}" if type(value) is dict else "})"
        return opening, closing, ((f"{k!r}: ", v) for k, v in value.items())
    if isinstance(value, Unknown):
        name = short_name(value.type)
        return f"{name}(", ")", ((f"{k}=", v) for k, v in value.fields.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        name = type(value).__qualname__
        items = ((f"{f.name}=", getattr(value, f.name, None)) for f in fields)
        return f"{name}(", ")", items
    return "", "", None


def pformat(
    value: Any, max_ref_depth: int | None = None, skip_repeated_refs: bool = False
) -> str:
    """The text for a value, with refs followed.

    Args:
        value: any; of an ``Invocation`` it is the summary.
        max_ref_depth: how many refs deep to look; None for all.
        skip_repeated_refs: show what a ref points to only where it is first met.

    >>> pformat({"a": [1, 2]})
    "{'a': [1, 2]}"
    """
    printer = PPrinter(
        max_ref_depth=max_ref_depth, skip_repeated_refs=skip_repeated_refs
    )
    return printer.pformat(value)


def pprint(
    value: Any,
    max_ref_depth: int | None = None,
    skip_repeated_refs: bool = False,
    *,
    file: TextIO | None = None,
) -> None:
    """Print the text for a value, with refs followed; see ``pformat``.

    >>> pprint((1, "two"))
    (1, 'two')
    """
    print(
        pformat(value, max_ref_depth, skip_repeated_refs), file=file
    )  # printing is its purpose
