# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a report says of a host itself, and that nothing from the host is taken for more than text."""

from __future__ import annotations

from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils import facts
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.plugins.plugin_utils.version import VERSION

FOLDER = r"C:\Program Files (x86)\ETS6"
FILES = [
    {"path": rf"{FOLDER}\ETS6N.exe", "state": "present", "version": "6.3.1.0"},
    {"path": rf"{FOLDER}\ETS6C.exe", "state": "missing"},
    {"path": rf"{FOLDER}\Other.exe", "state": "present", "version": "1.0"},
]
HOST = {
    "name": "PC-1",
    "os": "10.0.22631",
    "edition": "Professional",
    "release": "23H2",
    "revision": "4460",
}


def facts_of(domain: Any = None, **record: Any) -> dict[str, Any]:
    values = {} if domain is None else {"Domain": ["REG_SZ", domain]}
    registry = {facts.TCPIP: {"state": "present", "values": values, "keys": []}}
    kinds = {name: record.pop(name) for name in ("offline", "vantage") if name in record}
    wire = {"version": 1, "host": HOST, "files": FILES, "registry": registry, **record}
    return facts.facts_of(Snapshot.from_wire(wire, **kinds), Policy())


def test_a_pc_has_windows_ets6_domain_addresses_and_profiles() -> None:
    found = facts_of("corp.example", addresses=["192.0.2.7"], network=["private"])
    assert found == {
        "kind": "pc",
        "collection": VERSION,
        "name": "PC-1",
        "edition": "Professional 23H2",
        "windows": "10.0.22631.4460",
        "programs": [{"path": rf"{FOLDER}\ETS6N.exe", "version": "6.3.1.0"}],
        "domain": "corp.example",
        "addresses": ["192.0.2.7"],
        "profiles": ["private"],
    }


def test_without_a_domain_it_is_empty_and_unread_it_is_left_out() -> None:
    assert facts_of()["domain"] == ""
    unreadable = {facts.TCPIP: {"state": "unreadable", "error": "Access is denied."}}
    assert "domain" not in facts_of(registry=unreadable)
    assert not {"addresses", "profiles"} & set(facts_of())


def test_an_older_windows_has_no_release_and_an_image_no_revision() -> None:
    host = {"name": "x", "os": "10.0.17763", "edition": "EnterpriseS", "release": ""}
    found = facts_of(host=host, offline=True)
    assert (found["kind"], found["edition"], found["windows"]) == (
        "image",
        "EnterpriseS",
        "10.0.17763",
    )


def test_a_probing_host_has_no_windows() -> None:
    assert facts_of(vantage=True) == {"kind": "probing_host", "collection": VERSION}


def test_what_a_host_sends_is_bounded_printable_text() -> None:
    host = {"name": "\x1b[2J" + "x" * 100, "os": "", "edition": "", "revision": "x" * 9}
    found = facts_of(host=host, addresses=["1"] * 1_000)
    assert not found.get("windows")
    assert "edition" not in found
    assert found["name"].isprintable()
    assert len(found["addresses"]) == facts.MAX_ITEMS


def test_the_request_names_what_is_read() -> None:
    assert facts.request(Policy()) == {"registry": [{"path": facts.TCPIP, "depth": 0}]}


def test_the_host_of_an_image_is_read() -> None:
    host = {"name": "x", "os": "10.0.22631", "edition": "Education", "powershell": None}
    found = facts_of(host={**host, "control_sets": ["ControlSet001"]}, offline=True)
    assert (found.get("edition"), found.get("windows")) == ("Education", "10.0.22631")
