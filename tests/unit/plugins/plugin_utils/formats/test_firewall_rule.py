# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Firewall rule strings: every byte kept, every meaning read, every fault named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_rule import (
    KNOWN_TOKENS,
    Action,
    Direction,
    Restriction,
    Rule,
    RuleError,
    compose,
)
from ansible_collections.ets6.network.plugins.plugin_utils.operations import FirewallRule
from hypothesis import given
from hypothesis import strategies as st

PROMPT = r"v2.33|Action=Block|Active=TRUE|Dir=In|Protocol=6|Profile=Public|App=C:\program files\x\x.exe|Name=X|Desc=X|Defer=User|"


def parse(text: str) -> Rule:
    return Rule.parse("an id", text)


def test_a_prompt_rule() -> None:
    rule = parse(PROMPT)
    assert (rule.version, rule.action, rule.direction, rule.active) == (
        0x0221,
        Action.BLOCK,
        Direction.IN,
        True,
    )
    assert (rule.protocol, rule.profiles, rule.app, rule.name) == (
        6,
        frozenset({"public"}),
        r"C:\program files\x\x.exe",
        "X",
    )
    assert rule.write() == PROMPT


def test_what_is_absent_has_windows_meaning() -> None:
    rule = parse("v2.0|Action=Allow|Dir=Out|")
    assert not rule.active
    assert rule.protocol is None
    assert rule.profiles == {"domain", "private", "public"}
    assert not rule.remote_addresses
    assert not rule.local_ports
    assert rule.name == "an id"


def test_letter_case_counts_nowhere_and_stays() -> None:
    text = "V2.0|ACTION=allow|DIR=in|Active=true|LPORT=68|Protocol=UDP|profile=PRIVATE|app=%windir%\\a.exe|"
    rule = parse(text)
    assert (rule.action, rule.active, rule.protocol, rule.profiles) == (
        Action.ALLOW,
        True,
        17,
        frozenset({"private"}),
    )
    assert rule.local_ports == Restriction(((68, 68),))
    assert rule.app == r"%windir%\a.exe"
    assert rule.write() == text


def test_ports() -> None:
    rule = parse(
        "v2.30|Action=Allow|Dir=In|Protocol=6|LPort=554|LPort=RPC|LPort2_10=8554-8558|LPort2_24=mDNS|RPort=1,5-6|"
    )
    assert rule.local_ports == Restriction(((554, 554), (8554, 8558)), (("", "RPC"), ("", "mDNS")))
    assert rule.remote_ports == Restriction(((1, 1), (5, 6)))


def test_addresses_of_both_families_lie_on_one_line() -> None:
    rule = parse(
        "v2.30|Action=Allow|Dir=In|RA4=10.0.0.0/255.0.0.0|RA4=LocalSubnet|RA6=LocalSubnet|RA6=fe80::/64|RA42=IntrAnet|LA4=192.168.1.5|"
    )
    six = 1 << 32
    low = int("fe80", 16) << 112
    assert rule.remote_addresses.spans == (
        (10 << 24, (11 << 24) - 1),
        (six + low, six + low + (1 << 64) - 1),
    )
    assert rule.remote_addresses.words == (
        ("IPv4", "LocalSubnet"),
        ("IPv6", "LocalSubnet"),
        ("IPv4", "IntrAnet"),
    )
    assert rule.local_addresses.spans == ((0xC0A80105, 0xC0A80105),)


