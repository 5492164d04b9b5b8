# SPDX-License-Identifier: Apache-2.0
"""Programs that do several things at once, recorded and replayed by one system.

``python -m bench.systems.replays SYSTEM DIRECTORY TRIALS``, in the environment of the
system, prints one JSON object: how often a replay was right, wrong or an error. All
finds out what ran again by itself, so systems cannot tell it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

RIGHT, WRONG, ERROR = "right", "wrong", "error"
TASKS = 6

RAN: list[str] = []
WORD = ["given"]
#: LangGraph goes on with a run that failed: so the first time, they do.
FAILS = [False]


class Failed(Exception):
    """Ends a run of which every step has come to its end."""


class Replays(Protocol):
    """One system in one mode."""

    def step(self, function: Callable[..., Any]) -> Any:
        """The function as a recorded call."""

    def root(self, function: Callable[..., Any]) -> Any:
        """The function as what is run."""

    def run(self, root: Any, name: str) -> Any:
        """Runs and records; gives the output."""

    def replay(self, root: Any, name: str) -> Any:
        """Does it again, with what is recorded; gives the output."""


class Enact:
    """This enact, or 0.4.16: what is installed; the last call is made anew."""

    def __init__(self, mode: str, directory: Path) -> None:
        import enact

        self._enact = enact
        self._strict = mode == "strict"
        self._store = enact.InMemoryStore()
        self._recorded: dict[str, Any] = {}

    def step(self, function: Callable[..., Any]) -> Any:
        return self._enact.register(function)

    root = step

    def run(self, root: Any, name: str) -> Any:
        with self._store:
            if asyncio.iscoroutinefunction(root):
                invocation = asyncio.run(self._enact.invoke_async(root, ()))
            else:
                invocation = self._enact.invoke(root, ())
            self._recorded[name] = invocation
            return invocation.get_output()

    def replay(self, root: Any, name: str) -> Any:
        with self._store:
            kept = self._recorded[name].rewind(1)
            if asyncio.iscoroutinefunction(root):
                done = asyncio.run(kept.replay_async(strict=self._strict))
            else:
                done = kept.replay(strict=self._strict)
            return done.get_output()


class LangGraph:
    """Goes on with a run that failed in its end."""

    def __init__(self, mode: str, directory: Path) -> None:
        from bench.systems.langgraph_system import LangGraph

        self._system = LangGraph(mode)
        self._system.open(directory)

    def step(self, function: Callable[..., Any]) -> Any:
        return self._system.step(function)

    def root(self, function: Callable[..., Any]) -> Any:
        return self._system.root(function)

    def run(self, root: Any, name: str) -> Any:
        FAILS[0] = True
        try:
            self._system.run(root, "given", name)
        except Failed as failed:
            return failed.args[0]
        finally:
            FAILS[0] = False

    def replay(self, root: Any, name: str) -> Any:
        return self._system.resume(root, name)


class Dbos:
    """Forks a workflow at its last step."""

    def __init__(self, mode: str, directory: Path) -> None:
        from dbos import DBOS

        from bench.systems.dbos_system import Dbos

        self._dbos = DBOS
        self._system = Dbos(mode)
        self._directory = directory
        self._is_open = False

    def step(self, function: Callable[..., Any]) -> Any:
        return self._system.step(function)

    def root(self, function: Callable[..., Any]) -> Any:
        return self._system.root(function)

    def run(self, root: Any, name: str) -> Any:
        if not self._is_open:  # all workflows are known by now
            self._system.open(self._directory)
            self._is_open = True
        return self._system.run(root, "given", name)

    def replay(self, root: Any, name: str) -> Any:
        last = len(self._dbos.list_workflow_steps(name))
        return self._dbos.fork_workflow(name, last).get_result()


class AgentRewind:
    """Records to a file, and answers from that."""

    def __init__(self, mode: str, directory: Path) -> None:
        import rewind

        self._rewind = rewind
        self._mode = mode
        self._directory = directory

    def step(self, function: Callable[..., Any]) -> Any:
        return self._rewind.tool(function)

    def root(self, function: Callable[..., Any]) -> Any:
        return function

    def run(self, root: Any, name: str) -> Any:
        with self._rewind.record(self._directory / f"{name}.rewind"):
            return called(root)

    def replay(self, root: Any, name: str) -> Any:
        path = self._directory / f"{name}.rewind"
        with self._rewind.replay(path, match=self._mode):
            return called(root)


def called(root: Any) -> Any:
    """Runs a root, whether it is async or not."""
    output = root()
    return asyncio.run(output) if asyncio.iscoroutine(output) else output


SYSTEMS: dict[str, Callable[[str, Path], Replays]] = {
    "enact": Enact,
    "peer": Enact,
    "langgraph": LangGraph,
    "dbos": Dbos,
    "rewind": AgentRewind,
}


def ended(got: Any) -> Any:
    """The end of a root."""
    if FAILS[0]:
        raise Failed(got)
    return got


class Programs:
    """The programs, as those of one system."""

    def __init__(self, system: Replays) -> None:
        step = system.step

        @step
        async def ask(text: str) -> str:
            RAN.append(text)
            await asyncio.sleep(0.005 * random.random())
            return f"{text} {random.random()}"

        @step
        def ask_now(text: str) -> str:
            RAN.append(text)
            return f"{text} {random.random()}"

        async def gathered(equal: bool) -> list[list[str]]:
            async def one(n: int) -> list[str]:
                first = await ask(f"first {n}")
                return [first, await ask("second" if equal else f"second {n}")]

            return list(await asyncio.gather(*map(one, range(TASKS))))

        @system.root
        async def distinct(given: str = "") -> Any:
            got = await gathered(equal=False)
            await ask("end")
            return ended(got)

        @system.root
        async def equal(given: str = "") -> Any:
            got = await gathered(equal=True)
            await ask("end")
            return ended(got)

        @system.root
        def argument(given: str = "") -> Any:
            got = [ask_now("before"), ask_now(WORD[0])]
            ask_now("end")
            return ended(got)

        @system.root
        def threads(given: str = "") -> Any:
            got: list[str] = [""] * 6

            def work(n: int) -> None:
                with contextlib.suppress(Exception):  # then it is not in ``got``
                    got[n] = ask_now(f"work {n}")

            started = [threading.Thread(target=work, args=(n,)) for n in range(3)]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(work, range(3, 6)))
            ask_now("end")
            return ended(got)

        self.distinct, self.equal = distinct, equal
        self.argument, self.threads = argument, threads


def verdict(system: Replays, root: Any, name: str) -> str:
    """What a replay of ``root`` is."""
    output = system.run(root, name)
    try:
        again = system.replay(root, name)
    except Exception:
        return ERROR
    return RIGHT if plain(again) == plain(output) else WRONG


def plain(value: Any) -> Any:
    """Without a difference between tuples and lists."""
    return json.loads(json.dumps(value))


def of_argument(system: Replays, root: Any) -> str:
    """What is done about an argument that is another one now."""
    system.run(root, "argument")
    WORD[0] = "changed"
    RAN.clear()
    try:
        output = system.replay(root, "argument")
    except Exception as error:
        return f"{ERROR}: {type(error).__name__}"
    if not output[1].startswith("changed"):
        return "old result"
    return "right" if "changed" in RAN else "ran nothing"


def of_threads(system: Replays, root: Any) -> str:
    """What becomes of calls made in threads."""
    output = system.run(root, "threads")
    failed = output.count("")
    if failed:
        return f"error in {failed} of {len(output)}"
    RAN.clear()
    try:
        again = system.replay(root, "threads")
    except Exception as error:
        return f"{ERROR}: {type(error).__name__}"
    lost = sum(one.startswith("work") for one in RAN)
    if lost:
        return f"{lost} of {len(output)} lost"
    return RIGHT if again == output else WRONG


def main() -> None:
    warnings.simplefilter("ignore")
    kind, _, mode = sys.argv[1].partition(":")
    system = SYSTEMS[kind](mode, Path(sys.argv[2]))
    trials = int(sys.argv[3])
    programs = Programs(system)
    found: dict[str, Any] = {}
    for root, what in ((programs.distinct, "distinct"), (programs.equal, "equal")):
        said = [verdict(system, root, f"{what}{n}") for n in range(trials)]
        found[what] = {word: said.count(word) for word in (RIGHT, WRONG, ERROR)}
    found["argument"] = of_argument(system, programs.argument)
    found["threads"] = of_threads(system, programs.threads)
    print(json.dumps(found), flush=True)
    import os

    os._exit(0)  # whatever threads a system has left


if __name__ == "__main__":
    main()
