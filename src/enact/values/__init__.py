# SPDX-License-Identifier: Apache-2.0
"""Values: what can be stored, under which names, and in which bytes."""

# The first import fills the tables of the registry.
from enact.values import kinds  # noqa: F401  # isort: skip
from enact.values.adapted import adapter
from enact.values.cbor import Form, check_block, decode_form, encode_form, links
from enact.values.chunks import encode_links
from enact.values.cids import cid_from_text, cid_of, cid_text, is_cid
from enact.values.committing import checkout, checkout_async, commit, commit_async
from enact.values.context import ACTIVE, BlockStore, active_store
from enact.values.decoder import Decoder, decode, decode_foreign
from enact.values.distributions import loaded_distribution, register_distribution
from enact.values.encoder import Encoder
from enact.values.in_place import ATOMIC, assign_in_place, is_atomic
from enact.values.lowered import Lowered
from enact.values.names import (
    find_loaded,
    importable_name,
    module_name,
    qualified_name,
)
from enact.values.refs import Ref
from enact.values.registry import (
    WRITTEN,
    distribution_of,
    lookup_type,
    register_type,
    type_name,
)
from enact.values.resources import (
    ImmutableResource,
    Resource,
    TypeWrapper,
    deepcopy,
    resource_digest,
    unwrap,
    wrap,
)
from enact.values.trees import LinkList, Source, read_links
from enact.values.unknown import Opaque, Unknown

__all__ = [
    "ACTIVE",
    "ATOMIC",
    "WRITTEN",
    "BlockStore",
    "Decoder",
    "Encoder",
    "Form",
    "ImmutableResource",
    "LinkList",
    "Lowered",
    "Opaque",
    "Ref",
    "Resource",
    "Source",
    "TypeWrapper",
    "Unknown",
    "active_store",
    "adapter",
    "assign_in_place",
    "check_block",
    "checkout",
    "checkout_async",
    "cid_from_text",
    "cid_of",
    "cid_text",
    "commit",
    "commit_async",
    "decode",
    "decode_foreign",
    "decode_form",
    "deepcopy",
    "distribution_of",
    "encode_form",
    "encode_links",
    "find_loaded",
    "importable_name",
    "is_atomic",
    "is_cid",
    "links",
    "loaded_distribution",
    "lookup_type",
    "module_name",
    "qualified_name",
    "read_links",
    "register_distribution",
    "register_type",
    "resource_digest",
    "type_name",
    "unwrap",
    "wrap",
]
