# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Probes as they are parsed: the bodies of HTTP answers."""

from __future__ import annotations

import base64

from ansible_collections.ets6.network.plugins.plugin_utils.probes import parse_probe
from hypothesis import given
from hypothesis import strategies as st


def body(raw: bytes, *headers: tuple[str, str]) -> bytes:
    http = {
        "status": 200,
        "headers": [list(header) for header in headers],
        "body": base64.b64encode(raw).decode(),
    }
    probe = parse_probe({"name": "updates", "proxy": "", "stage": "done", "http": http}, "probe")
    assert probe.http is not None
    return probe.http.body


def chunked(parts: list[bytes]) -> bytes:
    chunks = [b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts]
    return b"".join(chunks) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_a_body_in_chunks_is_joined(parts: list[bytes]) -> None:
    assert body(chunked(parts), ("transfer-encoding", "Chunked")) == b"".join(parts)
    assert body(chunked(parts)) == chunked(parts)


@given(st.binary(max_size=100))
def test_a_body_that_calls_itself_chunked_is_read_as_far_as_it_goes(raw: bytes) -> None:
    assert len(body(raw, ("Transfer-Encoding", "chunked"))) <= len(raw)
    assert body(chunked([b"abcdef"])[:12], ("Transfer-Encoding", "chunked")) == b"abc"
