# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A reply of a target: read as it is meant, or refused with the place and what stood there."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import snapshot as module
from ansible_collections.ets6.network.plugins.plugin_utils.formats.registry import (
    Value,
    dword,
    text,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import (
    HostsEntry,
    Registry,
    Snapshot,
    State,
)
from ansible_collections.ets6.network.plugins.plugin_utils.wire import SnapshotError
from hypothesis import given
from hypothesis import strategies as st

KEY = r"HKLM\SOFTWARE\Acme"


def reply(**sections: Any) -> dict[str, Any]:
    return {"version": 1, **sections}


def packed(raw: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(raw).encode())).decode()


def test_three_kinds_of_key_stay_apart() -> None:
    found = Snapshot.unpack(
        packed(
            reply(
                registry={
                    KEY: {"state": "present", "values": {}},
                    KEY + r"\Gone": {"state": "missing"},
                    KEY + r"\Locked": {"state": "unreadable", "error": "access denied"},
                }
            )
        )
    ).registry
    assert found.key(KEY).state is State.PRESENT
    assert found.key(KEY + r"\Gone").state is State.MISSING
    assert found.key(KEY + r"\Locked").error == "access denied"
    assert found.key(KEY + r"\NotAskedFor").state is State.UNREADABLE, (
        "what was not read must not look as if it were missing"
    )


def test_names_are_compared_as_windows_compares_them_and_kept_as_spelled() -> None:
    values = {
        "Äther": ["REG_DWORD", 4294967295],
        "b": ["REG_MULTI_SZ", ["x", ""]],
        "c": ["REG_BINARY", "AAE="],
    }
    registry = Snapshot.from_wire(
        reply(registry={KEY: {"state": "present", "values": values}})
    ).registry
    assert registry.value(KEY.upper() + "\\", "äTHER") == dword(4294967295)
    assert registry.value(KEY, "C") == Value("REG_BINARY", b"\x00\x01")
    assert list(registry.key(KEY).values) == ["Äther", "b", "c"]
    assert {name: value.to_wire() for name, value in registry.key(KEY).values.items()} == values


def test_names_that_python_takes_for_the_same_are_two_for_windows() -> None:
    """The Kelvin sign and İ are no k and i for Windows, which compares one UTF-16 unit at a time."""
    kelvin, dotted = "\u212a", "\u0130"
    values = {"Kind": ["REG_SZ", "k"], f"{kelvin}ind": ["REG_SZ", "Kelvin"]}
    registry = Snapshot.from_wire(
        reply(
            registry={
                KEY: {"state": "present", "values": values},
                rf"{KEY}\I": {"state": "missing"},
                rf"{KEY}\{dotted}": {"state": "present", "values": {}},
            }
        )
    ).registry
    assert registry.value(KEY, "kIND") == text("k")
    assert registry.value(KEY, f"{kelvin}IND") == text("Kelvin")
    assert registry.key(rf"{KEY}\i").state is State.MISSING
    assert registry.key(rf"{KEY}\{dotted}").state is State.PRESENT


def test_a_changed_registry_leaves_the_first_one_alone() -> None:
    first = Registry({})
    second = first.changed(KEY, "Name", text("1")).changed(KEY.lower(), "NAME", text("2"))
    assert second.value(KEY, "name") == text("2")
    assert list(second) == [KEY]
    assert list(second.key(KEY).values) == ["Name"], (
        "Windows keeps the spelling of a name that is there"
    )
    assert second.changed(KEY, "name", None).key(KEY).state is State.PRESENT
    assert first.key(KEY).state is State.UNREADABLE
    assert first.changed(KEY, "name", None) is first


def test_what_is_nested_too_deep_is_refused_before_anything_reads_it() -> None:
    nested: Any = {}
    for _level in range(100):
        nested = {"x": nested}
    with pytest.raises(SnapshotError, match="nested deeper than 32 levels"):
        Snapshot.from_wire({"version": 1, "host": nested})


