# SPDX-License-Identifier: Apache-2.0
"""The replayer: which recorded call answers the call that the program makes now.

A ``Plan`` belongs to one frame that runs again. It hands out the recorded children of
that frame, lane by lane, as long as the program asks what it asked before.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.calls.layout import Recorded
from enact.errors import ReplayError
from enact.values import ATOMIC, cid_text, decode
from enact.values.cids import CID_PREFIX

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane, Path
    from enact.calls.targets import Target
    from enact.calls.turns import Turns

_BATCH = 128


class Session:
    """What holds for a whole replay.

    Attributes:
        strict: stop at the first difference that nothing explains.
        override: replaces recorded exceptions; see ``invoke``.
        explained: some call was not answered from the record, so that the program
            may do other things from here on.
        verdicts: of calls that were not simply reused, by path.
        error: the first difference that nothing explained. The program may catch it,
            but the replay has failed.
    """

    __slots__ = ("error", "explained", "override", "strict", "verdicts")

    def __init__(
        self, strict: bool, override: Callable[[Any], Any] | None = None
    ) -> None:
        self.strict = strict
        self.override = override
        self.explained = False
        self.verdicts: dict[str, str] = {}
        self.error: ReplayError | None = None

    def failed(self, error: ReplayError) -> ReplayError:
        """Note that the replay has failed; gives the first error."""
        if self.error is None:
            self.error = error
        return self.error

    def tell(self, frame: Frame) -> None:
        """A call runs, so that what comes after it may differ."""
        assert frame.verdict is not None
        self.explain(frame.path_in_tree(), frame.verdict)

    def explain(self, path: str, verdict: str) -> None:
        """Note a verdict that explains differences from here on."""
        self.explained = True
        self.verdicts[path] = verdict


class Plan:
    """The recorded children of one frame, ready to be handed out.

    Attributes:
        session: of the replay.
        recorded: the recording of this frame.
        turns: the recorded interleaving, if there was one.
    """

    __slots__ = (
        "_batch",
        "_batch_cids",
        "_batch_start",
        "_lanes",
        "_live_lanes",
        "_outputs",
        "_retry",
        "_source",
        "_unclaimed",
        "recorded",
        "session",
        "turns",
    )

    def __init__(self, recorded: Recorded, session: Session, source: Any) -> None:
        self.session = session
        self.recorded = recorded
        self._source = source
        self._batch: list[Any] = []  # of Recorded or Leaf
        self._batch_cids: list[bytes] = []
        self._batch_start = 0
        self._live_lanes: list[Lane] = []
        # Blocks of outputs, read for a batch at a time.
        self._outputs: dict[Any, bytes] = {}
        details = recorded.details
        self._retry: frozenset[int] = frozenset()
        self._lanes: dict[Path, list[int]] | None = None
        self._unclaimed: dict[Path, list[int]] = {}
        self.turns: Turns | None = None
        if details is None:
            return
        if details.retry:
            self._retry = frozenset(details.retry)
        if details.lanes is not None:
            lanes: dict[Path, list[int]] = {}
            for index, path in enumerate(details.lanes):
                lanes.setdefault(tuple(path), []).append(index)
            self._lanes = lanes
            self._unclaimed = dict(lanes)
            self._unclaimed.pop((), None)
            paths = [tuple(path) for path in details.lanes]
            events = details.events
            if events is None:  # one call at a time, though in several lanes
                events = [e for n in range(len(paths)) for e in (0, n + 1)]
            from enact.calls.turns import Turns  # it needs asyncio

            self.turns = Turns(events, paths)

    def start(self, frame: Frame) -> None:
        """Attach to the frame that runs again."""
        frame.plan = self
        frame.plain = False
        if self._lanes is None:
            frame.queue = range(len(self.recorded.children))
        else:
            frame.queue = self._lanes.get((), ())
        if self.turns is not None:
            self.turns.on_rest = frame.note_rest

    def enlist(self, lane: Lane) -> None:
        """Give a new lane the calls that were recorded under its path."""
        if self._lanes is not None:
            lane.queue = self._lanes.get(lane.path, ())
            self._live_lanes.append(lane)
            if self.turns is not None:
                self.turns.begun(lane.path)

    def finished(self, lane: Lane) -> None:
        """A lane has come to its end: it will make no more calls."""
        if self.turns is not None:
            self.turns.lane_ended(lane.path)

    def has_turns(self) -> bool:
        """Whether recorded starts and ends are still to come."""
        return self.turns is not None and not self.turns.used_up()

    def awaits_cancellation(self) -> bool:
        """Whether a call recorded as cancelled was so by the program's own decision.

        If this frame was cancelled or cut off itself, it was not: it runs again.
        """
        details = self.recorded.details
        return details is None or details.status not in ("incomplete", "cancelled")

    def retried(self, index: int) -> bool:
        """Whether the recorded child ``index`` is part of what ended the frame."""
        return index in self._retry

    def child(self, index: int) -> Recorded:
        """The recorded child ``index``."""
        place = index - self._batch_start
        if not 0 <= place < len(self._batch):
            start = max(0, index - 8)
            cids = list(self.recorded.children[start : start + _BATCH])
            self._batch = layout.read_ready(cids, self._source)
            self._batch_cids = cids
            self._batch_start = start
            place = index - start
        recorded = self._batch[place]
        if type(recorded) is tuple:
            cid = self._batch_cids[place]
            recorded = self._batch[place] = Recorded.of_leaf(cid, recorded)
        return recorded  # type: ignore[no-any-return]  # a leaf was just replaced

    def quick_answer(
        self,
        frame: Frame,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Given | None:
        """The answer to most calls by far, in few steps; None to take all steps.

        It is for short scalars passed to a function that returned, in a frame that
        does one thing at a time.
        """
        cursor = frame.cursor
        queue = frame.queue
        if cursor >= len(queue) or self.turns is not None or frame.spawned:
            return None
        index = queue[cursor]
        place = index - self._batch_start
        batch = self._batch
        if not 0 <= place < len(batch):
            self.child(index)
            batch = self._batch
            place = index - self._batch_start
        recorded = batch[place]
        if type(recorded) is tuple:
            _, _, invokable, given, _, _, value = recorded
        elif recorded.simple:
            invokable, given, value = (
                recorded.invokable, recorded.input, recorded.value,
            )  # fmt: skip
        else:
            return None
        if invokable != target.cid:
            return None
        data = layout.plain_call_args(args, kwargs)
        if data is None or given != CID_PREFIX + sha256(data).digest():
            return None
        if index in self._retry or frame.unwinding or self.session.error is not None:
            return None
        frame.cursor = cursor + 1
        frame.children.append(self._batch_cids[place])
        frame.position += 1
        return Given(self.value(recorded) if value is layout.NOT_READ else value)

    def value(self, recorded: Recorded) -> Any:
        """The output of a recorded call: a fresh one, if it can change in place."""
        value = recorded.value
        if value is not layout.NOT_READ:
            return value
        data = self._outputs.get(recorded.output)
        if data is None:
            self._outputs = self._source.load_blocks(
                [
                    known.output
                    for known in self._batch
                    if type(known) is not tuple and known.simple
                ]
                or [recorded.output]
            )
            data = self._outputs[recorded.output]
        value = decode(data, self._source)
        if type(value) in ATOMIC:
            recorded.value = value
        return value

    def match(self, lane: Lane, call: Input) -> tuple[int, Recorded] | None:
        """The recorded call that ``call``, made in ``lane``, is; None for a new one.

        Its request is the same, or else it must run again: then what was recorded
        below it may still answer calls that come out the same.

        Raises:
            ReplayError: the program left the record and nothing explains it.
        """
        queue = lane.queue
        cursor = lane.cursor
        if cursor < len(queue):
            recorded = self.child(queue[cursor])
            if same(recorded, call):
                lane.cursor = cursor + 1
                self._unclaimed.pop(lane.path, None)
                return queue[cursor], recorded
        return self._search(lane, call)

    def _search(self, lane: Lane, call: Input) -> tuple[int, Recorded] | None:
        """Look further: in another lane nobody has come for, then further on."""
        queue = lane.queue
        if self._unclaimed and lane.cursor == 0:
            found = self._other_lane(lane, call)
            if found is not None:
                return found
        session = self.session
        if lane.cursor >= len(queue):
            if session.strict and not session.explained and self._complete():
                raise self._left(lane, call, None)
            return None
        if session.strict and not session.explained:
            raise self._left(lane, call, self.child(queue[lane.cursor]))
        for place in range(lane.cursor + 1, len(queue)):
            recorded = self.child(queue[place])
            if same(recorded, call):
                for index in queue[lane.cursor : place]:
                    self.drop(index)
                lane.cursor = place + 1
                return queue[place], recorded
        recorded = self.child(queue[lane.cursor])
        if recorded.invokable == call.invokable and recorded.children:
            lane.cursor += 1
            return queue[lane.cursor - 1], recorded
        return None

    def _other_lane(self, lane: Lane, call: Input) -> tuple[int, Recorded] | None:
        """A lane whose first recorded call is this one, and that has not begun.

        Tasks that make no tracked call may be missing or extra in a replay, as
        ``asyncio.wait_for`` makes one on Python 3.11 and none on 3.12.
        """
        for path, queue in self._unclaimed.items():
            if path == lane.path:
                continue
            recorded = self.child(queue[0])
            if same(recorded, call):
                del self._unclaimed[path]
                if lane.queue and lane.path not in self._unclaimed:
                    self._unclaimed[lane.path] = list(lane.queue)
                if self.turns is not None:
                    self.turns.rename(path, lane.path)
                lane.queue = queue
                lane.cursor = 1
                return queue[0], recorded
        return None

    def _complete(self) -> bool:
        return self.recorded.status == "completed"

    def drop(self, index: int) -> None:
        """Nobody need wait for the recorded child ``index``."""
        if self.turns is not None:
            self.turns.drop(index)

    def left_over(self, frame: Frame) -> ReplayError | None:
        """At the end of the frame: the program has not asked for all recorded calls."""
        session = self.session
        if not session.strict or session.explained:
            return session.error
        for lane in (frame, *self._live_lanes):
            if lane.cursor < len(lane.queue):
                missing = self.child(lane.queue[lane.cursor])
                break
        else:
            if not self._unclaimed:
                return session.error
            missing = self.child(next(iter(self._unclaimed.values()))[0])
        return session.failed(
            ReplayError(
                f"replay of call {frame.path_in_tree() or 'at the top'}: the recorded "
                f"call {describe(missing, self._source)} was not made this time. Code "
                "before it has changed, or depends on something that is not recorded "
                "(time, chance, environment, global state). Replay with "
                "`strict=False` to go on",
                frame.path_in_tree(),
            )
        )

    def ended(self) -> None:
        """The frame has ended; one that had failed may have done other things now."""
        if self.recorded.status == "failed":
            self.session.explained = True

    def _left(self, lane: Lane, call: Input, recorded: Recorded | None) -> ReplayError:
        session = self.session
        frame = lane.frame
        base = frame.path_in_tree()
        slot = str(len(frame.children))
        path = f"{base}/{slot}" if base else slot
        if frame.caller is None:  # the call at the top itself
            path = ""
        live = f"{call.target.name} {describe_input(call)}"
        then = (
            "no further call" if recorded is None else describe(recorded, self._source)
        )
        cause = "the code that leads to it has changed"
        if recorded is not None and recorded.invokable == call.invokable:
            cause = (
                "its arguments depend on something that is not recorded (time, chance, "
                "set order, environment, global state), or the code before it changed"
            )
        error = ReplayError(
            f"replay left the record at call {path or 'at the top'}: recorded {then}, "
            f"now {live}. Likely cause: {cause}. Next: record that dependency as a "
            "call of its own, or replay with `strict=False` to run what differs",
            path,
        )
        return session.failed(error)


class Given:
    """The answer to a call that takes no further steps."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class TopPlan(Plan):
    """The plan of a whole replay: its one child is the call at the top."""

    __slots__ = ("_top",)

    def __init__(self, top: Recorded, session: Session, source: Any) -> None:
        super().__init__(top, session, source)
        self._top = top
        given = top.details is not None and top.details.origin is not None
        self._retry = frozenset([0] if top.status == "failed" and not given else [])
        self._batch, self._batch_cids = [top], [top.cid]
        self._lanes = None
        self._unclaimed = {}
        self.turns = None

    def start(self, frame: Frame) -> None:
        frame.plan = self
        frame.plain = False
        frame.queue = range(1)

    def awaits_cancellation(self) -> bool:
        return False

    def _complete(self) -> bool:
        return False

    def _search(self, lane: Lane, call: Input) -> tuple[int, Recorded] | None:
        if self.session.strict:
            raise self._left(lane, call, self._top)
        return None


def same(recorded: Recorded, call: Input) -> bool:
    """Whether a recorded call made the request of ``call``."""
    if recorded.input != call.cid:
        return False
    return recorded.invokable == call.invokable or (
        recorded.invokable in call.target.former
    )


def describe(recorded: Recorded, source: Any) -> str:
    """A recorded call in words: its name and its input, shortened."""
    try:
        invokable = decode(source.load_block(recorded.invokable), source, unknown=True)
        value = decode(source.load_block(recorded.input), source, unknown=True)
    except Exception:  # a description must never hide the error that it is for
        return cid_text(recorded.cid)
    return f"{name_of(invokable)} {_shorten(value)}"


def describe_input(call: Input) -> str:
    """The input of a live call, shortened."""
    if call.target.takes_value:
        return _shorten(call.args[0] if call.args else None)
    return _shorten((call.args, call.kwargs))


def name_of(invokable: Any) -> str:
    """The name of an invokable for messages and summaries."""
    inner = getattr(invokable, "__func__", invokable)
    target = getattr(inner, "__enact_target__", None)
    if target is not None:
        return str(target.name)
    return str(getattr(invokable, "name", None) or type(invokable).__qualname__)


def _shorten(value: Any, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
