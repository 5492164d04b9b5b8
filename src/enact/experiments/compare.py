# SPDX-License-Identifier: Apache-2.0
"""``enact.experiments.compare``: variants of a program on the same inputs, paired."""

from __future__ import annotations

import contextvars
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enact.calls import Invocation, invoke, name_of, register
from enact.calls.lanes import CURRENT
from enact.calls.targets import target_of
from enact.errors import NoBranchPoint, NothingFound, SearchError
from enact.experiments.comparison import Cell, Comparison
from enact.experiments.statistics import evidence
from enact.query import Run, Store
from enact.query import resume as resume_run
from enact.render import Bar, is_watched
from enact.search import Budget, Progress, Result, Spent, Strategy
from enact.search import run as search
from enact.search.recorded import recorded_run
from enact.search.registered import registered_function, require_registered
from enact.search.scores import score_of
from enact.stores import memory_backend
from enact.values import ACTIVE, active_store

COMPARE = "enact/experiments/compare"


@register(name="enact/experiments/Searched")
@dataclasses.dataclass
class Searched:
    """A variant that is a search: its score is that of the best that it finds.

    Attributes:
        program: what is searched.
        strategy: its name, with options, or a ``Strategy``.
        budget: of each search.
        branch_on: names of functions.
    """

    program: Any
    strategy: str | Strategy
    budget: Budget | None = None
    branch_on: list[str] = dataclasses.field(default_factory=list)


@register(name="enact/experiments/Experiment")
@dataclasses.dataclass
class Experiment:
    """What is compared: the argument of a recorded experiment.

    Attributes:
        variants: by name; the first is the baseline.
        inputs: each is the one argument of the program.
        score: of outputs or invocations.
        n: executions of each variant on each input.
        failure: the score of one that failed.
        threshold: a score that is a success.
        confidence: of intervals.
        alpha: stop once all differences are decided at this level; None for never.
        seed: of searches.
        banked: samples are shared.
    """

    variants: dict[str, Any]
    inputs: list[Any]
    score: Any
    n: int
    failure: float
    threshold: float | None
    confidence: float
    alpha: float | None
    seed: int
    banked: bool


@register(name="enact/experiments/Findings")
@dataclasses.dataclass
class Findings:
    """The output of a recorded experiment.

    Attributes:
        cells: of all variants on all inputs that were run.
        stopped: why it ended.
    """

    cells: list[Cell]
    stopped: str


@dataclasses.dataclass
class _Surroundings:
    bank: Any = None
    executor: int | None = None
    progress: Callable[[Cell], None] | None = None
    run: str = ""
    bar: Bar | None = None


_SURROUNDINGS: contextvars.ContextVar[_Surroundings] = contextvars.ContextVar(
    "enact_experiment"
)


@register(name=COMPARE)
def experiment_program(experiment: Experiment) -> Findings:
    """An experiment as a program: what ``compare`` records."""
    lane = CURRENT.get()
    if lane is None:
        raise SearchError("use `enact.experiments.compare(...)`")
    around = _SURROUNDINGS.get(None) or _Surroundings()
    around.run = lane.frame.run.id
    bank = None
    if experiment.banked:
        bank = around.bank if around.bank is not None else active_store()
    cells: list[Cell] = []
    names = list(experiment.variants)
    for index in range(len(experiment.inputs)):
        for name in names:
            if around.bar is not None:
                text = f"{name}, input {index + 1} of {len(experiment.inputs)}"
                around.bar.show(text, len(cells))
            cell = _run_cell(experiment, name, index, bank, around.executor)
            cells.append(cell)
            if around.progress is not None:
                around.progress(cell)
        if _is_decided(experiment, cells, names):
            left = len(experiment.inputs) - index - 1
            return Findings(
                cells,
                f"stopped early, with {left} inputs left: a sequential sign test "
                f"decided all differences at level {experiment.alpha:g}",
            )
    return Findings(cells, "all inputs were run")


_target = target_of(experiment_program)
assert _target is not None
_target.builtin = True  # it is part of enact: a change of it reruns nothing


def _is_decided(experiment: Experiment, cells: list[Cell], names: list[str]) -> bool:
    if experiment.alpha is None or len(names) < 2:
        return False
    so_far = Comparison(
        cells, failure=experiment.failure, threshold=None, confidence=0.95,
        stopped="", run="",
    )  # fmt: skip
    # Each difference has its share of the error that is allowed in all.
    wanted = (len(names) - 1) / experiment.alpha
    return all(
        evidence(so_far.differences(name, names[0])) >= wanted for name in names[1:]
    )