def test_probes_of_another_snapshot_replace_only_the_same_ones() -> None:
    def probes(*marked: tuple[str, str, int]) -> Snapshot:
        records = []
        for name, way, mark in marked:
            http = {"status": mark, "headers": [], "body": ""}
            records.append({"name": name, "proxy": way, "stage": "done", "http": http})
        return Snapshot.from_wire(reply(probes=records))

    both = probes(("a", "", 1), ("a", "proxy:1", 1)).with_probes(probes(("a", "", 2), ("b", "", 2)))
    assert [(*probe.key, probe.http and probe.http.status) for probe in both.probes or ()] == [
        ("a", "", 2),
        ("a", "proxy:1", 1),
        ("b", "", 2),
    ]
    assert both.with_probes(Snapshot.from_wire(reply())) is both


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ([], "snapshot: expected an object, found a list"),
        ({"version": 2}, "version: expected 1, found 2"),
        ({"version": True}, "version: expected 1, found True"),
    ],
)
def test_what_is_not_a_snapshot_is_refused_with_its_place(raw: Any, place: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        Snapshot.unpack(packed(raw))
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("part", "raw", "place"),
    [
        ("registry", [], "registry: expected an object"),
        ("host", {"time": 5}, "host[time]: expected a text, found a whole number"),
        ("host", {"time": ["5"]}, "host[time]: expected a text, found a list"),
        ("host", {"os": "1" * 201}, "host[os]: 201 characters; at most 200 are accepted"),
        ("environment", {"x" * 17_000: ""}, "17000 characters; at most 16384 are accepted"),
        ("files", [{"path": "x"}], "files[0]"),
        ("files", [{"path": "x", "state": "present", "owner": "me"}], "unknown field 'owner'"),
        ("files", [{"path": "x", "state": "missing"}] * 1_001, "files: 1001 entries"),
        ("access", [{"sddl": "O:BAD:"}], "access: expected an object, found a list"),
        ("access", {"x" * 17_000: {}}, "17000 characters; at most 16384 are accepted"),
        ("users", [{"sid": 5}], "users[0].sid: expected a text, found a whole number"),
        ("users", [{"sid": "x" * 70_000}], "users[0].sid: 70000 characters"),
        ("users", [{"sid": "S-1"}] * 1_001, "users: 1001 entries; at most 1000 are accepted"),
        ("probes", [{"name": [], "proxy": ""}], "probes[0].name: expected a text, found a list"),
        ("firewall_products", [{"name": "x", "enabled": "yes"}], "firewall_products[0].enabled"),
        ("errors", {"x": None}, "errors[x]: expected a text, found null"),
    ],
)
def test_an_odd_part_was_not_read_and_costs_no_other(part: str, raw: Any, place: str) -> None:
    snapshot = Snapshot.unpack(packed(reply(**{"services": {"BFE": "Running"}, part: raw})))
    assert place in snapshot.errors[part]
    assert part in snapshot.unread
    assert snapshot.services == {"BFE": "Running"}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"state": "gone"}, f"registry[{KEY}].state: unknown state 'gone'"),
        ({"state": "present", "values": {"x": ["REG_DWORD", -1]}}, "REG_DWORD"),
        ({"state": "present", "values": {"x": ["REG_DWORD", True]}}, "REG_DWORD"),
        ({"state": "present", "values": {"x": ["REG_BINARY", "!"]}}, "not base64"),
        ({"state": "present", "values": {"x" * 17_000: ["REG_SZ", ""]}}, "17000 characters"),
        ([], f"registry[{KEY}]: expected an object"),
    ],
)
def test_an_odd_key_is_unreadable_and_costs_no_other(raw: Any, told: str) -> None:
    other = {"state": "present", "values": {"x": ["REG_DWORD", 1]}}
    snapshot = Snapshot.unpack(packed(reply(registry={KEY: raw, KEY + "2": other})))
    assert snapshot.registry.key(KEY).state is State.UNREADABLE
    assert told in snapshot.registry.key(KEY).error
    assert snapshot.registry.value(KEY + "2", "x") == dword(1)


def test_a_host_has_texts_or_nothing_and_an_image_its_control_sets() -> None:
    host = {"name": "PC", "revision": "4460", "edition": None, "control_sets": ["ControlSet001"]}
    snapshot = Snapshot.unpack(packed(reply(host=host)))
    assert (dict(snapshot.host), "host" in snapshot.unread) == (host, False)


def test_no_reply_says_what_the_controller_knows() -> None:
    snapshot = Snapshot.unpack(packed(reply(offline=True, vantage=True, unread=[])))
    assert (snapshot.offline, snapshot.vantage) == (False, False)
    snapshot = Snapshot.unpack(packed(reply(offline=False, vantage=None)), offline=True)
    assert (snapshot.offline, snapshot.vantage) == (True, False)


