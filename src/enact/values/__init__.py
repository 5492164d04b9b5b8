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
from enact.values.display import HTML, Displayed
from enact.values.distributions import loaded_distribution, register_distribution
from enact.values.encoder import Encoder
from enact.values.extras import import_extra
from enact.values.in_place import ATOMIC, assign_in_place, is_atomic
from enact.values.live import LIVE, live_bytes, without_live
from enact.values.lowered import Lowered
from enact.values.names import (
    find_loaded,
    importable_name,
    module_name,
    qualified_name,
)
from enact.values.redacted import Redacted, redacted_form
from enact.values.redaction import (
    mark,
    name_rule,
    redact,
    redact_ends,
    shape_rule,
    shown,
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
from enact.values.secrets import (
    Secret,
    among,
    find_live,
    holds_secret,
    print_of,
    require_written,
)
from enact.values.trees import LinkList, Source, read_links
from enact.values.unknown import Opaque, Unknown

__all__ = [
    "ACTIVE",
    "ATOMIC",
    "HTML",
    "LIVE",
    "WRITTEN",
    "BlockStore",
    "Decoder",
    "Displayed",
    "Encoder",
    "Form",
    "ImmutableResource",
    "LinkList",
    "Lowered",
    "Opaque",
    "Redacted",
    "Ref",
    "Resource",
    "Secret",
    "Source",
    "TypeWrapper",
    "Unknown",
    "active_store",
    "adapter",
    "among",
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
    "find_live",
    "find_loaded",
    "holds_secret",
    "import_extra",
    "importable_name",
    "is_atomic",
    "is_cid",
    "links",
    "live_bytes",
    "loaded_distribution",
    "lookup_type",
    "mark",
    "module_name",
    "name_rule",
    "print_of",
    "qualified_name",
    "read_links",
    "redact",
    "redact_ends",
    "redacted_form",
    "register_distribution",
    "register_type",
    "require_written",
    "resource_digest",
    "shape_rule",
    "shown",
    "type_name",
    "unwrap",
    "without_live",
    "wrap",
]
