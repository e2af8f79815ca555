# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""WinINET's blobs: exact bytes back, the tail kept, odd blobs read as .NET Framework reads them."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.wininet import (
    AUTODETECT,
    DIRECT,
    PAC,
    PROXY,
    VALUES,
    BlobError,
    ConnectionSettings,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy import user_hives
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.integers(0, 0xFFFFFFFF)
TEXTS = st.binary(max_size=60)


def blob(
    version: int, counter: int, flags: int, texts: tuple[bytes, bytes, bytes], tail: bytes
) -> bytes:
    """Lay a blob out by the published description, without the code under test."""
    head = (
        version.to_bytes(4, "little") + counter.to_bytes(4, "little") + flags.to_bytes(4, "little")
    )
    return head + b"".join(len(text).to_bytes(4, "little") + text for text in texts) + tail


SMALLEST = blob(0x46, 2, 9, (b"", b"", b""), bytes(32))
NAMED = blob(0x46, 7, 3, (b"proxy:3128", b"*.a;<local>", b""), bytes(32))


@pytest.mark.parametrize("name", user_hives.HIVES)
def test_every_blob_of_a_real_user_comes_back_byte_for_byte(name: str) -> None:
    found = user_hives.blobs(name)
    assert set(VALUES) <= set(found)
    for raw in found.values():
        settings = ConnectionSettings.parse(raw)
        assert settings.write() == raw
        assert (settings.version, settings.flags) == (0x46, DIRECT | AUTODETECT)
        assert settings.counter == struct.unpack_from("<I", raw, 4)[0]


def test_the_script_that_detection_found_last_is_read_from_a_real_blob() -> None:
    raw = user_hives.blobs("old-wpad")[VALUES[0]]
    found = ConnectionSettings.parse(raw).detected_script
    assert found.startswith("http://")
    assert found.endswith("/wpad.dat")
    assert (
        ConnectionSettings.parse(user_hives.blobs("win10-clean")[VALUES[0]]).detected_script == ""
    )


TEXTS_WITHOUT_NUL = TEXTS.map(lambda raw: raw.replace(b"\0", b""))


@given(
    st.integers(0x3C, 0xFFFFFFFF),
    WORDS,
    WORDS,
    st.tuples(TEXTS_WITHOUT_NUL, TEXTS_WITHOUT_NUL, TEXTS_WITHOUT_NUL),
    st.binary(min_size=1, max_size=80),
)
def test_any_whole_blob_comes_back_byte_for_byte(
    version: int, counter: int, flags: int, texts: tuple[bytes, bytes, bytes], tail: bytes
) -> None:
    raw = blob(version, counter, flags, texts, tail)
    settings = ConnectionSettings.parse(raw)
    assert settings.write() == raw
    assert (settings.proxy, settings.bypass, settings.pac_url) == tuple(
        text.decode("latin-1") for text in texts
    )
    assert (settings.version, settings.counter, settings.flags, settings.tail) == (
        version,
        counter,
        flags,
        tail,
    )


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(raw: bytes) -> None:
    settings = ConnectionSettings.parse(raw)
    assert ConnectionSettings.parse(settings.write()) == settings
    assert isinstance(settings.detected_script, str)


@pytest.mark.parametrize(
    ("raw", "settings"),
    [
        (bytes.fromhex("46 00 00 00 00"), ConnectionSettings(0)),
        (b"", ConnectionSettings(DIRECT | AUTODETECT)),
        (blob(0x3B, 5, 3, (b"p:1", b"", b""), b""), ConnectionSettings(9, counter=5)),
        (b"\x47" + SMALLEST[1:], ConnectionSettings(9, counter=2, version=0x47)),
        (NAMED[:12] + b"\xff\xff\xff\x7fp:1", ConnectionSettings(3, "p:1", counter=7)),
        (NAMED[:12] + b"\xff\xff\xff\xff", ConnectionSettings(3, counter=7)),
        (NAMED[:26], ConnectionSettings(3, "proxy:3128", counter=7)),
        (
            blob(0x46, 7, 3, (b"p:1\0rest", b"*.a\0", b""), bytes(32)),
            ConnectionSettings(3, "p:1", "*.a", counter=7),
        ),
    ],
)
def test_an_odd_blob_is_read_as_net_framework_reads_it(
    raw: bytes, settings: ConnectionSettings
) -> None:
    assert ConnectionSettings.parse(raw) == settings


def test_a_change_raises_the_counter_and_keeps_version_and_tail() -> None:
    before = ConnectionSettings.parse(blob(0x3C, 0xFFFFFFFF, 9, (b"", b"", b""), b"kept"))
    after = before.changed(DIRECT | PROXY, "p:1", "<local>", "")
    assert after.write() == blob(0x3C, 0, 3, (b"p:1", b"<local>", b""), b"kept")
    assert after.changed(DIRECT | PAC, "p:1", "", "http://x/p").counter == 1


def test_a_text_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(BlobError, match="beyond Latin-1"):
        ConnectionSettings(3, "прокси:1").write()