def _run_cell(
    experiment: Experiment, name: str, index: int, bank: Any, executor: int | None
) -> Cell:
    variant = experiment.variants[name]
    args = (experiment.inputs[index],)
    cell = Cell(name, index, [], [])
    options: dict[str, Any] = {
        "score": experiment.score, "bank": bank, "executor": executor,
    }  # fmt: skip
    if isinstance(variant, Searched):
        for number in range(experiment.n):
            seed = experiment.seed + number
            result = _search(
                name, cell, variant.program, args, strategy=variant.strategy,
                seed=seed, budget=variant.budget, branch_on=variant.branch_on,
                **options,
            )  # fmt: skip
            if result is None:
                _add(cell, None, None)
            else:
                # What a strategy goes by, such as votes, is not the output's score.
                _add(cell, result.best.node.score, result.best.invocation)
        return cell
    strategy = f"best_of(n={experiment.n})"
    try:
        result = _search(name, cell, variant, args, strategy=strategy, **options)
    except NoBranchPoint:
        return _run_certain(experiment, variant, args, cell)
    if result is None:
        cell.scores = [None] * experiment.n
        cell.invocations = [None] * experiment.n
        return cell
    for node in result.tree:
        if node.parent is not None:
            done = node.kind == "complete"
            inv = result.tree.invocation(node) if done else None
            _add(cell, node.score if done else None, inv)
    return cell


def _search(name: str, cell: Cell, *args: Any, **options: Any) -> Result | None:
    """A search, which the cell pays for; None if nothing came to its end.

    Raises:
        SearchError: it waits for a person.
    """
    spent = Spent()

    def note(progress: Progress) -> None:
        nonlocal spent
        spent = progress.spent

    options["progress"] = note
    try:
        result = search(*args, **options)
    except NothingFound:
        _spend(cell, spent)
        return None
    _spend(cell, result.spent)
    if result.stopped == "waits for an answer":
        raise SearchError(
            f"an execution of variant {name!r} asks a person, for which a comparison "
            "does not wait. Next: let the program and the score ask nobody"
        )
    return result


def _run_certain(
    experiment: Experiment, variant: Any, args: tuple[Any, ...], cell: Cell
) -> Cell:
    """A variant that draws nothing: one execution stands for all."""
    began = time.monotonic()
    invocation = invoke(variant, args, wrap_exceptions=True)
    cell.seconds += time.monotonic() - began
    if invocation.status == "completed":
        score = score_of(experiment.score, invocation)
        _add(cell, score, invocation)
    else:
        _add(cell, None, None)
    return cell


def _add(cell: Cell, score: float | None, invocation: Invocation | None) -> None:
    if score is None and invocation is not None:
        raise SearchError(
            f"variant {cell.variant!r} has no score: give `score=`, or let the program "
            "tell it (`enact.score`)"
        )
    cell.scores.append(score)
    cell.invocations.append(None if invocation is None else invocation.ref)


def _spend(cell: Cell, spent: Spent) -> None:
    cell.calls += spent.calls
    cell.draws += spent.draws
    cell.seconds += spent.seconds
    cell.usd += spent.usd
    cell.tokens += spent.tokens


