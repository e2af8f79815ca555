# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The variable ets6_network_remote_addresses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.policy.addresses import (
    parse_remote_address,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.parsing import NotAcceptedError


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("192.168.1.20", "192.168.1.20"),
        (" 192.168.1.0/24 ", "192.168.1.0/24"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.0.0.5-10.0.0.99", "10.0.0.5-10.0.0.99"),
        ("FD00::7", "fd00::7"),
        ("fd00::/8", "fd00::/8"),
        ("fd00::1-fd00::ff", "fd00::1-fd00::ff"),
        ("localsubnet", "LocalSubnet"),
        ("LOCALSUBNET6", "LocalSubnet6"),
        ("defaultgateway", "DefaultGateway"),
        ("Intranet", "Intranet"),
        ("dns4", "DNS4"),
        ("playtodevice6", "PlayToDevice6"),
    ],
)
def test_what_is_accepted_is_brought_to_one_spelling(given: str, taken: str) -> None:
    assert parse_remote_address(given) == taken


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (7, "7 is not accepted"),
        (None, "None is not accepted"),
        ("", "'' is not an address"),
        ("any", "leave the list empty"),
        ("*", "leave the list empty"),
        ("0.0.0.0/0", "it is every address"),
        ("::/0", "it is every address"),
        ("192.168.1.20/24", "the network is 192.168.1.0/24, the single PC is 192.168.1.20"),
        ("fd00::7/64", "the network is fd00::/64, the single PC is fd00::7"),
        ("192.168.1.0/33", "not a prefix length"),
        ("224.0.23.12", "multicast"),
        ("ff02::1", "multicast"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("10.0.0.0-200.0.0.0", "loopback"),
        ("knx.example", "'knx.example' is not an address"),
        ("10.0.0.1, 10.0.0.2", "is not an address"),
        ("10.0.0.1|RA4=LocalSubnet", "is not an address"),
    ],
)
def test_what_is_refused_is_named(given: Any, problem: str) -> None:
    with pytest.raises(NotAcceptedError) as caught:
        parse_remote_address(given)
    assert problem in str(caught.value)
    assert repr(given) in str(caught.value)
