# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.crash``: programs are killed and resumed until they end.

Each program of ``crash_programs.py`` runs in a process of its own, which is killed at a
random moment or at a named point; another process goes on with the run, and may be
killed as well. What is checked: no call that had returned is lost or executed again,
the output is that of a run nobody disturbed, and nothing stays beside the store.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.crash_child import POINTS, Try, check, in_child, make
from bench.crash_programs import PROGRAMS
from bench.table import Row, show

ROOT = Path(__file__).parents[1]
DURABILITIES = ("call", "adaptive", "end")
FOLD_BYTES = (4_000, 40_000, 4 << 20)
MOST_KILLS = 4
PATIENCE = 60.0

Line = list[Any]  # attempt, kind, what, label, key, branch, place


@dataclasses.dataclass
class Found:
    """What one story of a program, its deaths and its end showed."""

    story: str
    kills: int = 0
    in_time: int = 0
    tries: int = 0
    returned: int = 0
    repeats: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    again: list[str] = dataclasses.field(default_factory=list)
    wrong: list[str] = dataclasses.field(default_factory=list)
    keys: list[str] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)
    stuck: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        return [
            f"{kind}: {fault}"
            for kind in ("lost", "again", "wrong", "keys", "left", "stuck")
            for fault in getattr(self, kind)
        ]


@dataclasses.dataclass
class Undisturbed:
    """The same program, left alone.

    Attributes:
        output: of it.
        id: of its invocation.
        labels: of the code that ran.
        seconds: from its start to its end, as processes.
        seen: how often it came to each point.
    """

    output: Any
    id: str
    labels: set[str]
    seconds: float
    seen: dict[str, int]


