# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The lab's PCs, each with its own trouble, and what is expected to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.lab import rules
from tests.lab.network import Network
from tests.lab.pc import FOLDER, GROUP_POLICY, POLICY, PROGRAMS, Pc

OLD_FOLDER = r"C:\Program Files\ETS6"


@dataclass
class Member:
    """One PC of the fleet. trouble says what is wrong; before and after are the host's expected statuses in report.json.

    because names a control and its status after the run, which is the point of this PC. variables are the PC's host variables.
    transport is Ansible's connection to it: winrm, psrp or ssh.
    """

    pc: Pc
    trouble: str
    before: str
    after: str
    because: tuple[str, str]
    variables: dict[str, Any] = field(default_factory=dict)
    https: bool = False
    away: bool = False
    fault: str = ""
    dialect: str = ""
    transport: str = "winrm"


def members(network: Network) -> list[Member]:
    """Return all PCs that the main job names."""
    return [build(network) for build in BUILDERS]


def compliant(name: str, network: Network) -> Member:
    """Return a PC on which nothing is wrong: as many of them as a bench wants."""
    pc = Pc(name)
    pc.allow_all()
    return Member(
        pc, "already right", "pass", "pass", ("firewall.inbound.ets6n.tcp", "pass"), _reach(network)
    )


def drifted(name: str, network: Network) -> Member:
    """Return a PC that lacks its rules."""
    return Member(
        Pc(name),
        "never started ETS6",
        "would_fix",
        "fixed",
        ("firewall.rule.ets6n.tcp", "fixed"),
        _reach(network),
    )


def _reach(network: Network, **changes: str) -> dict[str, Any]:
    return {"ets6_network_endpoints": network.endpoints(**changes)}


def _never_started(network: Network) -> Member:
    return drifted("pc-never-started", network)


def _blocked(name: str) -> Pc:
    pc = Pc(name)
    for program in PROGRAMS:
        for protocol in ("TCP", "UDP"):
            pc.rule(rules.prompt_block(rf"{FOLDER}\{program}.exe", protocol, ("Private", "Public")))
    return pc


def nothing_right(name: str, network: Network) -> Member:
    """Return a PC that lacks its rules, has the prompt's in their place, and another proxy everywhere than the one that is wanted."""
    pc = _blocked(name)
    pc.winhttp_proxy("old-proxy.example:8080")
    pc.user_proxy(3, "old-proxy.example:8080", "<local>")
    proxy = {
        "mode": "named",
        "server": network.proxy.address,
        "bypass": ["<local>", "*.example.com"],
        "scope": "users",
    }
    variables = {**_reach(network), "ets6_network_proxy": proxy}
    return Member(
        pc, "nothing is right", "would_fix", "fixed", ("firewall.prompt_blocks", "fixed"), variables
    )


def _prompt_cancelled(network: Network) -> Member:
    because = ("firewall.prompt_blocks", "fixed")
    pc = _blocked("pc-prompt-cancelled")
    return Member(
        pc,
        "a prompt was cancelled months ago",
        "would_fix",
        "fixed",
        because,
        _reach(network),
        https=True,
    )


def _already_right(network: Network) -> Member:
    return compliant("pc-already-right", network)


def _old_path(network: Network) -> Member:
    pc = Pc("pc-old-path")
    pc.allow_all(OLD_FOLDER)
    return Member(
        pc,
        "rules name the old folder",
        "would_fix",
        "fixed",
        ("firewall.rule.ets6c.udp", "fixed"),
        _reach(network),
    )


def _deliberate_block(network: Network) -> Member:
    pc = Pc("pc-deliberate-block")
    pc.allow_all()
    block = (
        rf"v2.32|Action=Block|Active=TRUE|Dir=In|Protocol=6|App={FOLDER}\ETS6N.exe|Name=IT: no ETS|"
    )
    pc.rule(("{7B1C5A44-8B1F-4B7A-9B0E-1F6B3B6E2C11}", block))
    because = ("firewall.deliberate_blocks", "fail")
    return Member(
        pc,
        "an administrator blocks ETS6 on purpose",
        "fail",
        "fail",
        because,
        _reach(network),
        https=True,
    )


