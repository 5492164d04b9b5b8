# SPDX-License-Identifier: Apache-2.0
"""Lock points: a replayed thread waits for its turn before it takes a lock.

Locks are made by the program and stay as they are. A thread that takes one, makes a
call and gives it back, again and again, would in a replay take it at once again, since
its call takes no time; the one whose call comes next could never have it. So a thread
that makes recorded calls in a function that takes locks is traced while it replays
(``sys.settrace``), and is held back at the lines where it would take one.
"""

from __future__ import annotations

import dis
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enact.calls.guarded import ENTERS, guards_data_only
from enact.calls.lanes import CURRENT

if TYPE_CHECKING:
    from enact.calls.lanes import Lane

# What runs the program's code; other code of this package only calls it back.
_RUN_PROGRAMS = ("enact.calls.calling", "enact.calls.lanes", "enact.calls.streams")

# What a line that takes a lock has among its instructions, if it enters no block.
_ACQUIRE = "acquire"

_OWN = str(Path(__file__).parent.parent)
_LIBRARY = sysconfig.get_path("stdlib")
_PACKAGES = sysconfig.get_path("purelib")


# Installed packages that have functions that are tracked.
_programs_own: set[str] = set()

# By the `id` of code objects, which are kept: to hash one takes long.
_points: dict[int, tuple[types.CodeType, dict[int, bool]]] = {}


def watch(lane: Lane) -> None:
    """Hold this thread back at lock points, to the end of what a lane does in it.

    Where a debugger traces it, it is not held back.
    """
    if sys.gettrace() is not None:
        return
    _admit(lane)
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    sys.settrace(_at_call)
    first = None
    while frame is not None and not frame.f_code.co_filename.startswith(_OWN):
        if _is_programs(frame.f_code.co_filename):
            frame.f_trace = _within
            frame.f_trace_lines = bool(_lock_points(frame.f_code))
            first = frame
        frame = frame.f_back
    if first is None:
        sys.settrace(None)
    else:
        first.f_trace = _within_first


def watch_thread(lane: Lane) -> None:
    """The same for a thread that begins: until `leave_thread`."""
    if sys.gettrace() is None:
        _admit(lane)
        sys.settrace(_at_call)


def leave_thread() -> None:
    """End what `watch_thread` began."""
    if sys.gettrace() is _at_call:
        sys.settrace(None)


def _lock_points(code: types.CodeType) -> dict[int, bool]:
    """Offsets of instructions from the start of a line up to where it takes a lock.

    With each, whether all locks of that line guard data only.
    """
    known = _points.get(id(code))
    if known is None:
        points = _find(code) if _is_programs(code.co_filename) else {}
        known = _points[id(code)] = (code, points)
    return known[1]


def _find(code: types.CodeType) -> dict[int, bool]:
    points: dict[int, bool] = {}
    line: list[int] = []
    guards_data = True
    for instruction in dis.get_instructions(code):
        if instruction.starts_line:
            line, guards_data = [], True
        line.append(instruction.offset)
        if instruction.opname in ENTERS or instruction.argval == _ACQUIRE:
            guards_data = guards_data and guards_data_only(code, instruction.offset)
            points.update(dict.fromkeys(line, guards_data))
    return points


def _is_programs(filename: str) -> bool:
    """Whether code is the program's, or of an installed package with tracked calls.

    Locks of other packages, and of Python, guard what makes no calls.
    """
    if filename.startswith(_PACKAGES):
        return _package(filename) in _programs_own
    return not filename.startswith((_OWN, _LIBRARY, "<frozen"))


def _package(filename: str) -> str:
    return Path(filename).relative_to(_PACKAGES).parts[0]


def _admit(lane: Lane) -> None:
    """Note the package of a function that is tracked."""
    fn = getattr(lane.frame.target, "fn", None)  # of one at home is only the name known
    code = getattr(fn, "__code__", None)
    if code is not None and code.co_filename.startswith(_PACKAGES):
        package = _package(code.co_filename)
        if package not in _programs_own:
            _programs_own.add(package)
            _points.clear()


def _at_call(frame: types.FrameType, event: str, arg: object) -> Any:
    return _within if _lock_points(frame.f_code) else None


def _within(frame: types.FrameType, event: str, arg: object) -> Any:
    if event == "line":
        guards_data = _lock_points(frame.f_code).get(frame.f_lasti)
        if guards_data is not None:
            _hold(frame, guards_data)
    return _within


def _within_first(frame: types.FrameType, event: str, arg: object) -> Any:
    _within(frame, event, arg)
    if event == "return":
        sys.settrace(None)
    return _within_first


def _hold(frame: types.FrameType, guards_data: bool) -> None:
    lane = CURRENT.get()
    plan = None if lane is None else lane.frame.plan
    if lane is None or plan is None:
        return
    above: types.FrameType | None = frame
    while above is not None and not above.f_code.co_filename.startswith(_OWN):
        above = above.f_back
    # Such as a store of the program's: it may be called with locks held.
    if above is None or above.f_globals["__name__"] in _RUN_PROGRAMS:
        plan.wait_before_lock(lane, guards_data)


def is_at_one(thread: int) -> bool:
    """Whether a thread waits for a lock or for another thread, as far as is known.

    Args:
        thread: as ``threading.get_ident`` says.
    """
    frame = sys._current_frames().get(thread)
    if frame is None:
        return True
    module = str(frame.f_globals.get("__name__"))
    if module in ("threading", "queue") or module.startswith("concurrent.futures."):
        return True
    return frame.f_lasti in _lock_points(frame.f_code)
