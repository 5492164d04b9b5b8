# SPDX-License-Identifier: Apache-2.0
"""What a lock guards: data alone, or calls that may be tracked as well.

A thread that has no recorded calls left and takes a lock may do so for what it will
call next, or only to note what it has got. Its instructions tell.
"""

from __future__ import annotations

import builtins
import dis
import types
from collections.abc import Iterator

ENTERS = {"BEFORE_WITH", "LOAD_SPECIAL"}
"""Instructions that enter a context manager."""

# Methods of Python's containers, texts, events and loggers.
_METHODS = {
    name for kind in (list, dict, set, str, bytes, int, float) for name in dir(kind)
} | {
    "appendleft", "critical", "debug", "error", "exception", "extendleft", "info",
    "is_set", "most_common", "notify", "notify_all", "popleft", "put_nowait", "rotate",
    "set", "warning",
}  # fmt: skip

# Functions that call what they are given may call anything.
_FUNCTIONS = set(dir(builtins)) - {
    "__build_class__", "__import__", "breakpoint", "compile", "eval", "exec", "filter",
    "input", "map",
}  # fmt: skip

# Instructions that call something without its name, or hand it to others.
_ANYTHING = {
    "BEFORE_ASYNC_WITH", "CALL_FUNCTION_EX", "GET_AWAITABLE", "LOAD_BUILD_CLASS",
    "MAKE_FUNCTION", "PUSH_NULL", "SEND", "YIELD_VALUE",
} | ENTERS  # fmt: skip


def guards_data_only(code: types.CodeType, offset: int) -> bool:
    """Whether a block calls nothing but what Python has itself.

    Goes by the names of functions and methods.

    Args:
        code: that has the block.
        offset: of the instruction that enters the context manager; or of one that gets
            ``acquire``, if a ``try`` block follows.
    """
    block = list(_block(code, offset))
    return bool(block) and not any(map(_may_call_anything, block))


def _block(code: types.CodeType, offset: int) -> Iterator[dis.Instruction]:
    """The instructions behind the one at ``offset``, to the end of the next block."""
    # What covers the block handles its exceptions.
    entries = getattr(dis.Bytecode(code), "exception_entries", ())
    handlers = [e for e in entries if e.start > offset]
    if not handlers:
        return
    first = min(handlers, key=lambda entry: entry.start)
    end = max(e.end for e in handlers if e.target == first.target)
    for instruction in dis.get_instructions(code):
        if offset < instruction.offset < min(end, first.target):
            yield instruction


def _may_call_anything(instruction: dis.Instruction) -> bool:
    name, operation = instruction.argval, instruction.opname
    if operation in _ANYTHING:
        return True
    if operation == "LOAD_METHOD":
        return name not in _METHODS
    is_called = "NULL" in (instruction.argrepr or "")
    if operation == "LOAD_ATTR":
        return is_called and name not in _METHODS
    return is_called and operation == "LOAD_GLOBAL" and name not in _FUNCTIONS
