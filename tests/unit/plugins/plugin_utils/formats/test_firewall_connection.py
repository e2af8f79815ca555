# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Connection security rules: what they ask for, and which faults they have."""

from __future__ import annotations

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_connection import (
    ConnectionRule,
    Protection,
)
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_rule import (
    Restriction,
    RuleError,
)

RULE = (
    "v2.33|Action=SecureServer|Name=Auth|Desc=|Active=TRUE|Protocol=6|Profile=Domain|EP1Port=445|"
    "EP2_4=10.0.0.0/8|EP2_4=LocalSubnet|Auth1Set={1}|Crypto2Set={2}|"
)


def test_a_rule_is_read() -> None:
    rule = ConnectionRule.parse("auth", RULE)
    assert (rule.protection, rule.active, rule.protocol) == (Protection.REQUIRE_INBOUND, True, 6)
    assert (rule.name, rule.profiles) == ("Auth", frozenset({"domain"}))
    assert rule.ports(1) == Restriction(((445, 445),))
    assert rule.addresses(2).words == (("IPv4", "LocalSubnet"),)
    assert not rule.addresses(1)
    assert (rule.requires_inbound, rule.requires_outbound, rule.unknown) == (True, False, ())


@pytest.mark.parametrize(
    ("action", "inbound", "outbound"),
    [
        ("Secure", True, True),
        ("Boundary", False, False),
        ("DoNotSecure", False, False),
        ("secureserver", True, False),
    ],
)
def test_what_an_action_requires(action: str, inbound: bool, outbound: bool) -> None:
    rule = ConnectionRule.parse("x", f"v2.30|Action={action}|Active=TRUE|")
    assert (rule.requires_inbound, rule.requires_outbound) == (inbound, outbound)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "begins with ''"),
        ("v2.30|Active=TRUE|", "token Action has the value ''"),
        ("v2.30|Action=Allow|Active=TRUE|", "known are SecureServer, Boundary, Secure and"),
        ("v2.30|Action=Secure|Active=1|", "token Active has the value '1'"),
        ("v2.30|Action=Secure|EP2_4=fe80::1|", "an endpoint cannot be read"),
        ("v2.30|Action=Secure|EP1Port=x y|", "an endpoint cannot be read"),
    ],
)
def test_a_fault_is_named(text: str, named: str) -> None:
    with pytest.raises(RuleError) as caught:
        ConnectionRule.parse("x", text)
    assert named in str(caught.value)
