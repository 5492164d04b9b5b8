# SPDX-License-Identifier: Apache-2.0
"""Questions that wait in a store, and are answered from elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest

import enact

RAN: list[object] = []


@pytest.fixture(autouse=True)
def start_afresh():
    RAN.clear()


@enact.register(name="pending/draft")
def draft(n):
    RAN.append(n)
    return f"draft {n}"


@enact.register(name="pending/review")
def review():
    text = draft(1)
    verdict = enact.request_input(str, for_value=text, context="Publish?")
    return f"{text}: {verdict}, {draft(2)}"


def test_a_question_is_answered_once_and_its_run_goes_on():
    with enact.InMemoryStore() as store:
        assert enact.invoke(review).status == "paused"
        (question,) = store.pending()
        assert (question.for_value, question.context) == ("draft 1", "Publish?")
        assert "Publish?" in repr(question) and question.requested_type is str
        with pytest.raises(enact.WrongAnswer):
            question.answer(7)
        question.answer("yes")
        assert store.pending() == []
        for again in (lambda: question.answer("no"), lambda: question.decline("no")):
            with pytest.raises(enact.AlreadyAnswered, match="branch=True"):
                again()
        run = store.runs()[0]
        assert enact.resume(run).output == "draft 1: yes, draft 2"
        assert RAN == [1, 2] and store.run(run.id).status == "completed"
        assert len(store.runs()) == 1


def test_a_second_answer_may_make_a_branch():
    with enact.InMemoryStore() as store:
        enact.invoke(review)
        (question,) = store.pending()
        question.answer("yes")
        inv = question.answer("no", branch=True)
        assert inv.output == "draft 1: no, draft 2"
        assert enact.resume(question.run).output == "draft 1: yes, draft 2"


def test_one_of_many_answers_given_at_once_wins():
    with enact.InMemoryStore() as store:
        enact.invoke(review)
        outcomes = []
        start = threading.Barrier(8)

        def answer(n):
            (question,) = questions[n]
            start.wait()
            try:
                question.answer(f"answer {n}")
                outcomes.append(n)
            except enact.AlreadyAnswered:
                pass

        questions = [store.pending() for _ in range(8)]
        threads = [threading.Thread(target=answer, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 1
        assert f"answer {outcomes[0]}" in enact.resume(store.runs()[0]).output


def test_a_refusal_is_an_exception_where_the_program_asked():
    @enact.register(name="pending/insists")
    def insists():
        try:
            return enact.request_input(int)
        except enact.Declined as error:
            return f"never mind: {error}"

    with enact.InMemoryStore() as store:
        enact.invoke(insists)
        store.pending()[0].decline("no time")
        assert enact.resume(store.runs()[0]).output == "never mind: no time"


def test_several_questions_get_their_answers_one_by_one():
    @enact.register(name="pending/ask")
    async def ask(name):
        draft(name)
        first = enact.request_input(str, context=name)
        second = enact.request_input(str, context=f"{name}, {first}?")
        return f"{name}: {first}, {second}"

    @enact.register(name="pending/all")
    async def ask_all():
        return await asyncio.gather(*(ask(name) for name in "abc"))

    with enact.InMemoryStore() as store:
        asyncio.run(enact.invoke_async(ask_all))
        run = store.runs()[0]
        asked = store.pending()[0].asked
        assert [q.context for q in store.pending()] == ["a", "b", "c"]
        store.pending()[1].answer("B")
        asyncio.run(enact.resume_async(run))
        contexts = {q.context for q in store.pending()}
        assert contexts == {"a", "b, B?", "c"}
        assert min(q.asked for q in store.pending()) == asked
        for _ in range(2):
            for question in store.pending():
                question.answer(question.context.upper())
            inv = asyncio.run(enact.resume_async(run))
        assert inv.output == ["a: A, A, A?", "b: B, B, B?", "c: C, C, C?"]
        assert sorted(RAN) == ["a", "b", "c"], "what ran before a question ran again"
        assert len(store.runs()) == 1


def test_a_program_that_answers_by_itself_leaves_no_question_behind():
    with enact.InMemoryStore() as store:
        gen = enact.InvocationGenerator.from_callable(review)
        for _ in gen:
            gen.set_input("fine")
        assert gen.invocation.successful() and store.pending() == []


PROGRAM = """
    import sys, enact

    @enact.register(name="elsewhere/review")
    def review():
        print("drafting", flush=True)
        verdict = enact.request_input(str, context="Publish?")
        return verdict.upper()

    store = enact.SQLiteStore(sys.argv[1])
    with store:
        if sys.argv[2] == "ask":
            enact.invoke(review)
        elif sys.argv[2] == "answer":
            for question in store.pending():
                question.answer("yes")
        else:
            print(enact.resume(store.runs()[0]).output)
    store.close()
"""


def test_a_question_outlives_the_process_that_asked(tmp_path):
    def run(what):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
        command += [str(tmp_path / "runs.db"), what]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert run("ask") == ["drafting"]
    assert run("answer") == []
    assert run("resume")[-1] == "YES"
    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        assert [run.status for run in store.runs()] == ["completed"]


def test_an_answer_that_comes_while_the_run_goes_on_waits_for_the_next_try():
    @enact.register(name="pending/late")
    async def late(name):
        first = enact.request_input(str, context=name)
        if LATE and name == "a":
            LATE.pop().answer("B, late")  # somebody answers the other question now
        return f"{first}, {enact.request_input(str, context='Continue?')}"

    @enact.register(name="pending/two")
    async def two():
        return await asyncio.gather(late("a"), late("b"))

    with enact.InMemoryStore() as store:
        asyncio.run(enact.invoke_async(two))
        run = store.runs()[0]
        first, second = store.pending()
        first.answer("A")
        LATE.append(second)
        asyncio.run(enact.resume_async(run))
        (question,) = store.pending()
        assert question.context == "Continue?", "the late answer was lost"
        question.answer("yes")
        asyncio.run(enact.resume_async(run))
        # It is the same question as the one of the other task, and asked anew.
        (question,) = store.pending()
        question.answer("no")
        inv = asyncio.run(enact.resume_async(run))
        assert inv.output == ["A, yes", "B, late, no"]


LATE: list[enact.PendingRequest] = []
