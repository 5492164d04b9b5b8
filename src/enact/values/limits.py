# SPDX-License-Identifier: Apache-2.0
"""How large, deep and branched a value and a block may be.

The same bounds hold in both directions, so whatever could be stored can be read.
They are checked before bytes are decoded: a store that somebody sent is data, and
reading it must not exhaust the reader.
"""

from __future__ import annotations

#: Containers inside containers, counted in the value.
MAX_DEPTH = 128

#: How much deeper what stands in for a part that is too deep may be.
DEPTH_SLACK = 8

#: Containers counted in the CBOR of one block. A container of a value is at most three
#: containers of CBOR deep, and libipld is safe far beyond this on small stacks.
MAX_BLOCK_DEPTH = 3 * (MAX_DEPTH + DEPTH_SLACK)

#: Bytes of one block; readers of CAR files refuse larger sections.
MAX_BLOCK_BYTES = 8 * 1024 * 1024

#: Items in one value, each shared part counted as often as it occurs.
MAX_NODES = 16_000_000

#: Bytes in all long strings of one value.
MAX_TEXT_BYTES = 1 << 30
