# SPDX-License-Identifier: Apache-2.0
"""Where a part stands in a value, as in ``$.messages[3].image``.

While a value is lowered, a frame per open container says where it stands. Frames hold
objects, not text: the text is only worked out for the few parts that someone must hear
about, by looking for the part in its container.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from enact.values.redaction import redact_ends

#: Depth, frame of the container, the container or None, and the part in it; where the
#: container is None, the last is the text of the step.
Frame: TypeAlias = "tuple[int, Frame | None, Any, Any]"


def path_of(frame: Frame) -> str:
    """Return the path of a part, beginning with ``$``.

    Args:
        frame: where it stands.

    Returns:
        The path.

    Example:
        >>> root = (0, None, None, "")
        >>> items = [7]
        >>> path_of((2, (1, root, {"a": items}, items), items, 7))
        '$.a[0]'
    """
    steps = []
    at: Frame | None = frame
    while at is not None:
        _, above, container, part = at
        steps.append(part if container is None else _step(container, part))
        at = above
    return "$" + "".join(reversed(steps))


def key_step(key: object) -> str:
    """Return the step to the value of a key.

    Args:
        key: of a dict.

    Returns:
        ``.name`` or ``[3]``.

    Example:
        >>> key_step("image"), key_step("my image"), key_step(3)
        ('.image', "['my image']", '[3]')
    """
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    try:
        text = reprlib.repr(redact_ends(key, 30) if isinstance(key, str) else key)
    except Exception:
        text = f"<{type(key).__name__}>"
    return f"[{text}]"


def _step(container: Any, part: Any) -> str:
    if isinstance(container, Mapping):
        for key, value in container.items():
            if value is part:
                return key_step(key)
            if key is part:
                return f".keys(){key_step(key)}"
    elif isinstance(container, set | frozenset):
        return key_step(part)
    elif isinstance(container, Iterable):
        # The first of equal parts is the one that was met first.
        for index, value in enumerate(container):
            if value is part:
                return f"[{index}]"
    return "[?]"
