# SPDX-License-Identifier: Apache-2.0
"""Programs whose blocks are pinned in calls.json. Line numbers are part of them."""

import asyncio
import dataclasses

import enact


@enact.register(name="golden/leaf")
def leaf(x, style=None):
    return f"{x}!"


@enact.register(name="golden/sequential")
def sequential(a, b):
    return [leaf(a), leaf(b, style="haiku")]


@enact.register(name="golden/wait")
async def wait(name, before, after):
    if before is not None:
        await GATES[before].wait()
    GATES[after].set()
    return name


@enact.register(name="golden/concurrent")
async def concurrent():
    GATES.update({name: asyncio.Event() for name in "abc"})
    return await asyncio.gather(
        wait("a", "c", "a"), wait("b", None, "b"), wait("c", "b", "c")
    )


@enact.register(name="golden/failing")
def failing(x):
    raise ValueError("golden", x)


@enact.register(name="golden/failed")
def failed():
    leaf("before")
    return failing(1)


@enact.register(name="golden/handled")
def handled():
    try:
        failing(2)
    except ValueError as error:
        return str(error)


@enact.register(name="golden/paused")
def paused(topic):
    text = leaf(topic)
    try:
        return enact.request_input(str, for_value=text, context="Publish?")
    finally:
        leaf("cleaning up")


@enact.register(name="golden/Counter")
@dataclasses.dataclass
class Counter(enact.Invokable[int, int]):
    total: int = 0

    def call(self, n: int) -> int:
        self.total += n
        return self.total


@enact.register(name="golden/stateful")
def stateful():
    counter = Counter()
    return [counter(2), counter(3), same([1])]


@enact.register(name="golden/same")
def same(items):
    return items


GATES = {}


@enact.register(name="golden/items")
def items():
    """One worker, so all comes in one order."""
    from concurrent import futures

    with futures.ThreadPoolExecutor(1) as pool:
        work = [pool.submit(leaf, x) for x in "ab"]
        assert [item.result() for item in reversed(work)] == ["b!", "a!"]
        done, left = futures.wait(work)
        return [len(done), len(left)]
