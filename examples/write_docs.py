# SPDX-License-Identifier: Apache-2.0
"""Writes a page of documentation and plays with the recording: ``make demo``.

A small language model (``trigram.py``) plans, drafts and revises, a judge gives marks,
a person chooses the title. Every call of a registered function is recorded into an
SQLite file; the second half of the program works on that recording. Name a file to
keep it: ``python examples/write_docs.py demo.db``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean

import enact
from trigram import TrigramModel, balanced

MODEL = TrigramModel.of_python_docs()
DICE = random.Random(3)
LATENCY = 0.02  # seconds that a sample takes: a very fast language model
LIVE: Counter[str] = Counter()  # which functions really ran, for the figures below


# ------------------------------------------------------------ the program
# Ordinary functions. Those that are registered are recorded when they are called
# inside an invocation; outside of one they just run.


@enact.register
def complete(opening: str, topic: str, temperature: float) -> str:
    """One sentence from the language model: a different one every time."""
    LIVE["complete"] += 1
    time.sleep(LATENCY)
    return MODEL.sample(DICE, topic=topic, prompt=opening, temperature=temperature)


@enact.register
def plan(subject: str, sections: int) -> list[str]:
    """Chooses among the topics that are closest to the subject."""
    LIVE["plan"] += 1
    others = MODEL.related(subject, 9)[1:]
    return [subject, *sorted(DICE.sample(others, sections - 1))]


@enact.register
@dataclasses.dataclass
class Draft(enact.Invokable[str, str]):
    """Writes a section: a call with fields. The version that ran is in the record."""

    opening: str = "If"
    temperature: float = 0.8

    def call(self, topic: str) -> str:
        """Two sentences about the topic."""
        first = complete(self.opening, topic, temperature=self.temperature)
        return f"{first} {complete('', topic, temperature=self.temperature)}"


@enact.register
def judge(text: str) -> float:
    """A mark from 0 to 10: fluent, not too long, quotes closed, not copied."""
    LIVE["judge"] += 1
    return round(mean(mark(sentence) for sentence in sentences(text)), 1)


@enact.register
def revise(topic: str, text: str, opening: str) -> str:
    """Replaces the worst sentence by the best of three new ones."""
    parts = sentences(text)
    worst = min(parts, key=mark)
    candidates = [complete(opening, topic, temperature=0.5) for _ in range(3)]
    best = max([worst, *candidates], key=mark)
    return " ".join(best if part == worst else part for part in parts)


@enact.register
def write_page(subject: str, draft: Draft) -> str:
    """The main program: plan, ask for a title, draft, judge, revise the worst."""
    topics = plan(subject, sections=3)
    title = enact.request_input(
        requested_type=str, for_value=topics, context="A title for these topics?"
    )
    texts = {topic: draft(topic) for topic in topics}
    marks = {topic: judge(text) for topic, text in texts.items()}
    worst = min(marks, key=lambda topic: marks[topic])
    texts[worst] = revise(worst, texts[worst], opening=draft.opening)
    return "\n\n".join([title, *(f"{t}: {text}" for t, text in texts.items())])


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.:]) (?=[A-Z\"])", text)


def mark(sentence: str) -> float:
    """The mark of one sentence."""
    words = len(sentence.split())
    result = 10 - abs(words - 16) / 4 - MODEL.perplexity(sentence) / 4
    result -= 3 * (not balanced(sentence)) + 5 * (sentence in MODEL.known)
    return round(max(result, 0), 1)


# ------------------------------------------------------------ the same with tasks


@enact.register
async def acomplete(opening: str, topic: str) -> str:
    LIVE["acomplete"] += 1
    await asyncio.sleep(LATENCY * (1 + DICE.random()))  # tasks overtake one another
    return MODEL.sample(DICE, topic=topic, prompt=opening)


@enact.register
async def adraft(topic: str) -> str:
    """Two sentences, one after the other."""
    return f"{await acomplete('When', topic)} {await acomplete('The', topic)}"


@enact.register
async def awrite_page(subject: str) -> list[str]:
    """All sections at once; listed in the order in which they were finished."""
    finished: list[str] = []

    async def section(topic: str) -> None:
        text = await adraft(topic)
        finished.append(f"{topic}: {text}")

    await asyncio.gather(*map(section, plan(subject, sections=5)))
    return finished


# ------------------------------------------------------------ what is shown


def main(path: Path) -> None:
    with closing(enact.SQLiteStore(path)) as store, store:
        heading("1. Run it: the page")
        with measured("recorded"):
            page = write(Draft())
        show_text(page.get_output())

        heading("What was recorded: every call, with input, output and nesting")
        show_tree(page)

        heading("2. Replay: the same page, and nothing runs")
        with measured("replayed"):
            again = page.replay()
        print(f"Equal to the recording: {again == page}.")

        heading("3. Rewind the last two calls (a judge, the reviser) and go on")
        print("The person is not asked again; the drafts are taken from the record.")
        with measured("continued"):
            other = page.rewind(2).replay()
        show_difference(page.get_output(), other.get_output())

        heading("4. Rewind to a call inside another: the second sentence of section 2")
        call = page[3, 1]
        print(f"Everything from {one_line(call)} on is drawn anew.")
        with measured("continued"):
            other = page.rewind(to=call).replay()
        show_difference(page.get_output(), other.get_output())

        heading("5. Edit: what if the judge had given the first section a 0?")
        with measured("continued"):
            other = page.edit(page[5], output=0.0).replay()
        show_difference(page.get_output(), other.get_output())
        print(f"Why, by call: {why(other)}; all others are reused.")

        heading("6. A new version of the invokable; both are in the record")
        with measured("recorded"):
            second = write(Draft(opening="Note that", temperature=0.5))
        for name, invocation in (("first", page), ("second", second)):
            print(f"{name:>7}: {invocation[2].request().invokable()}")
            print(shorten(f"         {invocation[2].get_output()}"))

        heading("7. Five sections at once with asyncio.gather")
        with measured("recorded"):
            tasks = enact.invoke_async(awrite_page, ("exceptions",))
            together = asyncio.run(tasks)
        print("In the order in which they were finished:")
        for line in together.get_output():
            print(shorten(f"  {line}"))
        with measured("replayed"):
            again = asyncio.run(together.replay_async())
        print(f"The same order: {again.get_output() == together.get_output()}.")
        call = together[3, 1]
        print(f"Cut {one_line(call)} off, and whatever began after it:")
        with measured("continued"):
            asyncio.run(together.rewind(to=call).replay_async())
        print("Or only change what it returned:")
        with measured("continued"):
            asyncio.run(together.edit(call, output="(edited)").replay_async())

        heading("8. It is all in one file")
        address = enact.commit(page).id
    with closing(enact.SQLiteStore(path)) as store, store:
        loaded = enact.Ref.from_id(address).checkout()
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
        print(f"The first page is {address}")
        print(f"loaded from the file, equal: {loaded == page}.")


def write(draft: Draft) -> enact.Invocation:
    """Runs the program and answers its questions."""
    generator = enact.InvocationGenerator.from_callable(
        write_page, args=("exceptions", draft)
    )
    for request in generator:
        generator.set_input(ask(request))
    assert generator.invocation
    return generator.invocation


def ask(request: enact.InputRequest) -> str:
    """Asks whoever sits there, and answers itself when nobody does."""
    topics = ", ".join(request.for_value())
    default = f"On {topics}"
    question = f"{request.context} ({topics}) "
    if not sys.stdin.isatty():
        print(f"{question}\n(no terminal: the answer is {default!r})")
        return default
    answer = input(f"{question}\n[Enter for {default!r}] > ")
    return answer.strip() or default


@contextmanager
def measured(verb: str) -> Iterator[None]:
    """Prints how long it took, and which functions really ran meanwhile."""
    LIVE.clear()
    start = time.perf_counter()
    yield
    milliseconds = 1000 * (time.perf_counter() - start)
    ran = ", ".join(f"{name} {n}x" for name, n in LIVE.items()) or "nothing"
    print(f"--> {verb} in {milliseconds:.0f} ms; ran live: {ran}")


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def shorten(line: str, width: int = 96) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def one_line(invocation: enact.Invocation) -> str:
    return shorten(enact.invocation_summary(invocation).split(" = ")[0], 60).strip("->")


def why(invocation: enact.Invocation) -> str:
    """Which calls of a replay were not simply reused."""
    verdicts = invocation.verdicts().items()
    return ", ".join(
        f"{path} {verdict}" for path, verdict in verdicts if "/" not in path
    )


def show_tree(invocation: enact.Invocation) -> None:
    for line in enact.invocation_summary(invocation, width=30).splitlines():
        print(shorten(line))


def show_text(text: str) -> None:
    for paragraph in text.split("\n\n"):
        print(textwrap.fill(paragraph, 88, subsequent_indent="    "))


def show_difference(before: str, after: str) -> None:
    for old, new in zip(before.split("\n\n"), after.split("\n\n"), strict=True):
        print(shorten(f"  {'same' if old == new else 'NEW '}  {new}"))


if __name__ == "__main__":
    start_of_demo = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        main(Path(*sys.argv[1:2] or [directory, "demo.db"]))
    print(f"\nAll of this took {time.perf_counter() - start_of_demo:.1f} s.")
