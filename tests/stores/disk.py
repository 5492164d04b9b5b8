# SPDX-License-Identifier: Apache-2.0
"""A disk that can fail, and that can lose its power; no test itself.

It sees all that a store does to its files: what SQLite writes, through a VFS of
apsw, and what the store writes itself, through what stands for ``os`` in its
modules. It notes every step, so that `crash_image` can make the files that a loss of
power would leave, and it can be told to fail at some step.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import defaultdict

import apsw

from enact.stores import connect, files, foreign, owners, tail

MODULES = (connect, files, foreign, owners, tail)
SECTOR = 512


class Disk:
    """Notes what is done in a directory, and fails where it is told to.

    Attributes:
        steps: everything that was done, in order, as tuples.
        fault: called with the kind of a step (``open``, ``write``, ``truncate``,
            ``sync``, ``rename``, ``unlink``) and a path before it is done; returns
            an error number to make it fail.
    """

    def __init__(self, directory):
        self.directory = os.path.realpath(directory)
        self.steps = []
        self.fault = None
        self._lock = threading.Lock()
        self._names = {}
        self._open = {}
        self._next = 0

    def __enter__(self):
        self._vfs = _Vfs(self)
        stand_in = _Os(self)
        for module in MODULES:
            module.os = stand_in
        return self

    def __exit__(self, *exc):
        for module in MODULES:
            module.os = os
        self._vfs.unregister()

    def note(self, *step):
        with self._lock:
            self.steps.append(step)

    def may_fail(self, kind, path):
        """Gives the error number of a failure that is due, else None."""
        fault = self.fault
        return fault and fault(kind, path)

    def covers(self, path):
        return type(path) is str and path.startswith(self.directory + os.sep)

    def number(self, path, *, made):
        """Numbers the file that is at a path now."""
        with self._lock:
            if made or path not in self._names:
                self._next += 1
                self._names[path] = self._next
                self.steps.append(("create", path, self._next))
            return self._names[path]

    def renamed(self, old, new):
        with self._lock:
            self._names[new] = self._names.pop(old)
            self.steps.append(("rename", old, new, self._names[new]))

    def unlinked(self, path):
        with self._lock:
            self.steps.append(("unlink", path, self._names.pop(path, None)))


class _Os:
    """Stands for the module ``os``."""

    def __init__(self, disk):
        self._disk = disk
        self._files = {}

    def __getattr__(self, name):
        return getattr(os, name)

    def _fail(self, kind, path):
        number = self._disk.covers(path) and self._disk.may_fail(kind, path)
        if number:
            raise OSError(number, os.strerror(number))

    def open(self, path, flags, *mode):
        self._fail("open", path)
        made = flags & os.O_CREAT and not os.path.exists(path)
        fd = os.open(path, flags, *mode)
        if os.path.isdir(path):
            self._files[fd] = path + os.sep, None
        elif self._disk.covers(path):
            self._files[fd] = path, self._disk.number(path, made=made)
        return fd

    def close(self, fd):
        self._files.pop(fd, None)
        os.close(fd)

    def write(self, fd, data):
        path, number = self._files[fd]
        self._fail("write", path)
        size = os.fstat(fd).st_size  # all are appended to
        written = os.write(fd, data)
        self._disk.note("write", number, size, bytes(data[:written]))
        return written

    def ftruncate(self, fd, size):
        path, number = self._files[fd]
        self._fail("truncate", path)
        os.ftruncate(fd, size)
        self._disk.note("truncate", number, size)

    def fdatasync(self, fd):
        path, number = self._files[fd]
        begin = len(self._disk.steps)
        try:
            self._fail("sync", path)
        except OSError:
            # The system takes these pages for clean now: no later call writes them.
            # (As with SQLite's own flushes, its log is taken to be spared that.)
            if not path.endswith("-wal"):
                self._disk.note("lost", number, begin)
            raise
        if path == self._disk.directory + os.sep:
            self._disk.note("sync directory", begin)
        elif number is not None:
            self._disk.note("sync", number, begin)

    fsync = fdatasync

    def rename(self, old, new):
        self._fail("rename", old)
        os.rename(old, new)
        self._disk.renamed(old, new)

    def unlink(self, path):
        self._fail("unlink", path)
        os.unlink(path)
        if self._disk.covers(path):
            self._disk.unlinked(path)


def _sqlite_error(number):
    if number == errno.ENOSPC:
        return apsw.FullError("database or disk is full")
    return apsw.IOError("disk I/O error")


class _Vfs(apsw.VFS):
    def __init__(self, disk):
        self.disk = disk
        super().__init__("enact-test-disk", "unix", makedefault=True)

    def fail(self, kind, path):
        number = self.disk.covers(path) and self.disk.may_fail(kind, path)
        if number:
            raise _sqlite_error(number)

    def xOpen(self, name, flags):
        return _File(self, name, flags)

    def xDelete(self, name, sync_directory):
        self.fail("unlink", name)
        there = os.path.exists(name)
        super().xDelete(name, sync_directory)
        if there and self.disk.covers(name):
            self.disk.unlinked(name)


class _File(apsw.VFSFile):
    def __init__(self, vfs, name, flags):
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.vfs, self.path, self.number = vfs, path, None
        try:
            vfs.fail("open", path)
        except apsw.Error as error:
            raise apsw.CantOpenError("unable to open database file") from error
        made = flags[0] & apsw.SQLITE_OPEN_CREATE and not (
            path and os.path.exists(path)
        )
        super().__init__("unix", name, flags)
        if vfs.disk.covers(path):
            self.number = vfs.disk.number(path, made=made)
        # As SQLite does: the names are forced to the disk with a new log.
        self.names = flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL)

    def xWrite(self, data, offset):
        self.vfs.fail("write", self.path)
        super().xWrite(data, offset)
        self.vfs.disk.note("write", self.number, offset, bytes(data))

    def xTruncate(self, size):
        self.vfs.fail("truncate", self.path)
        super().xTruncate(size)
        self.vfs.disk.note("truncate", self.number, size)

    def xSync(self, flags):
        begin = len(self.vfs.disk.steps)
        # Nothing is lost when this fails, other than with tails: where the system
        # drops what it could not write, a log of SQLite is good only until the next
        # time that it is read from the file.
        self.vfs.fail("sync", self.path)
        self.vfs.disk.note("sync", self.number, begin)
        if self.names:
            self.names = 0
            self.vfs.disk.note("sync directory", begin)


def crash_image(steps, to, chance):
    """Makes the files as a disk may hold them when the power fails after some steps.

    All that was forced to the disk is there. Of what was written since, any part may
    be there, torn at any byte or at any sector; names may be those of before.

    Args:
        steps: what was done.
        to: a new directory for the files.
        chance: decides what survives.
    """
    durable = defaultdict(bytearray)
    pending = defaultdict(list)
    names, changes = {}, []
    for place, step in enumerate(steps):
        kind = step[0]
        if kind in ("write", "truncate"):
            pending[step[1]].append((place, step))
        elif kind in ("sync", "lost"):
            number, begin = step[1:]
            for at, what in pending[number]:
                if at < begin and (kind == "sync" or chance.random() < 0.5):
                    _apply(durable[number], what)
            pending[number] = [p for p in pending[number] if p[0] >= begin]
        elif kind in ("create", "rename", "unlink"):
            changes.append((place, step))
        elif kind == "sync directory":
            for at, what in changes:
                if at < step[1]:
                    _change(names, what)
            changes = [c for c in changes if c[0] >= step[1]]
    for _, what in _survivors(changes, chance):
        _change(names, what)
    to.mkdir()
    for path, number in names.items():
        data = durable[number]
        for what in _torn(pending[number], chance):
            _apply(data, what)
        (to / os.path.basename(path)).write_bytes(data)


def _survivors(steps, chance):
    how = chance.choice(["all", "none", "first", "some"])
    if how == "first":
        return steps[: chance.randrange(len(steps) + 1)]
    share = {"all": 1.0, "none": 0.0, "some": chance.random()}[how]
    return [step for step in steps if chance.random() < share]


def _torn(pending, chance):
    how = chance.choice(["whole", "sectors", "bytes"])
    for _, step in _survivors(pending, chance):
        if step[0] == "truncate" or how == "whole":
            yield step
            continue
        _, number, offset, data = step
        if how == "bytes":
            begin, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
            begin *= chance.randrange(2)
            yield "write", number, offset + begin, data[begin:end]
            continue
        share = chance.choice([0.1, 0.5, 0.9])
        first = offset - offset % SECTOR
        for sector in range(first, offset + len(data), SECTOR):
            if chance.random() < share:
                begin = max(sector - offset, 0)
                piece = data[begin : sector + SECTOR - offset]
                yield "write", number, offset + begin, piece


def _apply(data, step):
    kind, _, place, *piece = step
    if len(data) < place:
        data.extend(bytes(place - len(data)))
    if kind == "truncate":
        del data[place:]
    elif piece[0]:
        data[place : place + len(piece[0])] = piece[0]


def _change(names, step):
    kind, path, *rest = step
    if kind == "create":
        names[path] = rest[0]
    elif kind == "rename":
        names.pop(path, None)
        names[rest[0]] = rest[1]
    else:
        names.pop(path, None)
