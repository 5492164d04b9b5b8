# SPDX-License-Identifier: Apache-2.0
"""Tuning of the fields of a program, by Optuna."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from enact.calls import register
from enact.errors import SearchError
from enact.search.strategy import Extend, Strategy, Vary, at_least
from enact.search.tree import Node, Tree
from enact.values import import_extra


@register(name="enact/search/with_fields", deterministic=True)
def with_fields(program: Any, fields: dict[str, Any]) -> Any:
    """A program with other values in some of its fields."""
    return dataclasses.replace(program, **fields)


@register(name="enact/search/Trial")
@dataclasses.dataclass
class Trial:
    """Values that are tried.

    Attributes:
        fields: by name.
        root: the node where the program with these values begins; None until it is
            made.
        scores: of its executions, None for one that failed.
        node: of the best of them.
    """

    fields: dict[str, Any]
    root: int | None = None
    scores: list[float | None] = dataclasses.field(default_factory=list)
    node: int | None = None

    @property
    def mean(self) -> float | None:
        """Of the scores; None if all executions failed."""
        made = [score for score in self.scores if score is not None]
        return sum(made) / len(made) if made else None


@register(name="enact/search/Tune")
@dataclasses.dataclass
class Tune(Strategy):
    """Tunes the fields of an invokable: temperatures, prompts to choose from, sizes.

    The program is an ``Invokable``; it is tried as it is first, then with values that
    Optuna proposes: ``pip install 'enact[tune]'``. See Bergstra et al., "Algorithms
    for hyper-parameter optimization" (2011); Akiba et al., "Optuna: A next-generation
    hyperparameter optimization framework" (2019).

    Attributes:
        space: by field, what it may be: ``(low, high)``, of two ints or two floats,
            with both ends; or a list of plain values to choose from.
        trials: how many programs are tried; None for as many as the budget allows.
        samples: how often each is run; the mean of the scores is what counts.
        sampler: ``tpe`` or ``random``.
        log: fields whose range is searched on a logarithmic scale.

    Example:
        >>> strategy = Tune({"temperature": (0.0, 1.5), "tone": ["dry", "warm"]}, 20)
        >>> strategy.is_endless
        False
    """

    space: dict[str, Any] = dataclasses.field(default_factory=dict)
    trials: int | None = None
    samples: int = 1
    sampler: str = "tpe"
    log: list[str] = dataclasses.field(default_factory=list)
    seed: int | None = dataclasses.field(default=None, init=False)
    queue: list[int] = dataclasses.field(default_factory=list, init=False)
    tried: list[Trial] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        at_least(self, trials=1, samples=1)
        space: Any = self.space  # of any type, if it comes from a text
        if not isinstance(space, dict) or not space:
            raise SearchError(
                "tune needs to know what the fields may be, as in "
                "Tune(space={'temperature': (0.0, 1.5), 'tone': ['dry', 'warm']})"
            )
        for name, values in self.space.items():
            _check(name, values, name in self.log)
        if unknown := set(self.log) - set(self.space):
            raise SearchError(f"log={sorted(unknown)}: there is no such field in space")
        if self.sampler not in ("tpe", "random"):
            raise SearchError(f"sampler={self.sampler!r}: it is 'tpe' or 'random'")

    @property
    def is_endless(self) -> bool:
        return self.trials is None

    @property
    def best_trial(self) -> Trial | None:
        """What did best, on average; None if nothing came to its end."""
        best: Trial | None = None
        most = -math.inf
        for trial in self.tried:
            mean = trial.mean
            if mean is not None and mean > most:
                best, most = trial, mean
        return best

    def require(self, program: Any) -> None:
        import_extra("optuna", "tune")
        if not dataclasses.is_dataclass(program) or isinstance(program, type):
            raise SearchError(
                "tune needs a program with fields, a dataclass that is an Invokable, "
                f"not {program!r}"
            )
        known = [field.name for field in dataclasses.fields(program) if field.init]
        if unknown := sorted(set(self.space) - set(known)):
            raise SearchError(
                f"{type(program).__name__} has no field {', '.join(unknown)}. It has: "
                f"{', '.join(known) or 'none'}"
            )

    def ask(self, tree: Tree, n: int) -> Sequence[Extend | Vary]:
        if not self.tried:
            self.seed = tree.random.getrandbits(31)
            program = tree.invocation(tree.root).request().invokable()
            fields = {name: getattr(program, name) for name in self.space}
            self.tried.append(Trial(fields, tree.root.id))
            self.queue += [tree.root.id] * self.samples
        if self.queue:
            return (Extend(self.queue.pop(0), to_end=True),)
        if self.trials is not None and len(self.tried) >= self.trials:
            return ()
        fields = self._propose()
        self.tried.append(Trial(fields))
        return (Vary(with_fields, (tree.root.id,), (fields,)),)

    def tell(self, tree: Tree, node: Node) -> None:
        if node.parent is None:
            self._begin(tree, node)
            return
        for trial in self.tried:
            if trial.root == node.parent:
                break
        else:
            return
        score = node.score if node.kind == "complete" else None
        trial.scores.append(score)
        if score is not None:
            best = None if trial.node is None else tree[trial.node].score
            if best is None or score > best:
                trial.node = node.id

    def _begin(self, tree: Tree, node: Node) -> None:
        """A program was made with values that were proposed."""
        request = tree.invocation(node).request()
        program = request.invokable()
        if program is with_fields:  # that failed
            fields = request.input().args[-1]
        else:
            fields = {name: getattr(program, name) for name in self.space}
        for trial in self.tried:
            if trial.root is None and trial.fields == fields:
                trial.root = node.id
                if node.is_open:
                    self.queue += [node.id] * self.samples
                else:
                    trial.scores.append(None)
                return

    def best(self, tree: Tree) -> Node | None:
        trial = self.best_trial
        return None if trial is None or trial.node is None else tree[trial.node]

    def _propose(self) -> dict[str, Any]:
        """Values to try next: a function of what was tried, and of the seed."""
        optuna = import_extra("optuna", "tune")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        space = {
            name: _distribution(optuna, values, name in self.log)
            for name, values in self.space.items()
        }
        assert self.seed is not None
        seed = self.seed + len(self.tried)
        samplers = optuna.samplers
        kind = samplers.TPESampler if self.sampler == "tpe" else samplers.RandomSampler
        study = optuna.create_study(direction="maximize", sampler=kind(seed=seed))
        study.add_trials(
            optuna.trial.create_trial(
                params=trial.fields, distributions=space, value=trial.mean
            )
            for trial in self.tried
            if trial.mean is not None and _fits(trial.fields, space)
        )
        fields: dict[str, Any] = study.ask(space).params
        return fields


def _check(name: str, values: Any, log: bool) -> None:
    """See that values of a field are said in one of the two ways.

    Raises:
        SearchError: they are not.
    """
    if isinstance(values, list) and values and not log:
        kinds = (type(None), bool, int, float, str)
        if all(type(value) in kinds for value in values):
            return
    if isinstance(values, tuple) and len(values) == 2:
        low, high = values
        if {type(low), type(high)} <= {int, float} and low < high:
            if not log or low > 0:
                return
    raise SearchError(
        f"space: {name!r} is to be {values!r}. It must be (low, high), two numbers in "
        "order, above 0 on a logarithmic scale; or a list of texts, numbers, bools "
        "and None"
    )


def _distribution(optuna: Any, values: Any, log: bool) -> Any:
    kinds = optuna.distributions
    if isinstance(values, list):
        return kinds.CategoricalDistribution(values)
    low, high = values
    if type(low) is int and type(high) is int:
        return kinds.IntDistribution(low, high, log=log)
    return kinds.FloatDistribution(float(low), float(high), log=log)


def _fits(fields: dict[str, Any], space: dict[str, Any]) -> bool:
    """Whether values lie in the space: those of the program itself need not."""
    try:
        return all(
            space[name]._contains(space[name].to_internal_repr(value))
            for name, value in fields.items()
        )
    except (TypeError, ValueError):
        return False
