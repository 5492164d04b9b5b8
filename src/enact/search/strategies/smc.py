# SPDX-License-Identifier: Apache-2.0
"""Sequential Monte Carlo."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Particle")
@dataclasses.dataclass
class Particle:
    """One of several executions that go on side by side.

    Attributes:
        node: where it stands.
        weight: logarithm of its weight.
    """

    node: int
    weight: float = 0.0


@register(name="enact/search/Smc")
@dataclasses.dataclass
class Smc(Strategy):
    """Sequential Monte Carlo: particles go on side by side, and are resampled.

    What the program tells (``enact.score``), and its final score, are logarithms of
    potentials: a particle whose score rises by x gains a factor of ``exp(scale * x)``.
    When the effective sample size falls, particles are drawn again in proportion to
    their weights. See Del Moral et al., "Sequential Monte Carlo samplers" (2006); Lew
    et al., "Sequential Monte Carlo steering of large language models using
    probabilistic programs" (2023).

    Attributes:
        particles: how many.
        ess: resample when the effective sample size falls below this share of them.
        scale: what scores are multiplied by.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     total = 0
        ...     for _ in range(3):
        ...         total += throw(6)
        ...         enact.score(total)
        ...     return total
        >>> result = enact.search.run(three, strategy="smc(particles=4)")
        >>> result.spent.calls, result.counts["complete"]
        (12, 4)
    """

    particles: int = 16
    ess: float = 0.5
    scale: float = 1.0
    swarm: list[Particle] = dataclasses.field(default_factory=list, init=False)
    next: int = dataclasses.field(default=0, init=False)
    waits_for: int = dataclasses.field(default=0, init=False)
    under_way: dict[int, list[int]] = dataclasses.field(
        default_factory=dict, init=False
    )

    def __post_init__(self) -> None:
        at_least(self, particles=1, ess=0, scale=0)

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if not self.swarm:
            self.swarm = [Particle(tree.root.id) for _ in range(self.particles)]
        while self.next < len(self.swarm):
            particle = self.swarm[self.next]
            self.next += 1
            if tree[particle.node].is_open:
                self.under_way.setdefault(particle.node, []).append(self.next - 1)
                self.waits_for += 1
                return (Extend(particle.node),)
        return ()

    def tell(self, tree: Tree, node: Node) -> None:
        if node.parent is None or not self.under_way.get(node.parent):
            return
        # Those at one node are alike, but for what they weigh: the first goes first.
        particle = self.swarm[self.under_way[node.parent].pop(0)]
        before = tree[particle.node].value
        particle.node = node.id
        self.waits_for -= 1
        if node.kind in ("open", "complete"):
            particle.weight += self.scale * (node.value - before)
        else:
            particle.weight = -math.inf
        if not self.waits_for and self.next == len(self.swarm):
            self._resample(tree)
            self.next, self.under_way = 0, {}

    def _resample(self, tree: Tree) -> None:
        top = max(particle.weight for particle in self.swarm)
        if top == -math.inf:
            return  # all have failed
        weights = [math.exp(particle.weight - top) for particle in self.swarm]
        total = sum(weights)
        size = total * total / sum(weight * weight for weight in weights)
        if size >= self.ess * len(self.swarm):
            return
        # Systematic: one draw of chance for all keeps the variance low.
        step = total / len(weights)
        mark = tree.random.random() * step
        chosen: list[Particle] = []
        reached = 0.0
        for particle, weight in zip(self.swarm, weights, strict=True):
            reached += weight
            while len(chosen) < len(weights) and mark < reached:
                chosen.append(Particle(particle.node))
                mark += step
        self.swarm = chosen
