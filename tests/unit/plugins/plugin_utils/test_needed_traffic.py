# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_needed_traffic."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.policy.needed_traffic import (
    NeededTraffic,
    parse_needed_traffic,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.parsing import NotAcceptedError

ENTRY = {"name": "own routing", "direction": "In", "protocol": "UDP", "ports": [3672, "3680-3690"]}


def test_an_entry_is_read() -> None:
    assert parse_needed_traffic([ENTRY]) == (
        NeededTraffic("own routing", "in", "UDP", ((3672, 3672), (3680, 3690))),
    )
    narrow = parse_needed_traffic([{**ENTRY, "addresses": ["10.1.0.0/16"]}])
    assert narrow[0].addresses == ("10.1.0.0/16",)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x", "a list of dictionaries is expected"),
        ([{**ENTRY, "port": 1}], "entry 1: 'port' is not accepted"),
        ([{**ENTRY, "name": "a|b"}], "entry 1.name: 'a|b' is not accepted"),
        (
            [{**ENTRY, "direction": "both"}],
            "entry 1.direction: 'both' is not accepted; accepted are in, out",
        ),
        ([{**ENTRY, "protocol": "icmp"}], "entry 1.protocol"),
        ([{**ENTRY, "ports": []}], "entry 1.ports: the list is empty"),
        ([{**ENTRY, "ports": [0]}], "a port from 1 to 65535"),
        ([{**ENTRY, "ports": [True]}], "a port from 1 to 65535"),
        ([{**ENTRY, "ports": ["9-5"]}], "a port from 1 to 65535"),
        ([{**ENTRY, "addresses": ["LocalSubnet"]}], "an address, a network or a range"),
        ([ENTRY, ENTRY], "entry 2.name: another entry has the same name"),
    ],
)
def test_what_is_refused_is_named(value: Any, problem: str) -> None:
    with pytest.raises(NotAcceptedError) as caught:
        parse_needed_traffic(value)
    assert problem in str(caught.value)