def _policy_ignores_local(network: Network) -> Member:
    pc = Pc("pc-policy-ignores-local")
    pc.allow_all()
    pc.set(GROUP_POLICY + r"\PrivateProfile", AllowLocalPolicyMerge=["REG_DWORD", 0])
    pc.state["modify_state"] = 1
    because = ("firewall.inbound.ets6n.udp", "fail")
    return Member(pc, "Group Policy ignores local rules", "fail", "fail", because, _reach(network))


def _public_profile(network: Network) -> Member:
    pc = Pc("pc-public-profile")
    pc.allow_all()
    pc.state["network"] = ["public"]
    pc.state["networks"][0]["category"] = "public"
    because = ("firewall.active_profile", "fail")
    return Member(
        pc,
        "a network that is public, and rules that are not for it",
        "fail",
        "fail",
        because,
        _reach(network),
        https=True,
    )


def _outbound_blocked(network: Network) -> Member:
    pc = Pc("pc-outbound-blocked")
    pc.allow_all()
    for profile in ("DomainProfile", "StandardProfile", "PublicProfile"):
        pc.set(rf"{POLICY}\{profile}", DefaultOutboundAction=["REG_DWORD", 1])
    because = ("firewall.outbound.ets6n.tcp", "fixed")
    return Member(
        pc, "outbound traffic is blocked by default", "would_fix", "fixed", because, _reach(network)
    )


def _proxy_half(network: Network) -> Member:
    pc = Pc("pc-proxy-half")
    pc.allow_all()
    pc.winhttp_proxy(network.proxy.address)
    pc.user_proxy(3, "old-proxy.example:8080")
    variables = {
        **_reach(network),
        "ets6_network_proxy": {"mode": "named", "server": network.proxy.address, "scope": "users"},
    }
    because = ("proxy.wininet", "fixed")
    return Member(
        pc,
        "right proxy for services, wrong one for ETS6",
        "would_fix",
        "fixed",
        because,
        variables,
        https=True,
    )


def _proxy_login(network: Network) -> Member:
    pc = Pc("pc-proxy-login")
    pc.allow_all()
    pc.user_proxy(3, network.negotiate_proxy.address)
    return Member(
        pc,
        "the proxy asks for a Windows login",
        "unknown",
        "unknown",
        ("proxy.login", "pass"),
        _reach(network),
    )


def _proxy_basic(network: Network) -> Member:
    pc = Pc("pc-proxy-basic")
    pc.allow_all()
    pc.machine_proxy(network.basic_proxy.address)
    return Member(
        pc,
        "the proxy offers Basic only",
        "fail",
        "fail",
        ("proxy.login", "fail"),
        _reach(network),
        https=True,
    )


def _intercepted(network: Network) -> Member:
    pc = Pc("pc-intercepted")
    pc.allow_all()
    because = ("reach.interception", "fail")
    return Member(
        pc,
        "a firewall opens TLS",
        "fail",
        "fail",
        because,
        _reach(network, https=network.inspected.address),
    )


def _endpoint_down(network: Network) -> Member:
    pc = Pc("pc-endpoint-down")
    pc.allow_all()
    because = ("reach.cloud_licensing", "fail")
    return Member(
        pc,
        "one endpoint is down",
        "fail",
        "fail",
        because,
        _reach(network, down="cloud_licensing"),
        https=True,
    )


def _not_installed(network: Network) -> Member:
    pc = Pc("pc-not-installed")
    pc.uninstall()
    return Member(
        pc, "ETS6 is not installed", "fail", "fail", ("firewall.programs", "fail"), _reach(network)
    )


def _unreachable(network: Network) -> Member:
    pc = Pc("pc-unreachable")
    because = ("firewall.programs", "unknown")
    return Member(
        pc, "switched off", "unreachable", "unreachable", because, _reach(network), away=True
    )


