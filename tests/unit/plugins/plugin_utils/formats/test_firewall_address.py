# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Addresses on one line, IPv4 first."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_address import (
    ALL_V4,
    ALL_V6,
    V6_START,
    show_span,
    span,
)
from hypothesis import given
from hypothesis import strategies as st

networks = st.ip_addresses().flatmap(
    lambda address: (
        st.integers(1, address.max_prefixlen).map(
            lambda length: ipaddress.ip_network((int(address), length), strict=False)
        )
        if address.version == 4
        else st.integers(1, 128).map(
            lambda length: ipaddress.IPv6Network((int(address), length), strict=False)
        )
    )
)


@given(networks)
def test_a_network_is_its_first_and_last_address(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    zero = 0 if network.version == 4 else V6_START
    assert span(str(network)) == (zero + int(network[0]), zero + int(network[-1]))


@given(networks)
def test_what_is_shown_means_the_same(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    assert span(show_span(span(str(network)))) == span(str(network))


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_a_range_means_the_same_when_shown(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    first, last = sorted((one, other))
    if (int(first), int(last)) != ALL_V4:
        assert (
            span(show_span((int(first), int(last))))
            == span(f"{first}-{last}")
            == (int(first), int(last))
        )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.168.1.20/24", "192.168.1.0/24"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.0.0.0-10.255.255.255", "10.0.0.0/8"),
        ("10.0.0.5-10.0.0.9", "10.0.0.5-10.0.0.9"),
        ("10.0.0.5/32", "10.0.0.5"),
        ("FE80:0::1", "fe80::1"),
        ("::/0", "IPv6"),
        ("0.0.0.0-255.255.255.255", "IPv4"),
    ],
)
def test_the_shortest_spelling(text: str, shown: str) -> None:
    assert show_span(span(text)) == shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not an address"),
        ("10.0.0", "'10.0.0' is not an address"),
        ("010.0.0.1", "is not an address"),
        ("10.0.0.0/", "/ is not a prefix length from 0 to 32 and not a mask"),
        ("10.0.0.0/0.255.255.255", "not a mask"),
        ("10.0.0.0/\u0668", "not a prefix length from 0 to 32"),
        ("fd00::/129", "not a prefix length from 0 to 128"),
        ("fd00::/255.0.0.0", "not a prefix length from 0 to 128"),
        ("10.0.0.9-10.0.0.1", "ends before it begins"),
        ("10.0.0.1-fd00::1", "mixes IPv4 and IPv6"),
        ("fe80::1%4", "names an interface"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        span(text)


def test_the_families_meet_nowhere() -> None:
    assert ALL_V4[1] + 1 == ALL_V6[0]
