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
"""As netsh winhttp reset proxy writes it for 32-bit programs."""
DIRECT_64 = b"\x28" + DIRECT[1:]


def test_direct_access_is_what_netsh_writes() -> None:
    assert compose("", "", 0x18) == DIRECT
    assert compose("", "", 0x28) == DIRECT_64
    assert WinHttpSettings.parse(DIRECT_64) == WinHttpSettings()


@pytest.mark.parametrize("version", [0x18, 0x28, 0x40])
def test_a_proxy_with_a_bypass_list(version: int) -> None:
    raw = compose("p:8080", "<local>;*.x", version)
    head = bytes([version]) + bytes.fromhex("000000 00000000 03000000 06000000")
    assert raw == head + b"p:8080" + b"\x0b\0\0\0<local>;*.x"
    settings = WinHttpSettings.parse(raw)
    assert (settings.server, settings.bypass, settings.flags) == ("p:8080", "<local>;*.x", 3)
    assert settings.version == version


NUMBERS = st.integers(0, 0xFFFFFFFF)
TEXTS = st.binary(max_size=40)


@given(st.integers(0x18, 0xFFFFFFFF), NUMBERS, NUMBERS, TEXTS, TEXTS, TEXTS)
def test_any_blob_comes_back_byte_for_byte(
    version: int, reserved: int, flags: int, server: bytes, bypass: bytes, tail: bytes
) -> None:
    raw = b"".join(number.to_bytes(4, "little") for number in (version, reserved, flags))
    raw += len(server).to_bytes(4, "little") + server
    raw += len(bypass).to_bytes(4, "little") + bypass + tail
    assert WinHttpSettings.parse(raw).write() == raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x18\0\0\0", "4 bytes, at least 12"),
        (b"\x17" + DIRECT[1:], "version 0x17 is not known"),
        (DIRECT[:14], "offset 12: the length of the proxy is missing"),
        (
            DIRECT[:12] + b"\x09\0\0\0abc",
            "offset 16: the proxy should have 9 bytes, 3 are left",
        ),
    ],
)
def test_an_error_names_its_offset(raw: bytes, reason: str) -> None:
    with pytest.raises(BlobError, match=reason):
        WinHttpSettings.parse(raw)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(BlobError):
        assert WinHttpSettings.parse(raw).write() == raw
