# SPDX-License-Identifier: Apache-2.0
"""Every kind of value that can be stored out of the box, registered by importing it.

Classes of users are asked about first, then the families that need no registration.
"""

from __future__ import annotations

from enact.values import (
    classes,
    exceptions,
    plain,
    resources,
    stdlib,
    streams,
    subclasses,
    type_values,
)
from enact.values.registry import LOADER_RESOLVERS, RESOLVERS

RESOLVERS += (
    stdlib.resolve,
    resources.resolve,
    classes.resolve,
    subclasses.resolve,
    exceptions.resolve,
    type_values.resolve,
    streams.resolve,
)
LOADER_RESOLVERS += (
    stdlib.resolve_loader,
    classes.resolve_loader,
    subclasses.resolve_loader,
)

__all__ = ["plain"]