def _broken_winrm(network: Network) -> Member:
    pc = Pc("pc-prints-rubbish")
    because = ("firewall.programs", "unknown")
    return Member(
        pc,
        "its answers are rubbish",
        "unknown",
        "unknown",
        because,
        _reach(network),
        fault="prints rubbish",
    )


def _block_list(network: Network) -> Member:
    """Return a PC with a block list and hardening rules, none of which concerns ETS6."""
    pc = Pc("pc-block-list")
    pc.allow_all()
    pc.rule(rules.block_list("{9D2A6E10-0F4B-4D0C-8E55-51B8B2C5A901}", 249))
    remote_desktop = "v2.32|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=3389|Name=Block RDP|"
    pc.rule(("{9D2A6E10-0F4B-4D0C-8E55-51B8B2C5A902}", remote_desktop))
    because = ("firewall.deliberate_blocks", "pass")
    trouble = "a list of blocked internet addresses, which is no harm to ETS6"
    return Member(pc, trouble, "pass", "pass", because, _reach(network))


def _domain_isolation(network: Network) -> Member:
    pc = Pc("pc-domain-isolation")
    pc.allow_all()
    isolation = "v2.32|Action=SecureServer|Active=TRUE|Name=Isolation|Auth1Set={1}|Crypto2Set={2}|"
    pc.set(GROUP_POLICY + r"\ConSecRules", isolation=["REG_SZ", isolation])
    because = ("firewall.inbound.ets6n.udp", "fail")
    trouble = "domain isolation asks KNX devices for IPsec"
    return Member(pc, trouble, "fail", "fail", because, _reach(network))


def _intune_only(network: Network) -> Member:
    """Return a PC whose MDM policy allows both programs, and ignores local rules."""
    pc = Pc("pc-intune-only")
    pc.allow_all()
    for profile in ("DomainProfile", "StandardProfile"):
        pc.set(rf"{POLICY}\Mdm\{profile}", AllowLocalPolicyMerge=["REG_DWORD", 0])
    for program in PROGRAMS:
        allow = rf"v2.32|Action=Allow|Active=TRUE|Dir=In|App={FOLDER}\{program}.exe|Name=ETS6|"
        pc.set(rf"{POLICY}\Mdm\FirewallRules", **{program: ["REG_SZ", allow]})
    because = ("firewall.inbound.ets6n.udp", "pass")
    trouble = "only the rules of Intune count, and they allow ETS6"
    return Member(pc, trouble, "pass", "pass", because, _reach(network))


def _several_adapters(network: Network) -> Member:
    pc = Pc("pc-several-adapters")
    pc.allow_all()
    pc.state["network"] = ["private", "public"]
    pc.state["networks"].append(
        {
            "interface": "Ethernet 2",
            "index": 9,
            "name": "Unidentified network",
            "category": "public",
        }
    )
    because = ("firewall.active_profile", "fail")
    trouble = "a second adapter without a gateway, whose network is public"
    return Member(pc, trouble, "fail", "fail", because, _reach(network))


BUILDERS: tuple[Callable[[Network], Member], ...] = (
    _never_started,
    _prompt_cancelled,
    _already_right,
    _old_path,
    _deliberate_block,
    _policy_ignores_local,
    _public_profile,
    _outbound_blocked,
    _proxy_half,
    _proxy_login,
    _proxy_basic,
    _intercepted,
    _endpoint_down,
    _not_installed,
    _unreachable,
    _broken_winrm,
    _block_list,
    _domain_isolation,
    _intune_only,
    _several_adapters,
)
ANSWERED_BY_SCRIPT = {
    "pc-never-started": "",
    "pc-prompt-cancelled": "5.1",
    "pc-already-right": "5.1",
    "pc-proxy-half": "",
}
"""PCs that answer with the real script where there is a PowerShell, and in which dialect."""
