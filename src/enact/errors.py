# SPDX-License-Identifier: Apache-2.0
"""Everything that enact raises, in two trees.

Errors say that something went wrong::

    EnactError(Exception)
    ├── ValueStorageError            a value and its stored form
    │   ├── UnstorableValue          (TypeError) cannot be stored; says where and why
    │   │   └── SecretKeyUnavailable the key of secrets can be neither read nor made
    │   ├── SecretNotStored          the value of a secret is in no store
    │   ├── UnregisteredType         (TypeError) the type is not known here
    │   ├── DuplicateName            two different classes under one name
    │   ├── SchemaMismatch           stored fields do not fit today's class
    │   ├── MalformedBlock           (ValueError) bytes that are no value of ours
    │   ├── LimitExceeded            (ValueError) too deep, too large, too many nodes
    │   └── RefError                 (ValueError) no name of a value, or no more
    ├── StoreError                   a store and its backend
    │   ├── MissingBlock             (KeyError) no store at hand has the block
    │   │   └── Purged               it was removed for good; says when and why
    │   ├── CorruptBlock             the bytes do not match their identifier
    │   ├── NotAStore                the file is something else
    │   ├── StoreVersionError        made by a newer enact
    │   ├── StoreUnavailable         (OSError) cannot be opened, read or written
    │   ├── StoreClosed              used after close, or in a forked child
    │   └── NotFound                 (LookupError) no run, tag or question of that name
    ├── NoActiveContext              no store is active
    ├── MissingExtra                 (ImportError) a library of an extra is not there
    └── CallError                    recording and replaying
        ├── InvocationError          what was invoked did something that it must not
        │   ├── InputChanged         an argument was changed in place
        │   ├── IncompleteSubinvocationError   a call ended before its children
        │   ├── ReplayError          the program left the recorded path
        │   │   └── LiveCallForbidden   a call would have run, and must not
        │   ├── WrappedException     a recorded exception that cannot be rebuilt
        │   └── InputRequestOutsideInvocation
        ├── FrameworkError           what was asked of an invocation cannot be done
        │   ├── NotReplayable        it cannot be replayed at all
        │   ├── AmbiguousCall        several calls are equal: say which by its path
        │   ├── NoSuchCall           (LookupError) no call at this path
        │   ├── NotResumable         the run came to its end, or cannot be replayed
        │   ├── RunIsLive            somebody executes the run, or resumes it
        │   └── InDoubt              a call that must not be tried twice was in flight
        ├── CodeError                code that was recorded, or generated
        │   ├── SourceNotStored      (LookupError) the store lacks the source
        │   ├── NotSelfContained     recorded code needs what is not in its source
        │   ├── ProgramNotAllowed    (PermissionError) nobody said that it may run
        │   ├── ProgramSyntaxError   (SyntaxError) it is no Python; says the line
        │   └── NoSuchEntry          (LookupError) it defines no such function
        ├── SearchError              a search cannot be done as it was asked for
        │   ├── UnknownStrategy      (LookupError) no strategy of this name or option
        │   ├── NoBranchPoint        the program makes no call that could be drawn again
        │   ├── NothingFound         every execution failed or was given up
        │   └── InvalidScore         a score raised, or gave no number
        ├── InvokableTypeError       (TypeError) wrong type in or out of an invokable
        ├── WrongAnswer              (TypeError) an answer of the wrong type
        ├── AlreadyAnswered          a question has its answer
        └── Declined                 a person declined to answer

Signals are no errors: they end a call early on purpose, and ``except Exception``
must not swallow them::

    Signal(BaseException)
    ├── InputRequest                 a person is asked (defined where people are)
    └── Suspension                   an execution is set aside; nobody need answer
        ├── Parked                   it waits to be replayed further (calls)
        └── Discarded                the program gave itself up (search)
"""

from __future__ import annotations


class EnactError(Exception):
    """Root of all errors that enact raises."""


class ValueStorageError(EnactError):
    """A value and its stored form do not go together."""


class UnstorableValue(ValueStorageError, TypeError):
    """A value cannot be stored.

    Attributes:
        path: where in the value, as in ``$.messages[3].image``.
        reason: why, in words.
    """

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.reason} - at {self.path}"


class SecretKeyUnavailable(UnstorableValue):
    """The key that secrets are stored by can be neither read nor made."""


class SecretNotStored(ValueStorageError):
    """The value of a secret that was loaded is asked for, and is in no store."""


class UnregisteredType(ValueStorageError, TypeError):
    """The type of a stored value is not known in this process."""


class DuplicateName(ValueStorageError):
    """Two different classes want one name in stored data."""


class SchemaMismatch(ValueStorageError):
    """Stored fields do not fit the class as it is now."""


