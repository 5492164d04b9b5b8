# SPDX-License-Identifier: Apache-2.0
"""The driver: asks a strategy, makes the steps, tells what came of them.

It is a program like any other, with steps and scores as its calls: what it records is
enough to resume it, and to go on with more to spend. Outcomes are told in the order in
which they were asked for, whichever is done first, so chance has no part in what comes
next.
"""

from __future__ import annotations

import copy
import functools
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from enact.calls import edits
from enact.calls.calling import call
from enact.calls.invocation import from_cid
from enact.calls.lanes import CURRENT
from enact.calls.targets import Target, add
from enact.errors import NoBranchPoint, NothingFound, SearchError, Signal
from enact.search import tree as kinds
from enact.search.allowance import Allowance
from enact.search.budget import Account, Budget
from enact.search.claims import Turn
from enact.search.drawing import Grounds
from enact.search.judging import Judge
from enact.search.making import Made, Maker, Program
from enact.search.outcome import Step
from enact.search.pool import Pool, make_pool
from enact.search.spec import Found, Search
from enact.search.steps import Job, Stepper
from enact.search.strategy import Extend, Vary
from enact.search.tree import Node, Tree
from enact.search.walk import Draw, draws_of, name_of
from enact.values import Encoder, Ref

if TYPE_CHECKING:
    from enact.stores import ValueStore

MORE = "enact/search/More"

_KINDS = {
    "parked": kinds.OPEN,
    "cut": kinds.OPEN,
    "completed": kinds.COMPLETE,
    "failed": kinds.FAILED,
    "discarded": kinds.DISCARDED,
    "waiting": kinds.WAITING,
}


def no_more(stopped: str) -> Budget | None:
    """More to spend, once a search has come to its end: none, unless put in later."""
    return None


_more = Target(no_more, MORE, builtin=True)
add(_more)