class Teller:
    """Makes up stories and sees how they end.

    Args:
        directory: for all files.
        seed: of chance.
        thrifty: fewer runs that nobody disturbs.
        names: of programs, with commas between; else all.
    """

    def __init__(
        self, directory: Path, seed: int, thrifty: bool = False, names: str = ""
    ) -> None:
        self._directory = directory
        self._seed = seed
        self._thrifty = thrifty
        self._known: dict[tuple[Any, ...], Undisturbed] = {}
        self._choices = [
            (name, how)
            for name, program in PROGRAMS.items()
            if not names or name in names.split(",")
            for how in ("run", "run", "edit", "rewind", "code")
            if how == "run" or program.edits
        ]

    def tell(self, number: int) -> Found:
        """One story from its beginning to its end."""
        chance = random.Random(f"{self._seed}/{number}")
        program, how = chance.choice(self._choices)
        durability, fold_bytes = chance.choice(DURABILITIES), chance.choice(FOLD_BYTES)
        if self._thrifty:
            fixed = random.Random(f"{self._seed}/{program}/{how}")
            durability, fold_bytes = (
                fixed.choice(DURABILITIES),
                fixed.choice(FOLD_BYTES),
            )
        directory = self._directory / f"story-{number}"
        task = Try(directory, program, how, durability, fold_bytes, 0)
        usual = self._undisturbed(task)
        begun = time.monotonic()
        self._lay_out(task)
        story = Found(f"{number}: {program}, {how}, {durability}, {fold_bytes}")
        ended = False
        while not ended:
            ended = self._try(task, usual, chance, story)
            task = task._replace(number=task.number + 1, point="", times=0)
        if not story.stuck:
            _judge(task, usual, story)
        story.seconds = time.monotonic() - begun
        if not story.faults:
            shutil.rmtree(directory)
        return story

    def _try(
        self, task: Try, usual: Undisturbed, chance: random.Random, story: Found
    ) -> bool:
        """One process; whether it came to the end of the program."""
        after = None
        if story.kills == 0 or (story.kills < MOST_KILLS and chance.random() < 0.6):
            if chance.random() < 0.5:
                after = chance.uniform(0.0, usual.seconds * (0.8 if task.number else 1))
            else:
                points = [point for point in POINTS if usual.seen.get(point)]
                if task.number:
                    points += ["before claim", "after claim"]
                point = chance.choice(points)
                most = usual.seen.get(point, 1)
                count = chance.randint(1, max(1, most // 2) if task.number else most)
                task = task._replace(point=point, times=count)
        story.tries += 1
        death = task.point and f"{task.point} {task.times}"
        pid = in_child(make, task)
        if after is not None:
            time.sleep(after)
            os.kill(pid, signal.SIGKILL)
            death = f"after {after:.4f} s"
        status = _wait(pid)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            story.kills += 1
            story.in_time += after is not None
            story.story += f"; killed {death}"
            return False
        if status != 0:
            story.stuck.append(_log(task))
        return True

    def _undisturbed(self, task: Try) -> Undisturbed:
        key = (task.program, task.how, task.durability, task.fold_bytes)
        known = self._known.get(key)
        if known is None:
            task = task._replace(directory=self._directory / "-".join(map(str, key)))
            self._lay_out(task)
            begun = time.monotonic()
            status = _wait(in_child(make, task))
            seconds = time.monotonic() - begun
            if status != 0:
                raise RuntimeError(f"{task.program}, {task.how}: {_log(task)}")
            outcome = _read(task.directory / "outcome-0")
            known = self._known[key] = Undisturbed(
                outcome["output"],
                outcome["id"],
                {line[3] for line in _lines(task.directory)},
                seconds,
                _read(task.directory / "seen-0"),
            )
            if task.how == "run" and not self._base(task).exists():
                shutil.copy(task.directory / "runs.db", self._base(task))
            shutil.rmtree(task.directory)
        return known

    def _base(self, task: Try) -> Path:
        return self._directory / f"{task.program}.db"

    def _lay_out(self, task: Try) -> None:
        task.directory.mkdir()
        if task.how != "run":
            if not self._base(task).exists():
                self._undisturbed(task._replace(how="run"))
            shutil.copy(self._base(task), task.directory / "runs.db")


def _judge(task: Try, usual: Undisturbed, story: Found) -> None:
    """Looks at all that is left of a story. ``task`` is one that never began."""
    directory = task.directory
    outcome = _read(directory / f"outcome-{task.number - 1}")
    if outcome["output"] != usual.output:
        story.wrong.append(f"output {outcome['output']}, not {usual.output}")
    if PROGRAMS[task.program].fixed and outcome["id"] != usual.id:
        if task.how == "run":
            story.wrong.append("the invocation is not the usual one")
    lines = _lines(directory)
    begun = [line for line in lines if line[2] == "begin"]
    labels = {line[3] for line in lines}
    for label in sorted(labels - usual.labels):
        story.again.append(f"{label}: runs in no undisturbed run")
    for label in sorted(usual.labels - labels):
        story.lost.append(f"{label}: did not run")
    _compare_with_journals(task, lines, story)
    seen: set[tuple[int, str]] = set()
    keys: dict[str, str] = {}
    named: dict[str, str] = {}
    for attempt, kind, _, label, key, _, place in begun:
        if kind == "leaf" and (attempt, label) in seen:
            story.again.append(f"{label}: twice in one process")
        seen.add((attempt, label))
        if keys.setdefault(label, key) != key or named.setdefault(key, label) != label:
            story.keys.append(f"{label} at {place}: {key}, not {keys[label]}")
    leaves = [line for line in begun if line[1] == "leaf"]
    story.repeats = len(leaves) - len({line[3] for line in leaves})
    status = _wait(in_child(check, task))
    if status != 0:
        story.wrong.append(f"the recorded invocation does not replay: {_log(task)}")
    elif _read(directory / f"outcome-{task.number}") != outcome:
        story.wrong.append("what is recorded is not what was returned")
    for line in _lines(directory)[len(lines) :]:
        if line[1] == "leaf":
            story.again.append(f"{line[3]}: in a replay of all that is recorded")
    beside = {p.name for p in directory.iterdir() if p.name.startswith("runs.db")}
    # What nobody may own yet stays until it is old enough to be nobody's.
    beside = {name for name in beside if not name.endswith(".new")}
    story.left += sorted(beside - {"runs.db"})
    log = (directory / "log").read_text()
    if log and status == 0:
        story.wrong.append(f"said on stderr: {log[-2000:]}")


def _compare_with_journals(task: Try, lines: list[Line], story: Found) -> None:
    """Holds what ran against what was recorded whenever a process was dead."""
    sure = _returned(lines)
    for number in range(task.number):
        path = task.directory / f"journal-{number}"
        if not path.exists():
            continue
        ended = {
            (branch, place)
            for _, branch, place, _, status in _read(path)
            if status in ("completed", "failed")
        }
        running = [
            name
            for _, branch, place, name, status in _read(path)
            if status == "running" and (branch, place) not in ended
        ]
        before = [line for line in lines if line[0] < number]
        returned = {line[3] for line in before if (line[5], line[6]) in ended}
        if number == task.number - 1:
            story.returned = len(returned)
        for label in sorted({label for at, label in sure if at < number} - returned):
            story.lost.append(f"{label}: not recorded for process {number}")
        for attempt, _, what, label, *_, place in lines:
            if attempt >= number and what == "begin" and label in returned:
                story.again.append(f"{label} at {place}: in process {attempt}")
        doubt = task.directory / f"doubt-{number}"
        if "crash/pay" in running:
            done = (task.directory / f"outcome-{number}").exists()
            if done and not doubt.exists():
                story.wrong.append("a payment in flight was tried twice")
        elif doubt.exists():
            story.wrong.append("in doubt of a payment that was not in flight")


def _returned(lines: list[Line]) -> set[tuple[int, str]]:
    """Calls that must have returned, since their lane went on, with their process."""
    found = set()
    furthest: dict[tuple[Any, ...], int] = {}
    for attempt, _, what, label, _, branch, place in reversed(lines):
        places = []
        above = ""
        for step in place.split("/"):
            *lane, position = map(int, step.split(":"))
            places.append(((attempt, branch, above, *lane), position))
            above += "/" + step
        if what == "end" and any(furthest.get(p, -1) > n for p, n in places):
            found.add((attempt, label))
        for lane_of_call, position in places:
            known = furthest.get(lane_of_call, -1)
            furthest[lane_of_call] = max(known, position)
    return found


def _wait(pid: int) -> int:
    """Waits for a process; one that stands still says where, and is killed."""
    begun = time.monotonic()
    pause = 0.0005
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        waited = time.monotonic() - begun
        if waited > PATIENCE:
            os.kill(pid, signal.SIGUSR1)
            time.sleep(0.5)
            os.kill(pid, signal.SIGTERM)
            return os.waitpid(pid, 0)[1] or 1
        time.sleep(pause)
        pause = min(pause * 1.2, 0.005)


def _lines(directory: Path) -> list[Line]:
    path = directory / "side"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _log(task: Try) -> str:
    return (task.directory / "log").read_text()[-3000:]


# --- many stories -----------------------------------------------------------------


def stories(options: argparse.Namespace) -> Iterator[Found]:
    """Tells stories until there were enough kills, in this process."""
    kills, number = options.kills, options.part
    with tempfile.TemporaryDirectory(prefix="enact-crash-") as temporary:
        thrifty = kills < 500
        teller = Teller(Path(temporary), options.seed, thrifty, options.programs)
        gc.collect()
        gc.freeze()  # the memory that children share stays as it is
        while kills > 0:
            found = teller.tell(number)
            if found.faults and options.keep:
                kept = Path(temporary, f"story-{number}")
                shutil.copytree(kept, Path(options.keep, kept.name), dirs_exist_ok=True)
            number += options.jobs
            kills -= found.kills
            yield found


def summary(found: list[Found], seconds: float) -> list[Row]:
    """The table of what was found."""

    def count(name: str) -> int:
        return sum(len(getattr(one, name)) for one in found)

    kills = sum(one.kills for one in found)
    in_time = sum(one.in_time for one in found)
    returned = sum(one.returned for one in found)
    note = f"{in_time:,} at random moments, {kills - in_time:,} at named points"
    return [
        Row("runs that were killed", len(found), ""),
        Row("kills", kills, "", note=note),
        Row("calls that had returned before the last kill", returned, ""),
        Row("returned calls that were lost", count("lost"), "", 0),
        Row("returned calls that were executed again", count("again"), "", 0),
        Row("wrong outputs or records", count("wrong"), "", 0),
        Row("wrong idempotency keys", count("keys"), "", 0),
        Row("files that stayed beside the store", count("left"), "", 0),
        Row("runs that could not be resumed", count("stuck"), "", 0),
        Row("calls in flight that ran again", sum(one.repeats for one in found), ""),
        Row("seconds", seconds, "s"),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--keep", default="", help="directory for what went wrong")
    parser.add_argument("--only", type=int, help="one story, by its number")
    parser.add_argument("--programs", default="", help="names, with commas between")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Runs it all; 1 if anything was wrong."""
    options = arguments()
    seed, jobs = options.seed, options.jobs
    if options.only is not None:
        with tempfile.TemporaryDirectory(prefix="enact-crash-") as temporary:
            directory = Path(options.keep or temporary)
            one = Teller(directory, seed, False, options.programs).tell(options.only)
        print(json.dumps(dataclasses.asdict(one), indent=2))
        return 1 if one.faults else 0
    if options.part is not None:
        for one in stories(options):
            print(json.dumps(dataclasses.asdict(one)), flush=True)
        return 0
    begun = time.monotonic()
    share = -(-options.kills // jobs)
    command = [sys.executable, "-m", "bench.crash", "--seed", str(seed)]
    command += ["--jobs", str(jobs), "--keep", options.keep, "--kills", str(share)]
    command += ["--programs", options.programs]
    parts = [
        subprocess.Popen(
            [*command, "--part", str(part)], stdout=subprocess.PIPE, cwd=ROOT
        )
        for part in range(jobs)
    ]
    told = [part.communicate()[0] for part in parts]
    found = [Found(**json.loads(line)) for text in told for line in text.splitlines()]
    for one in found:
        if one.faults:
            print(one.story, *one.faults, sep="\n    ")
    rows = summary(found, time.monotonic() - begun)
    show("Killed and resumed", rows)
    failed = any(part.returncode for part in parts)
    return 1 if failed or any(not row.kept for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
