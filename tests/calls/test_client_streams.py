# SPDX-License-Identifier: Apache-2.0
"""Streams of clients, registered by wrapping; the clients are fakes, or on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.request

import pytest

import enact

LOG: list[str] = []
FAIL: list[str] = []
HOW_MANY: list[int] = []


def fail(where):
    if where in FAIL:
        raise ConnectionError(where)


# --- shaped like an iterator that is a context manager, plain and async ---------------


class Chunks:
    def __init__(self, prompt):
        LOG.append("sent")
        fail("sent")
        self.response = f"response to {prompt}"
        self._items = iter(prompt.split())
        self.is_closed = False

    def __iter__(self):
        return self

    def __next__(self):
        fail("next")
        return next(self._items)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if not self.is_closed:
            LOG.append("closed")
        self.is_closed = True


class AsyncChunks:
    def __init__(self, prompt):
        LOG.append("sent")
        self.response = f"response to {prompt}"
        self._items = iter(prompt.split())

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        for item in self._items:
            return item
        raise StopAsyncIteration

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self.close()

    async def close(self):
        LOG.append("closed")


class Client:
    def create(self, prompt):
        """Make chunks."""
        return Chunks(prompt)

    async def create_async(self, prompt):
        await asyncio.sleep(0)
        fail("sent")
        return AsyncChunks(prompt)

    def create_decorated(self, prompt):
        """Some decorators make a plain function of an async one."""
        return self.create_async(prompt)


client = Client()
create_decorated = enact.register(
    client.create_decorated, name="client/create_decorated", stream=True
)
create = enact.register(client.create, name="client/create", stream=True)
create_async = enact.register(
    client.create_async, name="client/create_async", stream=True
)


# --- shaped like a context manager that gives something with a stream -----------------


class Message:
    def __init__(self, prompt):
        self.prompt = prompt

    @property
    def text_stream(self):
        yield from self.prompt.split()

    def words(self, longest=100):
        yield from (word[:longest] for word in self.prompt.split())

    def final(self):
        return self.prompt.upper()


class Manager:
    def __init__(self, prompt):
        self.prompt = prompt

    def __enter__(self):
        LOG.append("sent")
        fail("enter")
        return Message(self.prompt)

    def __exit__(self, *exc):
        LOG.append(f"left with {exc[0].__name__ if exc[0] else None}")


@contextlib.asynccontextmanager
async def managed(prompt):
    LOG.append("sent")
    try:
        yield AsyncChunks(prompt)
    finally:
        LOG.append("left")


message = enact.register(
    lambda prompt: Manager(prompt), name="client/message", stream="text_stream"
)
message_words = enact.register(
    lambda prompt: Manager(prompt), name="client/words", stream="words()"
)
managed_async = enact.register(managed, name="client/managed", stream=True)


@pytest.fixture(autouse=True)
def _clean():
    LOG.clear()
    FAIL.clear()


def recorded(fun, *args):
    """Outside and inside of an invocation it is the same; then it is replayed."""
    untracked = called(fun, *args)
    untracked_log = LOG[:]
    LOG.clear()
    if asyncio.iscoroutinefunction(fun):
        inv = asyncio.run(enact.invoke_async(fun, args))
    else:
        inv = enact.invoke(fun, args)
    assert inv.output == untracked
    assert untracked_log == LOG
    LOG.clear()
    assert replayed(inv) == inv
    assert LOG == [], "a replay asks no client"
    return inv


def called(fun, *args):
    got = fun(*args)
    return asyncio.run(got) if asyncio.iscoroutine(got) else got


def replayed(inv, **options):
    if inv.request().invokable().__name__ in ASYNC:
        return asyncio.run(inv.rewind(0).replay_async(**options))
    return inv.rewind(0).replay(**options)


ASYNC: set[str] = set()


def program(fun):
    name = f"client/program/{fun.__name__}"
    if asyncio.iscoroutinefunction(fun):
        ASYNC.add(fun.__name__)
    return enact.register(fun, name=name)


@program
def read_all(prompt):
    return list(create(prompt))


@program
def read_in_with(prompt):
    with create(prompt) as stream:
        return [item.upper() for item in stream]


@program
def read_two(prompt):
    with create(prompt) as stream:
        return [next(stream), next(stream)]


@program
def read_and_close(prompt):
    stream = create(prompt)
    first = next(stream)
    stream.close()
    return first


@program
def read_text(prompt):
    with message(prompt) as stream:
        return list(stream.text_stream)


@program
def read_words(prompt):
    with message_words(prompt) as stream:
        return list(stream.words(longest=2))


@program
async def read_async(prompt):
    stream = await create_async(prompt)
    return [item async for item in stream]


@program
async def read_decorated(prompt):
    stream = await create_decorated(prompt)
    return [item async for item in stream]


@program
async def read_two_async(prompt):
    async with await create_async(prompt) as stream:
        return [await anext(stream), await anext(stream)]


@program
async def read_and_close_async(prompt):
    stream = await create_async(prompt)
    first = await anext(stream)
    await stream.close()
    return first


@program
async def read_managed(prompt):
    async with managed_async(prompt) as stream:
        return [item async for item in stream]


@program
async def read_several(prompt):
    async def one(number):
        got = []
        async with await create_async(f"{prompt} {number}") as stream:
            async for item in stream:
                got.append(item)
                order.append((number, item))
        return got

    order = []
    return [await asyncio.gather(*map(one, range(3))), order]


@pytest.mark.parametrize(
    ("fun", "items", "ended"),
    [
        (read_all, ["a", "b", "c"], "exhausted"),
        (read_in_with, ["a", "b", "c"], "exhausted"),
        (read_two, ["a", "b"], "closed"),
        (read_and_close, ["a"], "closed"),
        (read_text, ["a", "b", "c"], "exhausted"),
        (read_words, ["a", "b", "c"], "exhausted"),
        (read_async, ["a", "b", "c"], "exhausted"),
        (read_decorated, ["a", "b", "c"], "exhausted"),
        (read_two_async, ["a", "b"], "closed"),
        (read_and_close_async, ["a"], "closed"),
        (read_managed, ["a", "b", "c"], "exhausted"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_one_call_with_what_was_read(fun, items, ended):
    with enact.InMemoryStore():
        inv = recorded(fun, "a b c")
        assert len(inv.children) == 1
        assert inv[0].output == enact.Stream(items, ended=ended)


def test_several_at_once():
    with enact.InMemoryStore():
        inv = recorded(read_several, "a b")
        assert len(inv.children) == 3


def test_it_looks_as_before():
    assert create.__name__ == "create"
    assert create.__doc__ == "Make chunks."
    assert isinstance(create("a"), Chunks), "outside of invocations nothing changes"


def test_its_other_attributes_are_those_of_the_client():
    @program
    def with_response(prompt):
        stream = create(prompt)
        list(stream)
        return stream.response

    with enact.InMemoryStore():
        inv = enact.invoke(with_response, ("a b",))
        assert inv.output == "response to a b"
        with pytest.raises(enact.ReplayError, match=r"'response', which is not in its"):
            replayed(inv)
        with pytest.raises(enact.ReplayError, match="register a function of yours"):
            replayed(inv, strict=False)


def test_attributes_that_it_has_not():
    @program
    def with_nothing(prompt):
        with create(prompt) as stream:
            return [hasattr(stream, "missing"), hasattr(stream, "__len__")]

    with enact.InMemoryStore():
        assert enact.invoke(with_nothing, ("a",)).output == [False, False]


def test_what_it_is_left_with():
    @program
    def leaves(prompt):
        try:
            with message(prompt) as stream:
                next(stream.text_stream)
                raise KeyError("mine")
        except KeyError as error:
            return error.args[0]

    with enact.InMemoryStore():
        inv = recorded(leaves, "a b")
        assert inv[0].output == enact.Stream(["a"], ended="closed")
        assert inv[0].status == "completed"


@pytest.mark.parametrize("where", ["sent", "enter", "next"])
def test_errors_come_where_the_client_raised_them(where):
    @enact.register(name=f"client/program/fails_{where}")
    def fails(prompt):
        said = []
        give = message if where == "enter" else create
        try:
            stream = give(prompt)
            said.append("called")
            with stream:
                said.append("entered")
                said.append(next(stream))
        except ConnectionError as error:
            said.append(error.args[0])
        return said

    FAIL.append(where)
    expected = {
        "sent": ["sent"],
        "enter": ["called", "enter"],
        "next": ["called", "entered", "next"],
    }[where]
    with enact.InMemoryStore():
        inv = enact.invoke(fails, ("a b",))
        assert inv.output == expected
        assert inv[0].status == "failed"
        FAIL.clear()
        LOG.clear()
        assert replayed(inv) == inv
        assert LOG == []


@pytest.mark.parametrize("give", [create_async, create_decorated])
def test_errors_of_a_client_that_is_awaited(give):
    @enact.register(name=f"client/program/fails_{give.__name__}")
    async def fails_async(prompt):
        said = []
        try:
            stream = give(prompt)
            said.append("called")
            await stream
        except ConnectionError as error:
            return [*said, error.args[0]]

    FAIL.append("sent")
    with enact.InMemoryStore():
        inv = asyncio.run(enact.invoke_async(fails_async, ("a",)))
        assert inv.output == ["called", "sent"]
        FAIL.clear()
        assert asyncio.run(inv.rewind(0).replay_async()) == inv


def test_a_reader_that_wants_more_has_left_the_record():
    @program
    def reads_some(prompt):
        with create(prompt) as stream:
            return [next(stream) for _ in range(HOW_MANY[-1])]

    HOW_MANY.append(1)
    with enact.InMemoryStore():
        inv = enact.invoke(reads_some, ("a b c",))
        HOW_MANY.append(2)
        LOG.clear()
        with pytest.raises(enact.ReplayError):
            replayed(inv)
        assert LOG == []
        done = replayed(inv, strict=False)
        assert done.output == ["a", "b"]
        assert LOG == ["sent", "closed"]


def test_rewound_it_is_asked_again():
    with enact.InMemoryStore():
        inv = enact.invoke(read_in_with, ("a b",))
        LOG.clear()
        assert inv.rewind(1).replay().output == ["A", "B"]
        assert LOG == ["sent", "closed"]


def test_edited_it_gives_what_was_put_in():
    with enact.InMemoryStore():
        inv = enact.invoke(read_in_with, ("a b",))
        LOG.clear()
        done = inv.edit(inv[0], output=enact.Stream(["x", "y"])).replay()
        assert done.output == ["X", "Y"]
        assert LOG == []


def test_what_is_dropped_has_ended():
    @program
    def drops(prompt):
        next(create(prompt))
        return read_words(prompt)

    gc.disable()
    try:
        with enact.InMemoryStore():
            inv = enact.invoke(drops, ("a b",))
            assert inv[0].output == enact.Stream(["a"], ended="closed")
            assert replayed(inv) == inv
    finally:
        gc.enable()


def test_at_the_top():
    with enact.InMemoryStore():
        assert enact.invoke(create, ("a b",)).output == enact.Stream(["a", "b"])
        assert enact.invoke(message, ("a b",)).output == enact.Stream(["a", "b"])
        for fun in (create_async, managed_async, create_decorated):
            inv = asyncio.run(enact.invoke_async(fun, ("a b",)))
            assert inv.output == enact.Stream(["a", "b"])
            assert asyncio.run(inv.rewind(0).replay_async()) == inv
        with pytest.raises(enact.InvokableTypeError, match="is async"):
            enact.invoke(create_async, ("a",))


@pytest.mark.parametrize("stream", [1, None, "a b", "f(x)", ""])
def test_what_stream_may_be(stream):
    with pytest.raises(enact.InvokableTypeError, match="stream must be True"):
        enact.register(lambda: 1, name="client/never", stream=stream)


def test_a_generator_function_is_a_stream_anyway():
    def generates():
        yield 1

    with pytest.raises(enact.InvokableTypeError, match="as it is"):
        enact.register(generates, name="client/generates", stream=True)


def test_what_is_no_context_manager_says_so():
    numbers = enact.register(lambda: iter([1]), name="client/numbers", stream=True)

    @program
    def enters():
        with numbers() as stream:
            return list(stream)

    with (
        enact.InMemoryStore(),
        pytest.raises(TypeError, match="context manager protocol"),
    ):
        enact.invoke(enters)


def test_a_class_is_none():
    with pytest.raises(enact.InvokableTypeError, match="register a function"):
        enact.register(Manager, name="client/manager", stream=True)


# --- a real client on loopback --------------------------------------------------------


class Lines(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        LOG.append("asked")
        self.send_response(200)
        self.end_headers()
        for word in ("one", "two", "three"):
            self.wfile.write(f"{word}\n".encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lines) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()
        thread.join()


fetch = enact.register(urllib.request.urlopen, name="client/urlopen", stream=True)


@program
def fetch_lines(address):
    with fetch(address) as response:
        return [line.decode().strip() for line in response]


def test_a_client_of_the_standard_library(server):
    with enact.InMemoryStore():
        inv = enact.invoke(fetch_lines, (server,))
        assert inv.output == ["one", "two", "three"]
        assert inv[0].output == enact.Stream([b"one\n", b"two\n", b"three\n"])
        LOG.clear()
        assert replayed(inv) == inv
        assert LOG == []


# --- a crash in the middle ------------------------------------------------------------


CRASHES = """
    import os, sys
    import enact

    class Chunks:
        def __init__(self, prompt):
            with open("asked", "a") as file:
                file.write("x")
            self.items = iter(prompt.split())
        def __iter__(self):
            return self
        def __next__(self):
            return next(self.items)

    options = {{"retry": "never"}} if sys.argv[1] == "never" else {{}}
    chunks = enact.register(
        lambda prompt: Chunks(prompt), name="crash/chunks", stream=True, **options
    )

    @enact.register(name="crash/shout")
    def shout(word):
        with open("shouted", "a") as file:
            file.write(word)
        return word.upper()

    @enact.register(name="crash/words", **options)
    def words(prompt):
        with open("asked", "a") as file:
            file.write("x")
        yield from prompt.split()

    @enact.register(name="crash/main")
    def main(prompt):
        got = []
        for word in {kind}(prompt):
            got.append(shout(word))
            if len(got) == 2 and sys.argv[2] == "die":
                enact.current_call()
                os.kill(os.getpid(), 9)
        return got

    with enact.open_store("runs.db") as store:
        if sys.argv[2] == "die":
            enact.invoke(main, ("a b c",))
        run = store.runs()[0]
        assert run.status == "interrupted"
        try:
            done = enact.resume(run)
        except enact.InDoubt as error:
            assert repr({kind!r}[:5]) [1:-1] in str(error), error
            done = enact.resume(run, in_doubt="retry")
            print("in doubt")
        print(done.output)
    store.close()
    print(open("asked").read(), open("shouted").read())
"""


@pytest.mark.parametrize(
    ("kind", "policy"), [("chunks", "again"), ("chunks", "never"), ("words", "never")]
)
def test_killed_in_the_middle(kind, policy, tmp_path):
    """The stream is asked for anew, or nothing is done before somebody says so."""
    script = tmp_path / "crashing.py"
    script.write_text(textwrap.dedent(CRASHES.format(kind=kind)), encoding="utf-8")

    def run(what):
        return subprocess.run(
            [sys.executable, script, policy, what],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    assert run("die").returncode == -signal.SIGKILL
    done = run("go on")
    assert done.returncode == 0, done.stderr
    said = ["in doubt"] if policy == "never" else []
    # What was made of the first items is not made again.
    assert done.stdout.splitlines() == [*said, "['A', 'B', 'C']", "xx abc"]
