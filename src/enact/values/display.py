# SPDX-License-Identifier: Apache-2.0
"""How objects show themselves in notebooks: a higher layer says, this one only asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: For a class and its subclasses: what gives HTML for an object.
HTML: dict[type, Callable[[Any], str]] = {}


class Displayed:
    """A base of classes whose objects show themselves as the last value of a cell."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """HTML without scripts, for notebooks; None if nothing gives it."""
        for kind in type(self).__mro__:
            render = HTML.get(kind)
            if render is not None:
                return render(self)
        return None

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        """The same with plain text beside it, for front ends that show no HTML."""
        html = self._repr_html_()
        text = {"text/plain": repr(self)}
        return text if html is None else {**text, "text/html": html}


__all__ = ["HTML", "Displayed"]
