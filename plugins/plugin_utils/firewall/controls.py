# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The firewall's controls. Their order is the order of what their remedies do."""

from __future__ import annotations

from ..declaration import Family, Judgement
from ..finding import Contact, Severity
from ..formats.firewall_rule import Direction
from . import rules, traffic
from .context import FirewallContext
from .store import request
from .subjects import ProgramTraffic, program_traffic

__all__ = ["FAMILY", "request"]

FAMILY: Family[FirewallContext] = Family("firewall", Contact.FIREWALL)


@FAMILY.control(
    control_id="firewall.in_charge",
    title="Windows Defender Firewall is active",
    headline="Windows Defender Firewall is not active",
    severity=Severity.MEDIUM,
    rationale="Where another firewall product is active, or the firewall's service is stopped, "
    "the rules of Windows have no effect.",
    remedy="Allow ETS6 in the other product, or start the services MpsSvc and BFE.",
    image="An image does not run a firewall. Its rules and settings are judged as if it did.",
)
def in_charge(context: FirewallContext) -> Judgement:
    """Judge whether Windows Defender Firewall decides about the traffic."""
    products = context.snapshot.firewall_products or ()
    evidence = {
        "services": dict(context.snapshot.services or {}),
        "other_firewalls": [
            {"name": product.name, "enabled": product.enabled} for product in products
        ],
    }
    return Judgement(context.charge.status, context.charge.reason, evidence)


@FAMILY.control(
    control_id="firewall.programs",
    title="ETS6's programs are installed where firewall rules can name them",
    headline="ETS6's programs were not found",
    severity=Severity.HIGH,
    contact=Contact.PC,
    rationale="A rule of Windows Defender Firewall applies to one path. Where ETS6 is installed "
    "elsewhere, or not at all, rules have no effect.",
    remedy="Install ETS6, or add its folder to ets6_network_paths.",
)
def programs(context: FirewallContext) -> Judgement:
    """Judge whether the programs were found."""
    return rules.programs(context)