class Driver:
    """One search.

    Args:
        search: what to do.
        store: that is recorded into.
        account: pays.
        grounds: where the program branches.
        stepper: makes steps.
        judge: scores.
        numbers: of draws of steps that were made before the search was cut off, by
            their place in the order they were asked in.
        progress: is called with the driver after each outcome.
    """

    def __init__(
        self,
        search: Search,
        store: ValueStore,
        grounds: Grounds,
        stepper: Stepper,
        judge: Judge,
        numbers: dict[int, int],
        progress: Callable[[Driver], None] | None = None,
    ) -> None:
        self.search = search
        self.strategy = copy.deepcopy(search.strategy)
        self.store = store
        self.grounds = grounds
        self.tree = Tree(store, search.seed)
        self.stopped = ""
        self.first_failure: str | None = None
        self._stepper = stepper
        self._judge = judge
        self._maker = Maker(store, stepper, judge)
        self._progress = progress
        self._programs: list[Program] = [(search.program, search.args, search.kwargs)]
        self._accepted: Node | None = None
        self._fallback: Step | None = None
        self._allowance = Allowance(self.tree, grounds.account)
        self._under_way: deque[tuple[Extend | Vary, Any]] = deque()
        self._states: dict[bytes, int] = {}
        self._waits: Signal | None = None
        self._last_turn: Turn | None = None
        self._numbers = numbers
        self._place = 0
        self.found: Found | None = None

    @property
    def account(self) -> Account:
        """Pays for the calls."""
        return self.grounds.account

    def run(self) -> Found:
        """Search until the strategy, or the budget, is at its end.

        Raises:
            NoBranchPoint: nothing can be drawn again.
            NothingFound: there is no complete execution.
            InvalidScore: a score raised, or is no number.
            ReplayError: the program depends on what is not recorded.
        """
        root = self._begin()
        with make_pool(self.search.width) as pool:
            while root is not None:
                self._explore(pool)
                self._finish(pool)
                more = self._ask_for_more()
                if more is None:
                    break
                self.account.budget = self.account.budget.plus(more)
        return self._found()

    # --- the beginning ----------------------------------------------------------

    def _begin(self) -> Node | None:
        """Run the program once, to see where it branches; then make the root.

        The samples of this first execution are drawn again by whatever comes first, so
        it costs nothing extra.
        """
        made = self._maker.make(Job(self._programs[0], None, draws=None))
        step = made.step
        if step is None:
            self._waits = made.signal
            return None
        self._allowance.told.add(made.spent)
        recorded = edits.read(step.invocation.cid, self.store)
        draws = draws_of(recorded, self.grounds, self.store)
        self._require_stored(draws)
        if not draws and step.ending != "cut":
            raise NoBranchPoint(self._no_branch_point(step))
        self._allowance.count_length(len(draws))
        if step.ending == "completed":
            self._fallback = step
        elif step.why is not None and step.ending != "cut":
            self.first_failure = step.why
        self.grounds.ledger.stash((d.call.request, d.call.cid) for d in draws)
        start = None
        if draws and draws[0].path:
            start = edits.rewound_to(recorded, self.store, draws[0].path)
        step = self._stepper.step(Job(self._programs[0], start, draws=0))
        if step.ending not in ("parked", "cut"):
            raise SearchError(
                f"the program ran to its end ({step.why or step.ending}) where it was "
                "to stop at its first branch point: it does other things when it runs "
                "again"
            )
        return self._add(None, step)

    def _require_stored(self, draws: list[Draw]) -> None:
        for path, drawn in draws:
            if drawn.details is not None and drawn.details.opaque:
                raise SearchError(
                    f"call {'/'.join(map(str, path))} of "
                    f"{name_of(drawn, self.store)!r} has a part that cannot be stored, "
                    "so executions could not be replayed past it: see the warning that "
                    "names it, and register its type or wrap it with a TypeWrapper"
                )

    def _no_branch_point(self, step: Step) -> str:
        names = ", ".join(sorted(self.grounds.composite | self.grounds.leaves))
        wanted = self.search.branch_on
        if wanted:
            return (
                f"the program never called {', '.join(wanted)}, which the search was "
                f"to branch on. It called: {names or 'no registered function'}"
            )
        return (
            "the program has no branch point: it made no registered call that is a "
            f"leaf and not declared deterministic. It called: {names or 'nothing'}. "
            "Next: register the function that draws (`@enact.register`), without "
            "`deterministic=True`"
        )

    # --- the loop ---------------------------------------------------------------

    def _explore(self, pool: Pool) -> None:
        self.stopped = ""
        while True:
            if not self.stopped:
                self._ask(pool)
            if not self._under_way:
                break
            self._tell(*self._under_way.popleft())
        self.stopped = self.stopped or "the strategy came to its end"

    def _ask(self, pool: Pool) -> None:
        """Start as much as can be worked on."""
        while (room := pool.width - len(self._under_way)) > 0:
            asked = self.strategy.ask(self.tree, room)
            if not asked:
                return
            for extend in asked:
                under_way = [other for other, _ in self._under_way]
                why = self._allowance.why_not(extend, under_way)
                if why is not None:
                    self.stopped = why
                    return
                self._start(pool, extend)

    def _start(self, pool: Pool, extend: Extend | Vary) -> None:
        place = self._place
        self._place += 1
        if isinstance(extend, Vary):
            nodes = [self.tree[id] for id in extend.nodes]
            parents = [(node.cid, self._programs[node.program]) for node in nodes]
            maker = self._maker
            self._submit(pool, extend, maker.make_variant, extend, parents, place)
            return
        node = self.tree[extend.node]
        if not node.is_open or node.request is None:
            raise SearchError(f"the strategy asked to extend {node}, which is not open")
        number = self._numbers.get(place)
        if number is None:
            number = self.grounds.ledger.next_number(node.request)
        job = Job(
            self._programs[node.program], node.cid, node.at, number,
            None if extend.to_end else 1, node.request, place,
        )  # fmt: skip
        self._submit(pool, extend, self._maker.make, job)

    def _submit(
        self, pool: Pool, extend: Extend | Vary, fn: Callable[..., Made], *args: Any
    ) -> None:
        turn = None
        if pool.width > 1:
            turn = self._last_turn = Turn(self._last_turn)
        future = pool.submit(functools.partial(self._maker.work, turn=turn), fn, *args)
        self._under_way.append((extend, future))

    def _tell(self, extend: Extend | Vary, future: Any) -> None:
        made: Made = future.result()
        if isinstance(extend, Vary):
            self._tell_variant(made)
            return
        parent = self.tree[extend.node]
        if made.step is None:
            self._waits = self._waits or made.signal
            return
        self._allowance.told.add(made.spent)
        node = self._add(parent, made.step, extend.to_end)
        if node.kind == kinds.COMPLETE and made.signal is not None:
            self._waits = self._waits or made.signal
            node.kind = kinds.WAITING
        else:
            self.tree.scored(node, self._score_of(node, parent, made))
        if node.is_open:
            self._allowance.consider(node)
        self.strategy.tell(self.tree, node)
        if made.step.accepted and node.kind == kinds.COMPLETE:
            self._accepted = node
            self.stopped = "the program accepted an execution"
        if self._progress is not None:
            self._progress(self)

    def _score_of(self, node: Node, parent: Node | None, made: Made) -> float | None:
        if node.kind == kinds.COMPLETE and made.score is not None:
            return made.score
        assert made.step is not None
        if made.step.score is not None:
            return made.step.score
        if node.kind not in (kinds.OPEN, kinds.COMPLETE) or parent is None:
            return None
        return parent.score

    def _add(
        self, parent: Node | None, step: Step, rollout: bool = False, draws: int = 1
    ) -> Node:
        node = self.tree.add(parent, _KINDS[step.ending], step.invocation.cid)
        node.at, node.branch, node.why = step.at, step.branch, step.why
        node.rollout = rollout
        if parent is None:
            self.tree.scored(node, step.score)
        elif rollout:
            node.depth = parent.depth + draws + len(step.drawn)
        if step.request is not None:
            node.request = step.request.cid
        if node.kind == kinds.COMPLETE:
            node.output = edits.read(node.cid, self.store).output
            self._allowance.count_length(node.depth)
        elif node.kind == kinds.FAILED and self.first_failure is None:
            self.first_failure = step.why
        elif node.is_open and self.search.merge_on is not None:
            self._merge(node)
        return node

    def _merge(self, node: Node) -> None:
        """Close a node whose state another one is in."""
        state = _outside(self.search.merge_on, from_cid(node.cid, self.store))
        key = Encoder(lambda *_: None, self.store.adopt).encode([node.branch, state])
        if self._states.setdefault(key, node.id) != node.id:
            node.kind = kinds.MERGED
            self.tree.merged += 1

    def _tell_variant(self, made: Made) -> None:
        if made.step is None:
            self._waits = self._waits or made.signal
            return
        self._allowance.told.add(made.spent)
        node = self._add(None, made.step)
        if made.program is not None:
            node.program = len(self._programs)
            _, args, kwargs = self._programs[0]
            self._programs.append((made.program, args, kwargs))
        self.strategy.tell(self.tree, node)

    # --- the end ----------------------------------------------------------------

    def _finish(self, pool: Pool) -> None:
        """See the best partial executions to their end with what was kept for that."""
        if not self.stopped.startswith("budget"):
            return
        why = self.stopped
        for node in self._candidates():
            if not self._allowance.can_finish(node):
                break
            self._start(pool, Extend(node.id, True))
            self._tell(*self._under_way.popleft())
        self.stopped = why

    def _candidates(self) -> Iterator[Node]:
        """Open nodes that nothing was made of, the best first."""
        leaves = [node for node in self.tree if node.is_open and not node.children]
        leaves.sort(key=lambda node: (-node.value, -node.depth, node.id))
        yield from leaves

    def _ask_for_more(self) -> Budget | None:
        lane = CURRENT.get()
        assert lane is not None
        if self._waits is not None:
            return None
        more: Budget | None = call(lane, _more, None, (self.stopped,), {})
        return more

    def _found(self) -> Found:
        tree = self.tree
        best = self._accepted or self.strategy.best(tree)
        if best is None and self._fallback is not None and len(tree):
            best = self._take_fallback()
        counts = dict(Counter(node.kind for node in tree))
        if self._waits is not None:
            self.stopped = "waits for an answer"
            if best is None:
                # The run pauses, whatever is returned; see `Store.pending`.
                raise self._waits
        if best is None:
            raise NothingFound(self._nothing_found(counts))
        value = self.strategy.value(tree, best)
        self.found = Found(
            Ref(best.cid, self.store), value, best.id, self.stopped,
            copy.copy(self.account.look()), counts,
        )  # fmt: skip
        return self.found

    def _take_fallback(self) -> Node | None:
        """The first execution, where nothing else came to its end."""
        step = self._fallback
        assert step is not None
        try:
            score, _ = self._judge.score(step)
            made = Made(step, score)
        except Signal as missing:
            self._waits = self._waits or missing
            return None
        node = self._add(self.tree.root, step, rollout=True, draws=0)
        self.tree.scored(node, self._score_of(node, None, made))
        self._fallback = None
        return self.strategy.best(self.tree) or node

    def _nothing_found(self, counts: dict[str, int]) -> str:
        made = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))
        if self.first_failure is not None:
            return (
                f"no execution came to its end ({made}). The first failure was "
                f"{self.first_failure}"
            )
        if self.stopped.startswith("budget"):
            return (
                f"the {self.stopped} was not enough for one complete execution "
                f"({made}). Next: `enact.search.extend(run, Budget(...))`"
            )
        return f"no execution came to its end ({made}): {self.stopped}"


def _outside(fn: Callable[..., Any], *args: Any) -> Any:
    """Call ``fn`` as what is no part of the record."""
    token = CURRENT.set(None)
    try:
        return fn(*args)
    finally:
        CURRENT.reset(token)


__all__ = ["MORE", "Driver"]
