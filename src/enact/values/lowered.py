# SPDX-License-Identifier: Apache-2.0
"""Parts of a value that have been lowered already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enact.values.registry import LOWERERS

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowering
    from enact.values.paths import Frame


class Lowered:
    """Stands in a value for something whose form is known, such as a list of links.

    Args:
        form: as `Encoder.form` or `encode_links` makes it.

    Example:
        >>> from enact.values.encoder import Encoder
        >>> Encoder(lambda cid, data: None).encode([Lowered([])]).hex()
        '8180'
    """

    __slots__ = ("form",)

    def __init__(self, form: Form) -> None:
        self.form = form


def _lower(encoder: Lowering, value: Lowered, frame: Frame) -> Form:
    return value.form


LOWERERS[Lowered] = _lower