def compare(
    variants: Mapping[str, Any] | Sequence[Any],
    inputs: Sequence[Any],
    *,
    score: Callable[..., Any] | None = None,
    n: int = 1,
    bank: Any = None,
    failure: float = 0.0,
    threshold: float | None = None,
    confidence: float = 0.95,
    alpha: float | None = None,
    executor: int | None = None,
    seed: int = 0,
    progress: Callable[[Cell], None] | bool | None = None,
) -> Comparison:
    """Run variants of a program on the same inputs, and compare their scores.

    It is paired: each input is run by all variants, and differences are those on the
    same input. The experiment is recorded in the active store, or in one in memory.

    Args:
        variants: by name; the first is the baseline. Registered functions, invokable
            objects with other values in their fields, or ``Searched(...)``.
        inputs: each is the one argument of the variants.
        score: of an output or an invocation, as for ``enact.search.run``.
        n: executions of each variant on each input.
        bank: a store; draw number k of a request gets the k-th sample that it has, so
            variants have the same luck where they ask the same. What it has costs no
            calls: searches are held to equal cost by ``Budget(draws=...)``.
        failure: the score of an execution that did not come to its end.
        threshold: a score that is a success; the table then has pass@k.
        confidence: of the bootstrap intervals, over inputs.
        alpha: stop early once each difference from the baseline is decided: by a
            sequential sign test over inputs, with at most this chance that any is
            decided though neither is better more often.
        executor: executions at a time.
        seed: of searches.
        progress: is called with each cell that is done; True for a bar on standard
            error, False for nothing. By default that bar, if standard error is a
            terminal.

    Returns:
        The comparison: ``print`` it for a table.

    Raises:
        SearchError: an argument makes no sense.
        InvalidScore: a score raised, or is not a finite number.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def twice(sides: int) -> int:
        ...     return max(throw(sides), throw(sides))
        >>> found = enact.experiments.compare(
        ...     {"once": throw, "twice": twice}, [100, 200, 300], score=float, n=30
        ... )
        >>> found["twice"].difference > 0, found["twice"].calls
        (True, 2.0)
    """
    if not isinstance(variants, Mapping):
        variants = {name_of(one).rpartition(":")[2]: one for one in variants}
    if not variants or not inputs:
        raise SearchError("compare needs at least one variant and one input")
    if type(n) is not int or n < 1:
        raise SearchError(f"n={n!r}: it is the number of executions, 1 or more")
    if bank is not None and n > 1:
        for name, one in variants.items():
            if isinstance(one, Searched):
                raise SearchError(
                    f"with a bank, {n} searches of variant {name!r} would all draw the "
                    "same samples: use n=1, or no bank"
                )
    if bank is not None:
        for name, one in variants.items():
            budget = one.budget if isinstance(one, Searched) else None
            if budget is not None and budget.calls is not None and budget.draws is None:
                raise SearchError(
                    f"with a bank, {budget.calls} calls are no equal cost: what it has "
                    "costs none, so whoever comes later draws more. Next: give variant "
                    f"{name!r} Budget(draws={budget.calls})"
                )
    for one in variants.values():
        require_registered(one.program if isinstance(one, Searched) else one)
    experiment = Experiment(
        dict(variants), list(inputs), registered_function(score), n, failure, threshold,
        confidence, alpha, seed, bank is not None,
    )  # fmt: skip
    around = _around(experiment, bank, executor, progress)
    if ACTIVE.get() is not None:
        return _followed(around, experiment, None)
    with Store(memory_backend()):
        return _followed(around, experiment, None)


def resume(
    run: Run | str,
    *,
    bank: Any = None,
    executor: int | None = None,
    progress: Callable[[Cell], None] | bool | None = None,
) -> Comparison:
    """Go on with an experiment that was cut off: what was run is not run again.

    Args:
        run: of the experiment, or its identifier in the active store.
        bank, executor, progress: as for ``compare``.

    Raises:
        SearchError: it is no experiment, or nothing of it is recorded.
        NotResumable: it came to its end: ``load`` it.
        RunIsLive: somebody executes it.
    """
    found = recorded_run(run, COMPARE, "an experiment")
    if found.invocation is None:
        raise SearchError(
            f"experiment {found.id} was cut off before anything of it was recorded, "
            "also what it compares. Next: `compare` again; nothing is lost"
        )
    experiment = found.invocation.input.args[0]
    around = _around(experiment, bank, executor, progress)
    return _followed(around, experiment, found)


def load(run: Run | str) -> Comparison:
    """The comparison of an experiment that was recorded, and came to its end.

    Args:
        run: of the experiment, or its identifier in the active store.

    Raises:
        SearchError: it is no experiment, or did not come to its end.
    """
    found = recorded_run(run, COMPARE, "an experiment")
    if found.status != "completed" or found.invocation is None:
        raise SearchError(
            f"experiment {found.id} is {found.status}: go on with "
            f"`enact.experiments.resume({found.id!r})`"
        )
    return _comparison(
        found.invocation.output, found.invocation.input.args[0], found.id
    )


def _around(
    experiment: Experiment, bank: Any, executor: int | None, progress: Any
) -> _Surroundings:
    if callable(progress):
        return _Surroundings(bank, executor, progress)
    around = _Surroundings(bank, executor)
    if progress or (progress is None and is_watched()):
        cells = len(experiment.variants) * len(experiment.inputs)
        around.bar = Bar("compare", cells)
    return around


def _followed(
    around: _Surroundings, experiment: Experiment, run: Run | None
) -> Comparison:
    token = _SURROUNDINGS.set(around)
    try:
        if run is None:
            invocation = invoke(experiment_program, (experiment,))
        else:
            invocation = resume_run(run)
    finally:
        _SURROUNDINGS.reset(token)
        if around.bar is not None:
            around.bar.close()
    return _comparison(invocation.output, experiment, around.run)


def _comparison(findings: Findings, experiment: Experiment, run: str) -> Comparison:
    return Comparison(
        findings.cells, failure=experiment.failure, threshold=experiment.threshold,
        confidence=experiment.confidence, stopped=findings.stopped, run=run,
    )  # fmt: skip
