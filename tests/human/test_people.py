# SPDX-License-Identifier: Apache-2.0
"""Programs that ask people."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import enact

RAN: list[object] = []


@pytest.fixture(autouse=True)
def store():
    RAN.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register
def draft(topic):
    RAN.append(topic)
    return f"{topic} {len(RAN)}"


@enact.register
async def adraft(topic):
    await asyncio.sleep(0.001)
    return draft(topic)


@enact.register
def review(topic):
    text = draft(topic)
    while enact.request_input(str, for_value=text, context="Publish? yes/no") != "yes":
        text = draft(text)
    return text


@enact.register
def swallowing(topic):
    draft(topic)
    try:
        return enact.request_input(str)
    except Exception:
        return "swallowed"


@enact.register
def catching_all(topic):
    try:
        return enact.request_input(str)
    except BaseException:
        draft("cleaning up")
        return "went on"


def test_asking_pauses_and_an_answer_goes_on():
    paused = enact.invoke(review, ("sea",))
    assert paused.status == "paused" and not paused.response().is_complete()
    question = paused.get_raised()
    assert isinstance(question, enact.InputRequest)
    assert question.for_value() == "sea 1" and question.requested_type is str
    assert question.context == "Publish? yes/no"
    done = question.continue_invocation(paused, "yes")
    assert done.output == "sea 1" and RAN == ["sea"]
    other = question.continue_invocation(paused, "no")
    assert other.status == "paused" and RAN == ["sea", "sea 1"]
    assert other.get_raised().for_value() == "sea 1 2"


@pytest.mark.parametrize("program", [swallowing, catching_all])
def test_a_program_cannot_swallow_the_pause(program):
    paused = enact.invoke(program, ("sea",))
    assert paused.status == "paused"
    done = paused.get_raised().continue_invocation(paused, "hello")
    assert done.output == "hello"


def test_calls_made_after_the_pause_are_no_part_of_the_record():
    paused = enact.invoke(catching_all, ("sea",))
    assert RAN == ["cleaning up"]
    assert len(paused.children) == 1
    assert len(paused.response().details["unwinding"]) == 1


def test_a_question_can_be_stored_and_answered_elsewhere(tmp_path):
    with enact.SQLiteStore(tmp_path / "a.db") as store:
        ref = enact.commit(enact.invoke(review, ("sea",)))
        ident = ref.id
        store.close()
    with enact.SQLiteStore(tmp_path / "a.db") as store:
        paused = enact.Ref.from_id(ident).checkout()
        assert paused.get_raised().continue_invocation(paused, "yes").output == "sea 1"
        store.close()


def test_answers_of_the_wrong_type_are_refused():
    @enact.register
    @dataclasses.dataclass
    class Mark:
        points: int

    @enact.register(name="test/marks")
    def marks():
        return [
            enact.request_input(list[int]),
            enact.request_input(int | None),
            enact.request_input(Mark),
        ]

    paused = enact.invoke(marks)
    for answers in ([["x"], "y", [1]], ["1", 1.5, None], [3, "x", Mark(3)]):
        question = paused.get_raised()
        for wrong in answers[:2]:
            with pytest.raises(enact.WrongAnswer, match="Nothing is lost"):
                question.continue_invocation(paused, wrong)
        right = {0: [1], 1: None, 2: Mark(3)}[len(paused.children) - 1]
        paused = question.continue_invocation(paused, right)
    assert paused.output == [[1], None, Mark(3)]


def test_generator():
    gen = enact.InvocationGenerator.from_callable(review, args=("sea",))
    asked = []
    for question in gen:
        asked.append(question.for_value())
        with pytest.raises(enact.WrongAnswer):
            gen.set_input(3)
        gen.set_input("yes" if len(asked) == 3 else "no")
    assert gen.invocation.get_output() == asked[-1] == "sea 1 2 3"
    assert RAN == ["sea", "sea 1", "sea 1 2"]


def test_generator_with_send():
    gen = enact.InvocationGenerator.from_invocation(enact.invoke(review, ("sea",)))
    assert next(gen).for_value() == "sea 1"
    with pytest.raises(enact.CallError, match="still waits"):
        next(gen)
    assert gen.send("no").for_value() == "sea 1 2"
    with pytest.raises(StopIteration):
        gen.send("yes")
    assert gen.complete


def test_outside_an_invocation_nobody_can_be_asked():
    with pytest.raises(enact.InputRequestOutsideInvocation):
        enact.request_input(str)
    assert enact.request_input(str, default="x") == "x"


def test_a_default_stands_in_when_nobody_is_there():
    @enact.register(name="test/default")
    def asks():
        return enact.request_input(str, default="nobody")

    assert enact.invoke(asks).output == "nobody"
    gen = enact.InvocationGenerator.from_callable(asks)
    next(gen)
    with pytest.raises(StopIteration):
        gen.send("somebody")
    assert gen.invocation.output == "somebody"


async def ask(name):
    text = await adraft(name)
    answer = enact.request_input(str, for_value=text, context=name)
    return f"{name}: {answer}, {await adraft(answer)}"


@enact.register
async def gathered(exceptions):
    return await asyncio.gather(
        *(ask(name) for name in "abc"), return_exceptions=exceptions
    )


@enact.register
async def grouped(_):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(name)) for name in "abc"]
    return [task.result() for task in tasks]


@pytest.mark.parametrize(
    ("program", "argument"), [(gathered, False), (gathered, True), (grouped, None)]
)
def test_several_questions_wait_at_once(program, argument):
    async def answer_all():
        inv = await enact.invoke_async(program, (argument,))
        steps = 0
        while inv.status == "paused":
            question = inv.get_raised()
            answer = question.context.upper()
            inv = await question.continue_invocation_async(inv, answer)
            steps += 1
        return inv, steps

    inv, steps = asyncio.run(answer_all())
    assert steps == 3 and inv.status == "completed"
    assert [text.partition(",")[0] for text in inv.output] == ["a: A", "b: B", "c: C"]
    if program is gathered:
        assert len(RAN) == 6, "drafts before the questions ran once"


def test_all_waiting_questions_are_listed():
    inv = asyncio.run(enact.invoke_async(gathered, (False,)))
    from enact.human import waiting

    assert [view.get_raised().context for view in waiting(inv)] == ["a", "b", "c"]


def test_async_generator():
    async def answer_all():
        gen = enact.InvocationGenerator.from_callable(gathered, (False,))
        async for question in gen:
            gen.set_input(question.context * 2)
        return gen.invocation.output

    assert [text[:5] for text in asyncio.run(answer_all())] == [
        "a: aa", "b: bb", "c: cc",
    ]  # fmt: skip


def ask_sync(name):
    text = draft(name)
    return f"{name}: {enact.request_input(str, for_value=text, context=name)}"


@enact.register
def pooled():
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(ask_sync, "abc"))


@enact.register
def threaded():
    out = {}
    threads = [
        threading.Thread(target=lambda n=n: out.update({n: ask_sync(n)})) for n in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [out[n] for n in "abc"]


@pytest.mark.parametrize("program", [pooled, threaded])
def test_questions_out_of_threads(program):
    gen = enact.InvocationGenerator.from_callable(program)
    asked = []
    for question in gen:
        asked.append(question.context)
        gen.set_input(question.context.upper())
    assert sorted(asked) == ["a", "b", "c"]
    assert gen.invocation.output == ["a: A", "b: B", "c: C"]
    assert len(RAN) == 3
