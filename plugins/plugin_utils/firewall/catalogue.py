# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's controls: what is checked, why, and what would be done."""

from __future__ import annotations

from ..finding import Control, Severity
from ..policy import Policy

PROTOCOLS = ("TCP", "UDP")


def stem(program: str) -> str:
    """Return a program's file name without .exe, as it stands in control ids."""
    return program[: -len(".exe")].lower()


def programs(_policy: Policy) -> Control:
    """Whether the programs are where rules can name them."""
    return Control(
        "firewall.programs",
        "ETS6's programs are found",
        Severity.HIGH,
        "A rule of Windows Defender Firewall holds for one path. Where ETS6 stands elsewhere, or not at all, rules do nothing.",
        "Install ETS6, or name its folder in ets6_network_paths.",
    )


def rule(program: str, protocol: str) -> Control:
    """Whether the own inbound rule is there and as it should be."""
    return Control(
        f"firewall.rule.{stem(program)}.{protocol.lower()}",
        f"Own rule: {program} may receive {protocol}",
        Severity.HIGH,
        "The vendor asks for four rules, TCP and UDP, for ETS6N.exe and ETS6C.exe (KNX support article 4403452514066).",
        "Creates the rule, mends it where a field differs, points it to where ETS6 stands.",
    )


def prompt_blocks(_policy: Policy) -> Control:
    """Whether cancelled prompts of Windows left rules that block ETS6."""
    return Control(
        "firewall.prompt_blocks",
        "No block left by a prompt of Windows",
        Severity.HIGH,
        "Who cancels the firewall's prompt, or may not answer it, gets rules that block ETS6, and a block wins over every allow.",
        "Removes these rules, unless ets6_network_blocks is none.",
    )


def deliberate_blocks(_policy: Policy) -> Control:
    """Whether somebody blocks ETS6 on purpose."""
    return Control(
        "firewall.deliberate_blocks",
        "No other rule blocks ETS6",
        Severity.HIGH,
        "A block that no prompt made was made by somebody on purpose. It wins over every allow.",
        "Removes rules of the local store that name ETS6's programs, only where ets6_network_blocks is all.",
    )


def inbound(program: str, protocol: str) -> Control:
    """What Windows really does with traffic that comes in."""
    return Control(
        f"firewall.inbound.{stem(program)}.{protocol.lower()}",
        f"{program} receives {protocol}",
        Severity.HIGH,
        "Answers of KNX devices and KNX IoT traffic come unasked for, over IPv4 and IPv6. Rules and settings of all stores are "
        "taken together, as Windows does it. Asked about are the ports that ETS6 may listen on, 1024 and above.",
        "What would change it stands in the finding.",
    )


def outbound(program: str, protocol: str) -> Control:
    """What Windows really does with traffic that goes out."""
    return Control(
        f"firewall.outbound.{stem(program)}.{protocol.lower()}",
        f"{program} may send {protocol}",
        Severity.HIGH,
        "Without it ETS6 reaches neither KNX devices nor the vendor's servers. Rules and settings of all stores are taken "
        "together, as Windows does it. Asked about are the ports that ETS6 may need: 80, 443, and 1024 and above.",
        "Creates an allow rule where the default blocks (ets6_network_outbound: auto) or in any case (always).",
    )


def active_profile(_policy: Policy) -> Control:
    """Whether the network that the PC is in now is covered."""
    return Control(
        "firewall.active_profile",
        "ETS6 works in the network of now",
        Severity.MEDIUM,
        "Windows applies other rules in a public network. A notebook on a building site is often in one.",
        "Add the profile to ets6_network_profiles, or have Windows treat the network as private.",
    )


def in_charge(_policy: Policy) -> Control:
    """Whether it is Windows Defender Firewall that decides."""
    return Control(
        "firewall.in_charge",
        "Windows Defender Firewall is in charge",
        Severity.MEDIUM,
        "Where another firewall product decides, or the firewall's service is stopped, rules of Windows say nothing.",
        "Allow ETS6 in the other product, or start the services MpsSvc and BFE.",
    )


def multicast_answers(_policy: Policy) -> Control:
    """Whether answers to KNXnet/IP discovery come through."""
    return Control(
        "firewall.multicast_answers",
        "Answers to KNXnet/IP discovery come through",
        Severity.MEDIUM,
        "Discovery is a multicast (224.0.23.12, UDP 3671) that devices answer by unicast. "
        "DisableUnicastResponsesToMulticastBroadcast=1 drops the answers unless a rule lets them in.",
        "Has Windows let the answers in, where ets6_network_multicast_answers is allow.",
    )


def stale_rules(_policy: Policy) -> Control:
    """Whether rules of this collection are left that nobody needs."""
    return Control(
        "firewall.stale_rules",
        "No rule of this collection is left over",
        Severity.LOW,
        "Rules for a folder that ETS6 has left, for programs no longer wanted, or copies of the own rules only confuse.",
        "Removes them.",
    )


def malformed_rules(_policy: Policy) -> Control:
    """Whether every rule can be read."""
    return Control(
        "firewall.malformed_rules",
        "Every firewall rule can be read",
        Severity.LOW,
        "Windows ignores a rule that does not follow its grammar (MS-GPFAS 2.2.2), and this collection cannot judge it.",
        "Remove or repair the rules that the finding names.",
    )


def catalogue(policy: Policy) -> list[Control]:
    """Return every control that this policy calls for."""
    pairs = [(program, protocol) for program in policy.programs for protocol in PROTOCOLS]
    return [
        in_charge(policy),
        programs(policy),
        *(rule(program, protocol) for program, protocol in pairs),
        prompt_blocks(policy),
        deliberate_blocks(policy),
        *(inbound(program, protocol) for program, protocol in pairs),
        *(outbound(program, protocol) for program, protocol in pairs),
        active_profile(policy),
        multicast_answers(policy),
        stale_rules(policy),
        malformed_rules(policy),
    ]