class MalformedBlock(ValueStorageError, ValueError):
    """Bytes are not the canonical form of any value."""


class LimitExceeded(ValueStorageError, ValueError):
    """A value or a block is deeper, larger or has more parts than allowed."""


class RefError(ValueStorageError, ValueError):
    """A text names no value, or a ref was used so that it no longer would."""


class StoreError(EnactError):
    """A store cannot do what it was asked."""


class MissingBlock(StoreError, KeyError):
    """No store at hand has the block."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class Purged(MissingBlock):
    """The block was removed for good, and its content is not taken in again."""


class CorruptBlock(StoreError):
    """The bytes of a block do not match its identifier."""


class NotAStore(StoreError):
    """The file is not an enact store."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of enact."""


class StoreUnavailable(StoreError, OSError):
    """A store cannot be opened, read or written."""


class StoreClosed(StoreError):
    """A store was used after it was closed, or in a forked child."""


class NotFound(StoreError, LookupError):
    """The store has no run, tag or question of that name."""


class NoActiveContext(EnactError):
    """Something needs an active store and there is none."""


class MissingExtra(EnactError, ImportError):
    """A library that comes with an extra of enact is not installed."""


class CallError(EnactError):
    """Something about recording or replaying a call."""


class InvocationError(CallError):
    """What was invoked did something that it must not."""


class WrappedException(InvocationError):
    """A recorded exception whose type is not known here."""


class InputRequestOutsideInvocation(InvocationError):
    """A person was asked outside any invocation."""


class FrameworkError(CallError):
    """What was asked of an invocation cannot be done."""


class InputChanged(InvocationError):
    """A call changed one of its arguments in place."""


class IncompleteSubinvocationError(InvocationError):
    """A call ended before the calls that it had started."""


class ReplayError(InvocationError):
    """A replayed program left the path that was recorded.

    Attributes:
        path: of the call in the call tree, as in ``1/0``.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class LiveCallForbidden(ReplayError):
    """A replay that must run nothing came to a call that it would have to run."""


class NotReplayable(FrameworkError):
    """The invocation cannot be replayed at all."""


class AmbiguousCall(FrameworkError):
    """Several calls of the tree are equal: name one by its path."""


class NoSuchCall(FrameworkError, LookupError):
    """There is no call at this path."""


class NotResumable(FrameworkError):
    """There is nothing to resume: the run came to its end, or cannot be replayed."""


class RunIsLive(FrameworkError):
    """Another process or thread executes this run, or is resuming it."""


class InDoubt(FrameworkError):
    """A call that must not be tried twice was in flight when its run was cut off.

    Nobody knows whether it did what it does.

    Attributes:
        path: of the call in the call tree.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class CodeError(CallError):
    """Something about code as a value."""


class SourceNotStored(CodeError, LookupError):
    """The store does not have the source of the version that ran."""


class NotSelfContained(CodeError):
    """Recorded code cannot run on its own.

    Attributes:
        missing: what it needs beyond its source, in words.
    """

    def __init__(self, message: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class ProgramNotAllowed(CodeError, PermissionError):
    """A program was to be loaded, and nobody has said that it may run."""


class ProgramSyntaxError(CodeError, SyntaxError):
    """The source of a program is no Python."""


class NoSuchEntry(CodeError, LookupError):
    """A program does not define the function that is its entry."""


class SearchError(CallError):
    """A search cannot be done as it was asked for."""


class UnknownStrategy(SearchError, LookupError):
    """There is no strategy of this name, or it has no such option."""


class NoBranchPoint(SearchError):
    """The program makes no call that could be drawn again."""


class NothingFound(SearchError):
    """Every execution of the program failed or was given up."""


class InvalidScore(SearchError, ValueError):
    """A score raised an exception, or is not a finite number."""


class InvokableTypeError(CallError, TypeError):
    """A value of the wrong type went into or came out of an invokable."""


class WrongAnswer(CallError, TypeError):
    """An answer is not of the type that was asked for."""


class AlreadyAnswered(CallError):
    """A question to a person has its answer already."""


class Declined(CallError):
    """A person declined to answer; the text says why.

    Raised in the program, where it asked.
    """


class Signal(BaseException):
    """Ends a call early on purpose; never an error."""

    def check(self, value: object) -> None:
        """See whether ``value`` can take the place of what the call would give.

        Raises:
            WrongAnswer: it cannot.
        """


class Suspension(Signal):
    """Sets an execution aside where it stands: nobody is asked anything.

    Attributes:
        why: in words.
        passes_on: an invocation that is set aside by it sets aside the one that made
            it, too.
    """

    passes_on = False

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why
