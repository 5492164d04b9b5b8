# SPDX-License-Identifier: Apache-2.0
"""The short ways of writing blocks give the bytes that the general encoder gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from enact.calls import fixed_blocks, layout
from enact.calls.fixed_blocks import FixedBlocks
from enact.calls.inputs import CallArgs
from enact.values import Encoder, cid_of, decode
from enact.values.cbor import encode_form

cids = st.binary(max_size=8).map(cid_of)
digests = st.none() | st.binary(min_size=1, max_size=32).map(bytes.hex)
scalars = (
    st.none()
    | st.booleans()
    | st.text(st.characters(), max_size=40)
    | st.integers(-(2**65), 2**65)
    | st.sampled_from([-(2**63), 2**63 - 1, "x" * 1000, "x" * 1001])
)


def hash_of(cid):
    return cid[4:]


@given(cids, cids, cids, digests)
def test_blocks_of_leaf_calls(invokable, given_cid, output, code):
    fixed = FixedBlocks(invokable, code)
    request = fixed.request_head + hash_of(given_cid) + fixed.request_tail
    assert request == layout.request(invokable, given_cid)
    response = fixed.response_head + hash_of(output) + fixed.response_tail
    assert response == layout.leaf_response(invokable, output, None, False, code)
    invocation = (
        fixed_blocks.INVOCATION_HEAD
        + hash_of(cid_of(request))
        + fixed_blocks.INVOCATION_MIDDLE
        + hash_of(cid_of(response))
    )
    assert invocation == layout.invocation(cid_of(request), cid_of(response))
    for data, fields in (
        (request, {"$": layout.REQUEST, "input": given_cid, "invokable": invokable}),
        (
            invocation,
            {
                "$": layout.INVOCATION,
                "request": cid_of(request),
                "response": cid_of(response),
            },
        ),
    ):
        assert data == encode_form(fields)


@given(st.lists(scalars, max_size=9), st.dictionaries(st.text(max_size=9), scalars))
def test_plain_arguments(args, kwargs):
    data = layout.plain_call_args(tuple(args), kwargs)
    if data is None:
        return
    assert decode(data) == CallArgs(args, kwargs)
    if len(data) <= 1024:  # longer ones the general encoder may cut into chunks
        encoder = Encoder(lambda cid, chunk: None)
        assert data == encoder.encode(CallArgs(args, kwargs))


@given(scalars)
def test_plain_outputs(value):
    data = layout.plain_scalar(value)
    if data is not None:
        assert data == Encoder(lambda cid, chunk: None).encode(value)


@given(
    args=st.lists(
        st.integers(-(2**63), 2**63 - 1)
        | st.builds(lambda text, n: text * n, st.text(max_size=3), st.integers(0, 333)),
        max_size=8,
    ),
    kwargs=st.dictionaries(st.sampled_from(["k", "long"]), st.text(), max_size=1),
)
def test_the_short_way_to_write_arguments_gives_the_same_bytes(args, kwargs):
    data = layout.plain_call_args(tuple(args), kwargs)
    if data is not None:
        assert data == Encoder(lambda cid, block: None).encode(CallArgs(args, kwargs))
