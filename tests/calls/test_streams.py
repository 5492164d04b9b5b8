# SPDX-License-Identifier: Apache-2.0
"""Streams: registered generators, plain and async, recorded and replayed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import threading

import pytest

import enact
from enact.calls import runs

LOG = []


@pytest.fixture(autouse=True)
def store():
    LOG.clear()
    with enact.InMemoryStore() as store:
        yield store


@enact.register(name="streams/leaf")
def leaf(x):
    LOG.append(x)
    return x


@enact.register(name="streams/aleaf")
async def aleaf(x):
    await asyncio.sleep(0)
    LOG.append(x)
    return x


@enact.register(name="streams/numbers")
def numbers(n):
    LOG.append("begin")
    yield from range(n)
    LOG.append("end")
    return "done"


@enact.register(name="streams/anumbers")
async def anumbers(n, pause=0.0):
    LOG.append("begin")
    for k in range(n):
        await asyncio.sleep(pause)
        yield k
    LOG.append("end")


@enact.register(name="streams/calls")
def calls(n):
    for k in range(n):
        yield leaf(k)
    leaf("last")


@enact.register(name="streams/echo")
def echo():
    got = None
    while True:
        try:
            got = yield got
        except ValueError as error:
            got = f"caught {error}"


@enact.register(name="streams/breaks")
def breaks(n):
    yield from range(n)
    raise KeyError("broken")


@enact.register(name="streams/rows")
def rows():
    row = []
    for k in range(3):
        row.append(k)
        yield row


def program(fn):
    return enact.register(fn, name=f"streams/programs/{fn.__name__}")


@program
def reads():
    return list(numbers(3))


@program
def reads_with_calls():
    return [(k, leaf(10 + k)) for k in calls(3)]


@program
def reads_two_at_once():
    return [leaf(a + b) for a, b in zip(calls(3), numbers(3), strict=True)]


@program
def gets_what_is_returned():
    def whole():
        value = yield from numbers(2)
        leaf(value)

    return list(whole())


@program
def sends():
    stream = echo()
    next(stream)
    said = [stream.send(1), stream.send([2]), leaf(3), stream.throw(ValueError("no"))]
    stream.close()
    return said


@program
def closes_early():
    with contextlib.closing(calls(5)) as stream:
        first = next(stream)
    return [first, leaf(50)]


@program
def drops():
    for k in calls(5):
        if k == 2:
            break
    return leaf(k)


@program
def leaves_open():
    stream = calls(5)
    GLOBAL.append(stream)
    return [next(stream), leaf(7), next(stream)]


@program
def fails():
    got = []
    try:
        for k in breaks(2):
            got.append(leaf(k))
    except KeyError as error:
        got.append(str(error))
    return got


@program
def changes_items():
    return [leaf(sum(row)) for row in rows() if row.append(100) is None]


@program
def never_begins():
    calls(3)
    return leaf(1)


@program
def slices():
    return list(itertools.islice(calls(9), 2))


@program
def reads_in_a_thread():
    stream, got = calls(4), []
    got.append(next(stream))
    thread = threading.Thread(target=lambda: got.extend(stream))
    thread.start()
    thread.join()
    return got


@contextlib.contextmanager
@enact.register(name="streams/opened")
def opened(x):
    try:
        yield leaf(x)
    except ZeroDivisionError:
        leaf("mended")
    finally:
        leaf("closed")


@program
def opens():
    with opened(1) as x:
        leaf(x + 1)
    with opened(2):
        x = 1 // 0
    try:
        with opened(3):
            raise LookupError("mine")
    except LookupError as error:
        return [x, str(error)]


@enact.register(name="streams/Counts")
@dataclasses.dataclass
class Counts(enact.Resource):
    n: int

    @enact.register(name="streams/Counts.all")
    def all(self):
        yield from range(self.n)


@program
def reads_a_method():
    return [leaf(k) for k in Counts(3).all()]


@program
async def areads():
    return [await aleaf(k) async for k in anumbers(3)]


@program
async def acloses():
    async with contextlib.aclosing(anumbers(5)) as stream:
        async for k in stream:
            if k == 2:
                return await aleaf(k)


@program
async def abreaks():
    async for k in anumbers(5):
        if k == 1:
            break
    return await aleaf(k)


@program
async def races():
    """Two streams, whose items come in an order that only the clock knows."""
    seen = []

    async def read(name, pause):
        async for k in anumbers(4, pause):
            seen.append((name, k))

    await asyncio.gather(read("a", 0.003), read("b", 0.002), read("c", 0.001))
    return await aleaf([list(one) for one in seen])


@program
async def times_out():
    seen = []
    try:
        async with asyncio.timeout(0.05):
            async for k in anumbers(100, 0.02):
                seen.append(k)
    except TimeoutError:
        pass
    return await aleaf(len(seen))


@program
async def reads_many():
    async def total(n):
        return await aleaf(sum([k async for k in anumbers(n)]))

    return await asyncio.gather(*[total(n) for n in range(6)])


GLOBAL = []
PLAIN = [
    reads,
    reads_with_calls,
    reads_two_at_once,
    gets_what_is_returned,
    sends,
    closes_early,
    drops,
    leaves_open,
    fails,
    changes_items,
    never_begins,
    slices,
    reads_in_a_thread,
    opens,
    reads_a_method,
]
ASYNC = [areads, acloses, abreaks, reads_many, races, times_out]


def run(fn):
    if fn in ASYNC:
        return asyncio.run(enact.invoke_async(fn))
    return enact.invoke(fn)


def replay(inv, **options):
    if inv.name.removeprefix("streams/programs/") in [f.__name__ for f in ASYNC]:
        return asyncio.run(inv.replay_async(**options))
    return inv.replay(**options)


@pytest.mark.parametrize("fn", PLAIN + ASYNC)
def test_a_recorded_program_gives_what_it_gives_untracked(fn):
    untracked = asyncio.run(fn()) if fn in ASYNC else fn()
    said = [x for x in LOG if x not in ("closed", "last")]
    LOG.clear()
    inv = run(fn)
    if fn not in (races, times_out):  # what the clock decides
        assert inv.output == untracked
        assert [x for x in LOG if x not in ("closed", "last")] == said


@pytest.mark.parametrize("fn", PLAIN + ASYNC)
def test_a_replay_runs_nothing_and_is_the_same(fn):
    inv = run(fn)
    LOG.clear()
    again = replay(inv)
    assert LOG == []
    assert again == inv
    assert replay(again, live="forbid") == inv
    assert LOG == []


@pytest.mark.parametrize("fn", PLAIN + ASYNC)
def test_rewound_to_each_call_it_comes_to_the_same_end(fn):
    inv = run(fn)
    for number in range(len(inv.children)):
        again = replay(inv.rewind(number), strict=False)
        if fn in (races, times_out):
            assert again.status == "completed"
        elif fn is reads_many:
            assert again.output == inv.output
        else:
            assert again == inv, number


def test_what_a_stream_gave_is_one_value():
    inv = run(reads)
    [stream] = inv.children
    assert stream.output == enact.Stream([0, 1, 2], returned="done")
    assert list(stream.output) == [0, 1, 2]
    assert repr(stream.output) == "Stream(items=[0, 1, 2], returned='done')"


def test_a_stream_that_is_not_read_to_its_end_says_so():
    for fn in (closes_early, drops, leaves_open, slices):
        assert run(fn).children[0].output.ended == "closed", fn
    inv = asyncio.run(enact.invoke_async(acloses))
    assert inv.children[0].output == enact.Stream([0, 1, 2], ended="closed")


def test_what_was_sent_is_in_the_record():
    stream = run(sends).children[0].output
    assert stream.items == [None, 1, [2], "caught no"]
    assert stream.sent == [
        (1, "send", 1),
        (2, "send", [2]),
        (3, "throw", "ValueError('no',)"),
    ]


def test_items_before_an_exception_are_in_the_record():
    inv = run(fails)
    assert inv.output == [0, 1, "'broken'"]
    assert inv.children[0].status == "failed"
    LOG.clear()
    assert inv.rewind(1).replay() == inv
    assert LOG == [1]


def test_items_are_recorded_as_they_were_handed_out():
    inv = run(changes_items)
    assert inv.children[0].output.items == [[0], [0, 100, 1], [0, 100, 1, 100, 2]]


def test_a_stream_is_invoked_by_itself():
    inv = enact.invoke(calls, (2,))
    assert inv.output == enact.Stream([0, 1])
    assert [call.output for call in inv.children] == [0, 1, "last"]
    assert inv.rewind(1).replay() == inv
    inv = asyncio.run(enact.invoke_async(anumbers, (2,)))
    assert inv.output.items == [0, 1]
    inv = asyncio.run(enact.invoke_async(numbers, (2,)))
    assert inv.output.items == [0, 1]
    with pytest.raises(enact.InvokableTypeError, match="invoke_async"):
        enact.invoke(anumbers, (2,))


def test_the_outcome_of_a_stream_can_be_edited():
    inv = run(reads_with_calls)
    edited = inv.edit("0", output=enact.Stream([7, 8]))
    assert edited.replay(strict=False).output == [(7, 17), (8, 18)]


# --- readers that do something else -------------------------------------------------

WANTED = [2]


@program
def reads_some():
    return [leaf(10 + k) for k in itertools.islice(calls(9), WANTED[0])]


@pytest.mark.parametrize("wanted", [1, 4])
def test_a_reader_that_wants_more_or_less_left_the_record(wanted):
    WANTED[0] = 2
    inv = run(reads_some)
    WANTED[0] = wanted
    with pytest.raises(enact.ReplayError, match=r"left the record|was not made"):
        inv.replay(on_code_change="reuse", live="forbid")


def test_a_reader_may_want_more():
    WANTED[0] = 2
    inv = run(reads_some)
    WANTED[0] = 4
    LOG.clear()
    again = inv.rewind(1).replay(strict=False, on_code_change="reuse")
    assert again.output == [10, 11, 12, 13]
    assert LOG == [11, 2, 12, 3, 13]
    assert again.children[0].output == enact.Stream([0, 1, 2, 3], ended="closed")
    LOG.clear()
    assert again.replay(on_code_change="reuse") == again
    assert LOG == []


def test_a_reader_may_want_less():
    WANTED[0] = 4
    inv = run(reads_some)
    WANTED[0] = 2
    LOG.clear()
    again = inv.rewind(1).replay(strict=False, on_code_change="reuse")
    assert again.output == [10, 11]
    assert again.children[0].output == enact.Stream([0, 1], ended="closed")
    assert LOG == []


SHIFT = [0]


@enact.register(name="streams/chance")
def chance():
    for k in range(9):
        yield k + SHIFT[0]


@program
def reads_some_chance():
    return [leaf(k) for k in itertools.islice(chance(), WANTED[0])]


def test_a_stream_that_gives_other_items_cannot_go_on():
    WANTED[0], SHIFT[0] = 2, 0
    inv = run(reads_some_chance)
    WANTED[0], SHIFT[0] = 4, 100
    with pytest.raises(enact.ReplayError, match="gave another item 0"):
        inv.rewind(1).replay(strict=False, on_code_change="reuse")


# --- pauses, crashes, concurrency ----------------------------------------------------


@program
def asks_between():
    got = []
    for k in calls(3):
        if k == 1:
            k = enact.request_input(int, "which?")
        got.append(leaf(k))
    return got


@enact.register(name="streams/asking")
def asking():
    yield leaf(1)
    yield enact.request_input(int, "which?")
    yield leaf(3)


@program
def reads_asking():
    return [leaf(10 * k) for k in asking()]


def answered(paused, answer):
    return paused.get_raised().continue_invocation(paused, answer)


def test_a_pause_while_a_stream_is_open_runs_the_stream_again():
    paused = run(asks_between)
    assert paused.status == "paused"
    assert [call.status for call in paused.children] == [
        "incomplete",
        "completed",
        "paused",
    ]
    LOG.clear()
    done = answered(paused, 5)
    assert done.output == [0, 5, 2]
    assert LOG == [5, 2, 2, "last"]


def test_a_pause_after_a_stream_was_left_keeps_what_it_gave():
    @program
    def asks_later():
        got = next(calls(3))
        leaf("between")
        return [got, enact.request_input(int, "which?")]

    paused = run(asks_later)
    assert paused.children[0].output == enact.Stream([0], ended="closed")
    LOG.clear()
    assert answered(paused, 5).output == [0, 5]
    assert LOG == []


def test_a_stream_may_ask():
    paused = run(reads_asking)
    assert paused.status == "paused"
    assert [call.status for call in paused.children] == ["paused", "completed"]
    LOG.clear()
    done = answered(paused, 2)
    assert done.output == [10, 20, 30]
    assert done.children[0].output == enact.Stream([1, 2, 3])
    assert LOG == [20, 3, 30]


def test_what_a_dropped_stream_still_calls_is_told_of():
    @enact.register(name="streams/cleans")
    def cleans():
        try:
            yield 1
        finally:
            leaf("cleaned")

    @enact.register(name="streams/drops_it")
    def drops_it():
        return next(cleans())

    with pytest.warns(enact.LateCallWarning, match="outlived 'streams/cleans'"):
        inv = enact.invoke(drops_it)
    assert LOG == ["cleaned"]
    assert inv.children[0].output == enact.Stream([1], ended="closed")
    LOG.clear()
    assert inv.replay() == inv
    assert LOG == []


# --- a process that dies --------------------------------------------------------------


class Dying:
    """A backend of a process that dies after so many records."""

    outlives_process = True

    def __init__(self, backend, left):
        self._backend = backend
        self.left = left

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def record(self, blocks, row):
        self.left -= row is not None
        if self.left >= 0:
            self._backend.record(blocks, row)

    def put(self, blocks):
        if self.left >= 0:
            self._backend.put(blocks)

    def end_run(self, row):
        if self.left >= 0:
            self._backend.end_run(row)


def resume(found):
    if found.name.removeprefix("streams/programs/") in [f.__name__ for f in ASYNC]:
        return asyncio.run(enact.resume_async(found))
    return enact.resume(found)


def leaves(store, run_id):
    """Leaf calls that returned, by what they got."""
    rows = store.backend.calls(run=run_id, status="completed")
    return sorted(row.request for row in rows if row.invokable.endswith("leaf"))


MENDED = [fn for fn in PLAIN + ASYNC if fn not in (races, times_out)]


@pytest.mark.parametrize("fn", MENDED)
def test_it_goes_on_wherever_its_process_died(fn):
    store = enact.InMemoryStore()
    with store:
        whole = run(fn)
        [first] = store.runs()
        expected = leaves(store, first.id)
        count = len(list(store.backend.calls(run=first.id)))
    for left in range(count):
        store = enact.InMemoryStore()
        backend = store.backend
        store.backend = Dying(backend, left)
        with store, contextlib.suppress(enact.StoreError):  # it reads what it wrote
            run(fn)
        store.backend = backend
        runs.LIVE.clear()
        with store:
            [found] = store.runs()
            if not list(backend.calls(run=found.id)):
                continue
            assert found.status == "interrupted"
            done = resume(found)
            assert done.output == whole.output, left
            assert leaves(store, found.id) == expected, left
            LOG.clear()
            assert replay(done) == done
            assert LOG == []


@program
def calls_it_wrongly():
    try:
        numbers()
    except TypeError as error:
        return [str(error), leaf(1), *numbers(1)]


def test_arguments_that_do_not_fit_are_told_at_the_call():
    untracked = calls_it_wrongly()
    inv = run(calls_it_wrongly)
    assert inv.output == untracked
    assert [call.name for call in inv.children] == ["streams/leaf", "streams/numbers"]
    assert inv.rewind(0).replay() == inv


def test_what_a_dropped_stream_gave_is_written_with_the_next_call(tmp_path):
    """So that nothing of it is paid for again should the process die later."""
    seen = []

    @enact.register(name="streams/looks")
    def looks():
        first = next(numbers(3))
        leaf(first)
        with contextlib.closing(enact.open_store(tmp_path / "runs.db")) as other:
            seen.extend(row.status for row in other.calls(invokable="streams/numbers"))

    with enact.SQLiteStore(tmp_path / "runs.db") as store:
        enact.invoke(looks)
    store.close()
    assert seen == ["completed"]
