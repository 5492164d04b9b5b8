# SPDX-License-Identifier: Apache-2.0
"""People in the loop: questions, answers, and the loop over them."""

from enact.human.generator import InvocationGenerator
from enact.human.pending import PendingRequest, pending_requests
from enact.human.requests import InputRequest, RequestInput, request_input, waiting

__all__ = [
    "InputRequest",
    "InvocationGenerator",
    "PendingRequest",
    "RequestInput",
    "pending_requests",
    "request_input",
    "waiting",
]