@pytest.mark.parametrize("part", ["host", "environment", "registry", "files", "users", "errors"])
def test_a_part_that_is_null_or_not_there_was_not_read(part: str) -> None:
    assert part in Snapshot.unpack(packed(reply(**{part: None}))).unread
    assert part in Snapshot.unpack(packed(reply())).unread


def test_small_replies_that_hold_millions_of_items_are_refused_before_they_are_parsed() -> None:
    bomb = b'{"version": 1, "users": [' + b"[]," * 22_000_000 + b"[]]}"
    text = base64.b64encode(gzip.compress(bomb, 6)).decode()
    assert len(text) < 200_000
    since = time.monotonic()
    with pytest.raises(SnapshotError, match=r"larger than|more than 1000000 entries"):
        Snapshot.unpack(text)
    with pytest.raises(SnapshotError, match="more than 1000000 entries"):
        Snapshot.unpack(base64.b64encode(gzip.compress(bomb[: 1 << 24])).decode())
    assert time.monotonic() - since < 5


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(SnapshotError, match="larger than 1000 bytes"):
        Snapshot.unpack(packed(reply(host={"x": "y" * 1001})))


def test_a_reply_that_was_cut_off_is_refused() -> None:
    whole = base64.b64decode(packed(reply(host={"x": list(range(500))})))
    with pytest.raises(SnapshotError, match="cut off"):
        Snapshot.unpack(base64.b64encode(whole[:-20]).decode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
sections = st.sampled_from(
    [
        "host",
        "environment",
        "registry",
        "files",
        "users",
        "network",
        "services",
        "firewall_products",
        "probes",
        "errors",
        "offline",
    ]
)


@given(st.dictionaries(sections, json_values))
def test_no_reply_whatever_it_holds_is_a_crash(raw: dict[str, Any]) -> None:
    with contextlib.suppress(SnapshotError):
        Snapshot.from_wire(reply(**raw))


@given(
    st.text(max_size=50)
    | st.binary(max_size=50).map(lambda raw: base64.b64encode(raw).decode())
    | st.none()
)
def test_no_text_whatever_it_holds_is_a_crash(raw: str | None) -> None:
    with pytest.raises(SnapshotError):
        Snapshot.unpack(raw)


def test_lines_of_the_hosts_file_are_addresses_and_names() -> None:
    lines = ["127.0.0.1  Update.KNX.org. api # ours", "# 0.0.0.0 api", "", "::1"]
    snapshot = Snapshot.from_wire(reply(hosts_file=lines, probes=[]))
    assert snapshot.hosts_file == (HostsEntry("127.0.0.1", ("update.knx.org", "api")),)
    more = Snapshot.from_wire(reply(hosts_file=["0.0.0.0 api.knx.org"], probes=[]))
    merged = snapshot.with_probes(more).hosts_file or ()
    assert [entry.address for entry in merged] == ["127.0.0.1", "0.0.0.0"]
    assert Snapshot.from_wire(reply()).hosts_file is None


@pytest.mark.parametrize(("headers", "body", "complete"), [
    ([["Content-Length", "4"]], b"full", True),
    ([["Content-Length", "9"]], b"half", False),
    ([["Content-Length", "9000000"]], b"x" * 65536, True),
    ([["Transfer-Encoding", "chunked"]], b"4\r\nfull\r\n0\r\n\r\n", True),
    ([["Transfer-Encoding", "chunked"]], b"4\r\nfull\r\n", False),
    ([["Transfer-Encoding", "chunked"]], b"4\r\nfu", False),
    ([], b"anything", True),
])  # fmt: skip
def test_a_body_that_ends_before_its_announced_length_is_not_complete(
    headers: list[list[str]], body: bytes, complete: bool
) -> None:
    http = {"status": 200, "headers": headers, "body": base64.b64encode(body).decode()}
    record = {"name": "a", "proxy": "", "stage": "done", "http": http}
    (probe,) = Snapshot.from_wire(reply(probes=[record])).probes or ()
    assert probe.http is not None
    assert probe.http.complete is complete


def test_an_error_that_quotes_a_name_of_the_host_is_one_printable_line() -> None:
    name = "\x1b[2J\n" + "x" * 10_000
    registry = {name: {"state": "odd"}}
    snapshot = Snapshot.unpack(packed(reply(registry=registry)))
    message = snapshot.registry.key(name).error
    assert "\x1b" not in message
    assert len(message.splitlines()) == 1
    assert len(message) < 1_000
