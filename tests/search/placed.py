# SPDX-License-Identifier: Apache-2.0
"""A program that is an object of a class; its type is all that names this module."""

from __future__ import annotations

import dataclasses

import enact
from tests.search import programs_to_search as programs


@enact.register(name="placed/Length")
@dataclasses.dataclass
class Length:
    value: int


@enact.register(name="placed/Placed")
@dataclasses.dataclass
class Placed(enact.Invokable[Length, int]):
    offset: int = 0

    def call(self, length: Length) -> int:
        return self.offset + programs.number(length.value)