def _managed_rule_removed(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    return rules.removed(context, context.program(subject), subject.protocol, Direction.IN)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.rule.{id}",
    title="The managed rule that allows {program} to receive {protocol} is present",
    headline="The managed rule that allows {program} to receive {protocol} is missing or differs",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="The vendor asks for four rules, TCP and UDP, for ETS6N.exe and ETS6C.exe "
    "(KNX support article 4403452514066).",
    remedy="Creates the rule, corrects it where a field differs, and moves it to the folder of "
    "ETS6.",
    absent=_managed_rule_removed,
)
def managed_rule(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge whether the managed inbound rules of a program are present and right."""
    return rules.managed_rule(context, context.program(subject), subject.protocol)


@FAMILY.control(
    control_id="firewall.prompt_blocks",
    title="No blocking rule of the Windows prompt is left",
    headline="Blocking rules of a cancelled Windows prompt keep ETS6 from receiving",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="A user who cancels the firewall's prompt, or has no right to answer it, gets rules "
    "that block ETS6, and a blocking rule wins over every allow rule.",
    remedy="Removes these rules, unless ets6_network_blocks is none.",
)
def prompt_blocks(context: FirewallContext) -> Judgement:
    """Judge whether cancelled prompts left blocking rules."""
    return rules.prompt_blocks(context)


@FAMILY.control(
    control_id="firewall.deliberate_blocks",
    title="No other rule blocks ETS6",
    headline="A rule that an administrator made blocks ETS6",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="An administrator made a blocking rule that no prompt of Windows made. It wins over "
    "every allow rule.",
    remedy="Removes rules of the local store that name ETS6's programs, only where "
    "ets6_network_blocks is all.",
)
def deliberate_blocks(context: FirewallContext) -> Judgement:
    """Judge whether other rules block a program in a wanted profile."""
    return rules.deliberate_blocks(context)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.inbound.{id}",
    title="{program} can receive {protocol}",
    headline="{program} cannot receive {protocol}",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="Answers of KNX devices and KNX IoT traffic arrive unsolicited, over IPv4 and IPv6. "
    "Rules and settings of all stores are evaluated together, as Windows does it, for the ports "
    "that ETS6 may listen on, 1024 and above.",
    remedy="The finding names the rule or setting to change.",
)
def inbound(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge what a program can receive."""
    return traffic.inbound(context, context.program(subject), subject.protocol)


def _outbound_rule_removed(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    return rules.removed(context, context.program(subject), subject.protocol, Direction.OUT)


@FAMILY.control_for_each(
    program_traffic,
    control_id="firewall.outbound.{id}",
    title="{program} can send {protocol}",
    headline="{program} cannot send {protocol}",
    severity=Severity.HIGH,
    needs=("firewall.in_charge",),
    rationale="Without it ETS6 reaches neither KNX devices nor the vendor's servers. Rules and "
    "settings of all stores are evaluated together, as Windows does it, for the ports that ETS6 "
    "may need: 80, 443, and 1024 and above.",
    remedy="Creates an allow rule where the default blocks (ets6_network_outbound: auto) or in any "
    "case (always).",
    absent=_outbound_rule_removed,
)
def outbound(context: FirewallContext, subject: ProgramTraffic) -> Judgement:
    """Judge what a program can send, and the managed outbound rules where they are needed."""
    return traffic.outbound(context, context.program(subject), subject.protocol)


@FAMILY.control(
    control_id="firewall.active_profile",
    title="ETS6 can receive on the active network",
    headline="ETS6 cannot receive on the active network",
    severity=Severity.MEDIUM,
    needs=("firewall.in_charge",),
    rationale="Windows applies other rules on a public network. A notebook on a building site is "
    "often on one.",
    remedy="Set the network's category to private, or add the profile to ets6_network_profiles.",
    image="An image is not connected to a network.",
)
def active_profile(context: FirewallContext) -> Judgement:
    """Judge the profiles that are active on the PC."""
    return traffic.active_profile(context)


@FAMILY.control(
    control_id="firewall.multicast_answers",
    title="Windows lets answers to KNXnet/IP discovery in",
    headline="Windows drops answers to KNXnet/IP discovery",
    severity=Severity.MEDIUM,
    needs=("firewall.in_charge",),
    rationale="Discovery is a multicast (224.0.23.12, UDP 3671) that devices answer by unicast. "
    "DisableUnicastResponsesToMulticastBroadcast=1 drops the answers unless a rule allows them.",
    remedy="Changes the setting where ets6_network_multicast_answers is allow.",
)
def multicast_answers(context: FirewallContext) -> Judgement:
    """Judge whether unicast answers to a multicast are let in."""
    return traffic.multicast_answers(context)


@FAMILY.control(
    control_id="firewall.stale_rules",
    title="No managed rule is left over",
    headline="Managed rules are left over",
    severity=Severity.LOW,
    rationale="Rules for a folder that ETS6 has left, for programs that are no longer wanted, or "
    "copies of managed rules confuse whoever reads the rules.",
    remedy="Removes them.",
    absent=rules.stale_rules,
)
def stale_rules(context: FirewallContext) -> Judgement:
    """Judge whether managed rules are left that the policy does not call for."""
    return rules.stale_rules(context)


@FAMILY.control(
    control_id="firewall.malformed_rules",
    title="Every firewall rule can be read",
    headline="Firewall rules cannot be read",
    severity=Severity.LOW,
    rationale="Windows ignores a rule that does not follow its grammar (MS-GPFAS 2.2.2), and this "
    "collection cannot judge it.",
    remedy="Remove or repair the rules that the finding names.",
    absent=rules.malformed_rules,
)
def malformed_rules(context: FirewallContext) -> Judgement:
    """Judge whether every rule can be read."""
    return rules.malformed_rules(context)
