# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinHTTP's blob: exact bytes back, every malformed blob named."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.winhttp import (
    WinHttpSettings,
    compose,
)
from ansible_collections.ets6.network.plugins.plugin_utils.formats.wininet import BlobError
from hypothesis import given
from hypothesis import strategies as st

DIRECT = bytes.fromhex("18000000 00000000 01000000 00000000 00000000")
"""As netsh winhttp reset proxy writes it."""


def test_direct_access_is_what_netsh_writes() -> None:
    assert compose("", "") == DIRECT
    assert WinHttpSettings.parse(DIRECT) == WinHttpSettings()


def test_a_proxy_with_a_bypass_list() -> None:
    raw = compose("p:8080", "<local>;*.x")
    assert (
        raw
        == bytes.fromhex("18000000 00000000 03000000 06000000")
        + b"p:8080"
        + b"\x0b\0\0\0<local>;*.x"
    )
    found = WinHttpSettings.parse(raw)
    assert (found.server, found.bypass, found.flags) == ("p:8080", "<local>;*.x", 3)


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=40),
    st.binary(max_size=40),
    st.binary(max_size=20),
)
def test_any_blob_comes_back_byte_for_byte(
    reserved: int, flags: int, server: bytes, bypass: bytes, tail: bytes
) -> None:
    raw = b"\x18\0\0\0" + reserved.to_bytes(4, "little") + flags.to_bytes(4, "little")
    raw += (
        len(server).to_bytes(4, "little")
        + server
        + len(bypass).to_bytes(4, "little")
        + bypass
        + tail
    )
    assert WinHttpSettings.parse(raw).write() == raw


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x18\0\0\0", "4 bytes, at least 12"),
        (b"\x28" + DIRECT[1:], "version 0x28 is not known"),
        (DIRECT[:14], "offset 12: the length of the proxy is missing"),
        (DIRECT[:12] + b"\x09\0\0\0abc", "offset 16: the proxy should have 9 bytes, 3 are left"),
    ],
)
def test_what_is_wrong_is_said_with_its_offset(raw: bytes, said: str) -> None:
    with pytest.raises(BlobError, match=said):
        WinHttpSettings.parse(raw)


@given(st.binary(max_size=100))
def test_no_bytes_at_all_raise_anything_else(raw: bytes) -> None:
    with contextlib.suppress(BlobError):
        assert WinHttpSettings.parse(raw).write() == raw
