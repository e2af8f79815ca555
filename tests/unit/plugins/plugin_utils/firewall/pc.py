# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Snapshots of PCs for the firewall's tests: everything right unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils import operations
from ansible_collections.ets6.network.plugins.plugin_utils.finding import (
    Change,
    Finding,
    Status,
    remedies,
)
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_rule import Rule
from ansible_collections.ets6.network.plugins.plugin_utils.formats.registry import (
    text as registry_text,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.assess import assess

LOCAL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
GROUP_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
MDM = LOCAL + r"\Mdm"
MDM_CONFLICT = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\ControlPolicyConflict"
X86 = r"C:\Program Files (x86)\ETS6"
NATIVE = r"C:\Program Files\ETS6"
N, C = X86 + r"\ETS6N.exe", X86 + r"\ETS6C.exe"

ENVIRONMENT = {
    "SystemDrive": "C:",
    "SystemRoot": r"C:\Windows",
    "ProgramFiles": r"C:\Program Files",
    "ProgramFiles(x86)": r"C:\Program Files (x86)",
    "ProgramW6432": r"C:\Program Files",
    "ProgramData": r"C:\ProgramData",
}
RUNNING = {"MpsSvc": "Running", "BFE": "Running"}

Profiles = Mapping[str, Mapping[str, int | str]]
"""Values by the profile's key: ``{"PublicProfile": {"EnableFirewall": 0}}``."""


def pc(
    rules: Mapping[str, str] | None = None,
    *,
    group_policy: Mapping[str, str] | None = None,
    mdm: Mapping[str, str] | None = None,
    profiles: Profiles | None = None,
    group_policy_profiles: Profiles | None = None,
    mdm_profiles: Profiles | None = None,
    connections: Mapping[str, str] | None = None,
    group_policy_connections: Mapping[str, str] | None = None,
    version: int | None = 0x021E,
    files: Iterable[str] = (N, C),
    missing: Iterable[str] = (),
    unreadable: Iterable[str] = (),
    keys: Mapping[str, Any] | None = None,
    offline: bool = False,
    **sections: Any,
) -> Snapshot:
    """Return a PC with these rules and settings, as windows_host would report it."""
    registry: dict[str, Any] = {}
    own = {
        "DomainProfile": {"EnableFirewall": 1},
        "StandardProfile": {"EnableFirewall": 1},
        "PublicProfile": {"EnableFirewall": 1},
    }
    for name, values in (profiles or {}).items():
        own[name] = {**own.get(name, {}), **values}  # type: ignore[dict-item]
    _store(registry, LOCAL, rules or {}, own, connections, version)
    _store(registry, MDM, mdm, mdm_profiles)
    _store(registry, GROUP_POLICY, group_policy, group_policy_profiles, group_policy_connections)
    registry[LOCAL]["keys"].append("Mdm")
    registry[MDM_CONFLICT] = {"state": "missing"}
    registry.update(keys or {})
    found = [{"path": path, "state": "present", "version": "6.3.0.0", "size": 1} for path in files]
    found += [{"path": path, "state": "missing"} for path in missing]
    found += [
        {"path": path, "state": "unreadable", "error": "access is denied"} for path in unreadable
    ]
    return Snapshot.from_wire(
        {
            "version": 1,
            "host": {"name": "PC", "os": "10.0.19041"},
            "environment": ENVIRONMENT,
            "registry": registry,
            "files": found,
            "users": [],
            "network": ["private"],
            "services": RUNNING,
            "firewall_products": [],
            "registered_firewalls": [],
            "networks": [],
            "firewall_service": {
                "rules": len(rules or {}),
                "values": len(rules or {}),
                "modify_state": _modify_state(
                    sections.get("network", ["private"]) or (), own, group_policy_profiles or {}
                ),
            },
            "probes": [],
            "errors": {},
            **sections,
        },
        offline=offline,
    )


def _modify_state(network: Iterable[str], local: Profiles, group_policy: Profiles) -> int:
    """Return LocalPolicyModifyState: the least of the active profiles' states."""
    keys = {"domain": "DomainProfile", "private": "StandardProfile", "public": "PublicProfile"}
    states = []
    for profile in network:
        policy = dict(group_policy.get(f"{profile.capitalize()}Profile", {}))
        if not policy and profile != "domain":
            policy = dict(group_policy.get("StandardProfile", {}))
            policy.pop("AllowLocalPolicyMerge", None)
        if policy.get("AllowLocalPolicyMerge") == 0 or policy.get("DoNotAllowExceptions"):
            states.append(1)
        else:
            states.append(2 if local[keys[profile]].get("DoNotAllowExceptions") else 0)
    return min(states, default=0)


def _store(
    registry: dict[str, Any],
    path: str,
    rules: Mapping[str, str] | None,
    profiles: Profiles | None,
    connections: Mapping[str, str] | None = None,
    version: int | None = None,
) -> None:
    if rules is None and not profiles and not connections and path != MDM:
        registry[path] = {"state": "missing"}
        return
    subkeys = [*(profiles or {})]
    registry[path] = {"state": "present", "keys": subkeys, "values": {}}
    if version is not None:
        registry[path]["values"]["PolicyVersion"] = ["REG_DWORD", version]
    for name, settings in (profiles or {}).items():
        registry[f"{path}\\{name}"] = {"state": "present", "values": _values(settings)}
    for name, texts in (("FirewallRules", rules), ("ConSecRules", connections)):
        if texts is not None:
            subkeys.append(name)
            registry[f"{path}\\{name}"] = {"state": "present", "values": _values(texts)}


def _values(data: Mapping[str, int | str]) -> dict[str, list[Any]]:
    values = {}
    for name, value in data.items():
        values[name] = ["REG_DWORD" if isinstance(value, int) else "REG_SZ", value]
    return values


def rule(**tokens: str | Sequence[str] | None) -> str:
    """Return an active inbound allow rule for ETS6N.exe as a registry string; a token given as None is left out."""
    merged: dict[str, Any] = {
        "Action": "Allow",
        "Active": "TRUE",
        "Dir": "In",
        "App": N,
        "Name": "test",
        **tokens,
    }
    parts = []
    for name, value in merged.items():
        for item in [value] if isinstance(value, str) else value or ():
            parts.append(f"{name}={item}")
    return "|".join(["v2.30", *parts, ""])


def judge(snapshot: Snapshot, **policy: Any) -> dict[str, Finding]:
    """Return the findings by control."""
    return {
        finding.control.id: finding
        for finding in assess(snapshot, Policy.from_variables(policy), "firewall")
    }


def fix(snapshot: Snapshot, **policy: Any) -> tuple[Snapshot, list[Change]]:
    """Return the PC as it would be after every remedy, and the remedies."""
    changes = remedies(judge(snapshot, **policy).values())
    steps: list[operations.Operation] = []
    for change in changes:
        steps += change.operations
    return snapshot.change(operations.predict(steps, snapshot.registry)), changes


PROMPT_TCP = "TCP Query User{0A1B2C3D-0000-4000-8000-00000000000A}" + N.lower()
PROMPT_UDP = "UDP Query User{0A1B2C3D-0000-4000-8000-00000000000B}" + N.lower()


def prompt(**tokens: Any) -> str:
    """Return the rule that a cancelled prompt leaves for ETS6N.exe as a registry string."""
    merged = {
        "Action": "Block",
        "Protocol": "6",
        "Profile": "Private",
        "App": N.lower(),
        "Name": "ETS6",
        "Defer": "User",
    }
    return rule(**{**merged, **tokens})


def right(**policy: Any) -> Snapshot:
    """Return a PC that was brought to the policy."""
    return fix(pc({}), **policy)[0]


def local_rules(snapshot: Snapshot) -> dict[str, Rule]:
    """Return the rules of the local store by their ids."""
    values = snapshot.registry.key(f"{LOCAL}\\FirewallRules").values
    return {name: Rule.parse(name, str(value.data)) for name, value in values.items()}


def with_rule(snapshot: Snapshot, rule_id: str, text: str) -> Snapshot:
    """Return the PC with one local rule set."""
    value = registry_text(text)
    return snapshot.change(snapshot.registry.changed(f"{LOCAL}\\FirewallRules", rule_id, value))


def failing(findings: Mapping[str, Finding]) -> set[str]:
    """Return the controls that fail."""
    return {control for control, finding in findings.items() if finding.status is Status.FAIL}


def subjects(changes: Iterable[Change]) -> list[str]:
    """Return the ids of the rules that are changed."""
    return [change.subject.removeprefix("firewall rule ") for change in changes]


ANN = "S-1-5-21-1-2-3-1001"
"""The user who is logged on."""
BOB = "S-1-5-21-1-2-3-1002"
USERS = [
    {"sid": ANN, "name": "ann", "profile": r"C:\Users\ann", "logged_on": True},
    {"sid": BOB, "name": "bob", "profile": r"C:\Users\bob"},
    {"sid": "default", "profile": r"C:\Users\Default"},
]


def perfect(rules: Mapping[str, str] | None = None, **arguments: Any) -> Snapshot:
    """Return a PC with the managed rules, and with nothing wrong but what is given."""
    managed = {rule_id: item.write() for rule_id, item in local_rules(right()).items()}
    return pc({**managed, **(rules or {})}, **arguments)


def statuses(findings: Mapping[str, Finding]) -> dict[str, Status]:
    """Return the status of every control that does not pass."""
    return {
        control: finding.status
        for control, finding in findings.items()
        if finding.status is not Status.PASS
    }
