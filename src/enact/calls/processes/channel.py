# SPDX-License-Identifier: Apache-2.0
"""Connections between a process and its children: questions go one way, answers come.

Both ends are processes of one program, and the key goes to the child with its work, so
what passes is pickled, as ``multiprocessing`` does with that work itself.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from enact.errors import CallError, ReplayError

# As many connections may wait to be taken: processes start in bursts.
_BACKLOG = 128


class Address(NamedTuple):
    """Where a process listens to its children.

    Attributes:
        place: of the socket.
        key: who does not have it is not listened to.
    """

    place: Any
    key: bytes


class Service:
    """Answers the questions of child processes, one thread per connection.

    Args:
        begin: makes what answers on one connection. It is called with each question;
            and with ``None`` when the connection ends.
    """

    def __init__(self, begin: Callable[[], Callable[..., Any]]) -> None:
        from multiprocessing.connection import Listener

        self.process = os.getpid()
        self._begin = begin
        key = secrets.token_bytes(32)
        self._listener = Listener(backlog=_BACKLOG, authkey=key)
        self.address = Address(self._listener.address, key)
        self._thread: threading.Thread | None = None
        self._connections: set[Any] = set()

    def start(self) -> None:
        """Take connections from now on; those that came before have waited.

        A process is better forked while few threads run, so this comes after.
        """
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._accept, name="enact-children", daemon=True
            )
            self._thread.start()

    def let_go(self) -> None:
        """In a forked child: the ends that it has inherited are not its own."""
        listener: Any = self._listener
        ends = [end.fileno() for end in self._connections if not end.closed]
        for end in [*ends, listener._listener._socket.fileno()]:
            with contextlib.suppress(OSError):
                os.close(end)

    def _accept(self) -> None:
        from multiprocessing import AuthenticationError

        while True:
            try:
                connection = self._listener.accept()
            except (AuthenticationError, EOFError, ConnectionError):
                continue  # a stranger, or a child that died at once
            except OSError:
                return
            threading.Thread(
                target=self._serve,
                args=(connection,),
                name="enact-child",
                daemon=True,
            ).start()

    def _serve(self, connection: Any) -> None:
        answer = self._begin()
        self._connections.add(connection)
        with connection:
            while True:
                try:
                    question = connection.recv()
                except (EOFError, OSError):
                    break
                try:
                    told = True, answer(*question)
                except BaseException as error:  # it is the child's to raise
                    told = False, portable(error)
                with contextlib.suppress(OSError):
                    connection.send(told)
            self._connections.discard(connection)
        answer(None)


class Channel:
    """Asks the parent process; each thread has a connection of its own."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._here = threading.local()
        self.process = os.getpid()

    def ask(self, *question: Any) -> Any:
        """The answer to a question.

        Raises:
            SystemExit: the parent process is gone, so nothing can be recorded.
        """
        connection = getattr(self._here, "connection", None)
        try:
            if connection is None:
                connection = self._connect()
            connection.send(question)
            good, answer = connection.recv()
        except (EOFError, ConnectionError) as error:
            raise SystemExit("enact: the process that started this one is gone") from (
                error
            )
        if not good:
            raise answer
        return answer

    def _connect(self) -> Any:
        from multiprocessing.connection import Client

        connection = Client(self._address.place, authkey=self._address.key)
        self._here.connection = connection
        return connection


def portable(error: BaseException) -> BaseException:
    """An exception that says the same in another process."""
    import pickle

    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:  # many exceptions cannot be pickled
        pass
    kind = ReplayError if isinstance(error, ReplayError) else CallError
    return kind(f"{type(error).__name__}: {error}")
