# SPDX-License-Identifier: Apache-2.0
"""Calls: registered, recorded, replayed."""

from enact.calls.arrival import LateCallWarning
from enact.calls.chance import now, random, sleep, sleep_async, uuid4
from enact.calls.children import ChildProcessWarning
from enact.calls.comparing import code_diff, source
from enact.calls.credentials import PlainCredentialWarning
from enact.calls.current import CurrentCall, annotate, current_call
from enact.calls.divergence import name_of
from enact.calls.exceptions import ExceptionResource, NativeException
from enact.calls.function_values import UnregisteredFunction
from enact.calls.inputs import CallArgs, UntrackedStateWarning
from enact.calls.invocation import Invocation, invoke, invoke_async
from enact.calls.invokable import AsyncInvokable, Invokable, typed_invokable
from enact.calls.lane_matching import AmbiguousWorkerWarning
from enact.calls.lanes import with_current_contexts, with_new_contexts
from enact.calls.listing import Source
from enact.calls.programs import Program, registered
from enact.calls.registration import register
from enact.calls.runs import SCHEDULE, UnstorableWarning
from enact.calls.stream_value import Stream
from enact.calls.targets import AmbiguousNameWarning
from enact.calls.typecheck import fits
from enact.calls.typecheck import name as type_in_words
from enact.calls.views import Request, Response

__all__ = [
    "SCHEDULE",
    "AmbiguousNameWarning",
    "AmbiguousWorkerWarning",
    "AsyncInvokable",
    "CallArgs",
    "ChildProcessWarning",
    "CurrentCall",
    "ExceptionResource",
    "Invocation",
    "Invokable",
    "LateCallWarning",
    "NativeException",
    "PlainCredentialWarning",
    "Program",
    "Request",
    "Response",
    "Source",
    "Stream",
    "UnregisteredFunction",
    "UnstorableWarning",
    "UntrackedStateWarning",
    "annotate",
    "code_diff",
    "current_call",
    "fits",
    "invoke",
    "invoke_async",
    "name_of",
    "now",
    "random",
    "register",
    "registered",
    "sleep",
    "sleep_async",
    "source",
    "type_in_words",
    "typed_invokable",
    "uuid4",
    "with_current_contexts",
    "with_new_contexts",
]