def test_unknown_tokens_are_kept_and_known_as_such() -> None:
    text = "v2.44|Action=Allow|Dir=In|Zz9=new|Name=a=b|zz9=|"
    rule = parse(text)
    assert rule.unknown == (("Zz9", "new"), ("zz9", ""))
    assert rule.name == "a=b"
    assert rule.write() == text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "begins with ''"),
        ("rubbish", "begins with 'rubbish'"),
        ("v2.999|Action=Allow|Dir=In|", "'v2.999'"),
        ("v2.30", "does not end with |"),
        ("v2.30|", "no token Action"),
        ("v2.30|Action=Allow|Dir=In", "does not end with |, after 'Dir=In'"),
        ("v2.30|Action=Allow||Dir=In|", "token '' has no ="),
        ("v2.30|Action=Allow|Dir=In|Name|", "token 'Name' has no ="),
        ("v2.30|Dir=In|", "no token Action"),
        ("v2.30|Action=Allow|", "no token Dir"),
        (
            "v2.30|Action=Deny|Dir=In|",
            "token Action has the value 'Deny'; known are allow, block, bypass",
        ),
        ("v2.30|Action=Allow|Dir=Up|", "token Dir has the value 'Up'"),
        ("v2.30|Action=Allow|Dir=In|Active=1|", "token Active has the value '1'"),
        ("v2.30|Action=Allow|Action=Block|Dir=In|", "token Action is there twice"),
        ("v2.30|Action=Allow|Dir=In|Profile=Work|", "token Profile has the value 'Work'"),
        ("v2.30|Action=Allow|Dir=In|Protocol=256|", "token Protocol has the value '256'"),
        ("v2.30|Action=Allow|Dir=In|Protocol=\u0661|", "token Protocol"),
        ("v2.30|Action=Allow|Dir=In|LPort=70000|", "token LPort has the value '70000'"),
        ("v2.30|Action=Allow|Dir=In|RPort2_10=9-5|", "token RPort2_10 has the value '9-5'"),
        ("v2.30|Action=Allow|Dir=In|LPort=|", "token LPort has the value ''"),
        ("v2.30|Action=Allow|Dir=In|RA4=10.0.0.0/33|", "token RA4 has the value '10.0.0.0/33'"),
        ("v2.30|Action=Allow|Dir=In|RA4=10.0.0.0/255.0.255.0|", "token RA4"),
        (
            "v2.30|Action=Allow|Dir=In|RA4=fe80::1|",
            "token RA4 has the value 'fe80::1': it is not an IPv4 address",
        ),
        (
            "v2.30|Action=Allow|Dir=In|RA6=10.0.0.1|",
            "token RA6 has the value '10.0.0.1': it is not an IPv6 address",
        ),
        ("v2.30|Action=Allow|Dir=In|LA6=fe80::9-fe80::1|", "the range ends before it begins"),
        (
            "v2.30|Action=Allow|Dir=In|Edge=maybe|",
            "token Edge has the value 'maybe': not TRUE or FALSE",
        ),
    ],
)
def test_a_fault_is_named_by_rule_and_token(text: str, named: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert str(caught.value).startswith("firewall rule 'an id': ")
    assert named in str(caught.value)


def test_a_message_is_bounded_and_printable() -> None:
    with pytest.raises(RuleError) as caught:
        Rule.parse("x" * 10_000 + "\x1b[2J", "v2.30|" + "\x07" * 10_000)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


values = st.text(st.characters(exclude_characters="|", codec="utf-8"), max_size=30)
names = st.text(st.characters(exclude_characters="|=", codec="utf-8"), max_size=12)
addresses4 = st.ip_addresses(v=4).map(str) | st.sampled_from(
    ["10.0.0.0/8", "10.0.0.0/255.255.0.0", "LocalSubnet", "DNS", "10.0.0.1-10.0.0.9"]
)
addresses6 = st.ip_addresses(v=6).map(str) | st.sampled_from(
    ["fe80::/64", "LocalSubnet", "fd00::1-fd00::9"]
)
ports = st.integers(0, 65535).map(str) | st.sampled_from(
    ["RPC", "RPC-EPMap", "mDNS", "5000-5020", "IPTLSIn"]
)
tokens = (
    st.tuples(
        st.sampled_from(["Profile", "profile"]),
        st.sampled_from(["Domain", "Private", "Public", "PUBLIC"]),
    )
    | st.tuples(st.sampled_from(["RA4", "la4"]), addresses4)
    | st.tuples(st.sampled_from(["RA6", "LA6"]), addresses6)
    | st.tuples(st.sampled_from(["LPort", "RPort", "LPort2_10", "rport2_10"]), ports)
    | st.tuples(st.sampled_from(["Edge", "LSM", "pcross"]), st.sampled_from(["TRUE", "false"]))
    | st.tuples(
        st.sampled_from(["Name", "Desc", "EmbedCtxt", "LUOwn", "IF", "ICMP4", "TTK2_27"]), values
    )
    | st.tuples(names.filter(lambda name: name.lower() not in KNOWN_TOKENS), values)
)


@given(
    st.sampled_from(["v2.10", "V2.0", "v2.33", "v255.255"]),
    st.sampled_from(["Allow", "Block", "ByPass", "BLOCK"]),
    st.sampled_from(["In", "Out", "in"]),
    st.lists(tokens, max_size=12),
    st.randoms(use_true_random=False),
)
def test_what_follows_the_grammar_comes_back_byte_for_byte(
    head: str, action: str, way: str, more: list[tuple[str, str]], random: Any
) -> None:
    parts = [("Action", action), ("dir", way), *more]
    random.shuffle(parts)
    text = "|".join([head, *(f"{name}={value}" for name, value in parts), ""])
    rule = parse(text)
    assert rule.write() == text
    assert parse(rule.write()) == rule
    # Every meaning can be asked for without an error.
    assert rule.profiles
    assert all(
        first <= last for first, last in (*rule.remote_addresses.spans, *rule.local_ports.spans)
    )


@given(st.text(max_size=200) | st.lists(st.text(max_size=10)).map("|".join).map("v2.30|{}|".format))
def test_anything_else_is_a_rule_or_a_rule_error(text: str) -> None:
    try:
        rule = parse(text)
    except RuleError:
        return
    assert rule.write() == text


def wanted(**changes: Any) -> FirewallRule:
    fields: dict[str, Any] = {
        "id": "ETS6-ETS6N-TCP-In",
        "display_name": "KNX ETS6: ETS6N.exe",
        "description": "made",
        "group": "KNX ETS6",
        "program": r"C:\Program Files (x86)\ETS6\ETS6N.exe",
        "direction": "Inbound",
        "protocol": "TCP",
        "profiles": ("Domain", "Private"),
    }
    return FirewallRule(**{**fields, **changes})


def test_compose_writes_as_windows_does() -> None:
    assert compose(wanted(), 0x0221) == (
        r"v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private"
        r"|App=C:\Program Files (x86)\ETS6\ETS6N.exe|Name=KNX ETS6: ETS6N.exe|Desc=made|EmbedCtxt=KNX ETS6|"
    )


def test_compose_splits_remote_addresses_by_family() -> None:
    rule = wanted(
        direction="Outbound",
        protocol="UDP",
        description="",
        group="",
        remote_addresses=(
            "LocalSubnet",
            "fd00::/8",
            "192.168.1.0/24",
            "10.0.0.5-10.0.0.9",
            "172.16.0.1",
            "LocalSubnet6",
            "Intranet",
        ),
    )
    assert compose(rule, 0x020A) == (
        "v2.10|Action=Allow|Active=TRUE|Dir=Out|Protocol=17|Profile=Domain|Profile=Private"
        "|RA4=LocalSubnet|RA4=192.168.1.0/255.255.255.0|RA4=10.0.0.5-10.0.0.9|RA4=172.16.0.1|RA6=LocalSubnet|RA6=fd00::/8"
        r"|RA42=IntrAnet|RA62=IntrAnet|App=C:\Program Files (x86)\ETS6\ETS6N.exe|Name=KNX ETS6: ETS6N.exe|"
    )


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("LocalSubnet", "RA4=LocalSubnet|RA6=LocalSubnet"),
        ("DNS", "RA4=DNS|RA6=DNS"),
        ("DHCP", "RA4=DHCP|RA6=DHCP"),
        ("WINS", "RA4=WINS|RA6=WINS"),
        ("DefaultGateway", "RA4=DefaultGateway|RA6=DefaultGateway"),
        ("Internet", "RA42=IntErnet|RA62=IntErnet"),
        ("Intranet", "RA42=IntrAnet|RA62=IntrAnet"),
        ("IntranetRemoteAccess", "RA42=RmtIntrAnet|RA62=RmtIntrAnet"),
        ("PlayToDevice", "RA42=Ply2Renders|RA62=Ply2Renders"),
        ("DefaultGateway4", "RA4=DefaultGateway"),
        ("Internet6", "RA62=IntErnet"),
    ],
)
def test_compose_writes_the_words_of_the_grammar(word: str, written: str) -> None:
    assert f"|Profile=Private|{written}|App=" in compose(wanted(remote_addresses=(word,)), 0x021E)


@pytest.mark.parametrize(
    ("version", "head"),
    [(None, "v2.10"), (0x021E, "v2.30"), (0, "v2.10"), (0x0301, "v2.10"), (0xFFFF0221, "v2.10")],
)
def test_compose_takes_a_version_that_the_store_knows(version: int | None, head: str) -> None:
    assert compose(wanted(), version).startswith(f"{head}|")


def test_what_compose_writes_can_be_read() -> None:
    rule = Rule.parse("an id", compose(wanted(remote_addresses=("fd00::/8",)), 0x021E))
    assert (rule.active, rule.profiles, rule.group) == (
        True,
        frozenset({"domain", "private"}),
        "KNX ETS6",
    )
    assert not rule.unknown
