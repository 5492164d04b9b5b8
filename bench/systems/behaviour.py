# SPDX-License-Identifier: Apache-2.0
"""Programs that are edited, or run otherwise, between a crash and their resume.

The harness writes the two texts of a case to the same file, one after the other, and
runs each in a process of its own. Steps note that they ran, in a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

RUN = "run"
LEFT, REFUSED = "not resumed", "refused"


class Case(NamedTuple):
    """One row of the table.

    Attributes:
        what: the row's name.
        steps, then_steps: definitions of steps, before and after the edit.
        body, then_body: of the root, likewise.
        runs: the steps that must run when the run is resumed.
        output: what it must give; None: what the first process had seen.
        at_once: the process dies as soon as the steps have returned, else later.
    """

    what: str
    steps: str
    body: str
    then_steps: str
    then_body: str
    runs: list[str]
    output: Any = None
    at_once: bool = False


def steps(*names: str, **changed: str) -> str:
    """Definitions of steps; ``changed`` ones have that word in what they return."""
    return "\n".join(
        f"@system.step\nasync def {name}(text):\n"
        f"    ran({name!r}, text)\n    return '{changed.get(name, name)}:' + text\n"
        for name in names
    )


def calls(*made: str) -> str:
    """The body of a root that makes calls, as in ``first b``, and returns a list."""
    listed = ", ".join("await {}({!r})".format(*call.split()) for call in made)
    return f"    got = [{listed}]\n"


THREE = "first", "second", "third"
A_B_C = "first a", "second b", "third c"
EQUAL_A_B_C = "step a", "step b", "step c"

HELPED = (
    steps("first", "third")
    + """
@system.step
async def second(text):
    ran("second", text)
    return helped(text)

"""
)


def helper(word: str) -> str:
    """A plain function that the step ``second`` of ``HELPED`` calls."""
    return f"def helped(text):\n    return '{word}:' + text\n"


TOKEN = """
TIMES = []

@system.step
async def draw(text):
    ran("draw", text)
    TIMES.append(text)
    await asyncio.sleep(0.1 / len(TIMES))  # the first to start is the last to end
    return os.urandom(4).hex()
"""
IN_ORDER = """    got = await asyncio.gather(draw("x"), draw("x"))
"""
ANY_ORDER = """
    async def worker(seconds):
        await asyncio.sleep(seconds)
        return await draw("x")

    got = await asyncio.gather(*(worker(seconds) for seconds in waits()))
"""

CASES = [
    Case(
        "nothing changed",
        steps(*THREE), calls(*A_B_C), steps(*THREE), calls(*A_B_C),
        [], ["first:a", "second:b", "third:c"],
    ),
    Case(
        "nothing, killed at once",
        steps(*THREE), calls(*A_B_C), steps(*THREE), calls(*A_B_C),
        [], ["first:a", "second:b", "third:c"], at_once=True,
    ),
    Case(
        "(a) an argument changed",
        steps(*THREE), calls(*A_B_C), steps(*THREE),
        calls("first a", "second B", "third c"),
        ["second B"], ["first:a", "second:B", "third:c"],
    ),
    Case(
        "(b) a step's code changed",
        steps(*THREE), calls(*A_B_C), steps(*THREE, second="2nd"), calls(*A_B_C),
        ["second b"], ["first:a", "2nd:b", "third:c"],
    ),
    Case(
        "(b) a helper of a step changed",
        HELPED + helper("h"), calls(*A_B_C), HELPED + helper("H"), calls(*A_B_C),
        ["second b"], ["first:a", "H:b", "third:c"],
    ),
    Case(
        "(c) inserted, another function",
        steps(*THREE, "extra"), calls(*A_B_C), steps(*THREE, "extra"),
        calls("first a", "extra x", "second b", "third c"),
        ["extra x"], ["first:a", "extra:x", "second:b", "third:c"],
    ),
    Case(
        "(c) inserted, the same function",
        steps("step"), calls(*EQUAL_A_B_C), steps("step"),
        calls("step a", "step x", "step b", "step c"),
        ["step x"], ["step:a", "step:x", "step:b", "step:c"],
    ),
    Case(
        "(d) removed, another function",
        steps(*THREE), calls(*A_B_C), steps(*THREE), calls("first a", "third c"),
        [], ["first:a", "third:c"],
    ),
    Case(
        "(d) removed, the same function",
        steps("step"), calls(*EQUAL_A_B_C), steps("step"), calls("step a", "step c"),
        [], ["step:a", "step:c"],
    ),
    Case(
        "(e) two at once, begun in order",
        TOKEN, IN_ORDER, TOKEN, IN_ORDER, [],
    ),
    Case(
        "(e) two at once, in any order",
        TOKEN, ANY_ORDER, TOKEN, ANY_ORDER, [],
    ),
]  # fmt: skip

PROGRAM = """
import asyncio
import os

from bench.systems.behaviour import main, ran, saw, the_end, waits
from bench.systems.behaviour import chosen as system

{steps}

@system.step
async def last(text):
    await the_end({at_once})
    return text


@system.root
async def program(given):
{body}
    saw(got)
    await last("end")
    return got


if __name__ == "__main__":
    main(program)
"""


def texts(case: Case) -> tuple[str, str]:
    """The program before and after the edit."""
    return (
        PROGRAM.format(steps=case.steps, body=case.body, at_once=case.at_once),
        PROGRAM.format(
            steps=case.then_steps, body=case.then_body, at_once=case.at_once
        ),
    )


# ------------------------------------------------------------ within the programs

if "BENCH_SYSTEM" in os.environ:
    from bench.systems import NotResumed, system

    chosen = system(os.environ["BENCH_SYSTEM"])


def is_first() -> bool:
    """Whether this process is the one that records."""
    return "BENCH_FIRST" in os.environ


def waits() -> tuple[float, float]:
    """Seconds that two tasks sleep: other ones in the second process."""
    return (0.3, 0.0) if is_first() else (0.0, 0.3)


def ran(name: str, text: str) -> None:
    """Notes that a step ran."""
    note("ran", f"{name} {text}")


def saw(got: Any) -> None:
    """Notes what the root got from its steps."""
    note("saw", list(got))


def note(what: str, value: Any) -> None:
    with (Path(sys.argv[1]) / "notes.jsonl").open("a") as file:
        file.write(json.dumps([what, value]) + "\n")


async def the_end(at_once: bool = False) -> None:
    """The process dies here at first, unless the run is to complete."""
    if is_first() and not os.environ["BENCH_SYSTEM"].endswith("replay"):
        if not at_once:
            await asyncio.sleep(0.5)  # some write in the background
        os.kill(os.getpid(), signal.SIGKILL)


def main(program: Any) -> None:
    """Records in the first process, resumes in the second."""
    directory = Path(sys.argv[1])
    chosen.open(directory)
    if is_first():
        note("output", list(chosen.run(program, "given", RUN)))
    else:
        try:
            note("output", list(chosen.resume(program, RUN)))
        except NotResumed:
            note(LEFT, "")
        except Exception as error:
            note(REFUSED, type(error).__name__)
    chosen.close()
    os._exit(0)
