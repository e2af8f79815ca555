# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Results of the policy task as the report meets them, and documents made of them."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from ansible_collections.ets6.network.plugins.plugin_utils.report import document, waivers
from ansible_collections.ets6.network.plugins.plugin_utils.report.hosts import (
    HostResult,
    common_variables,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report

ENDED = "2026-11-24T10:00:00Z"
HOSTILE = "<script>alert(1)</script>\x1b[2J]]>\u202e\ud800|`'\""

CONTROLS = [
    {
        "id": "firewall.rule.ets6n.tcp",
        "title": "A rule lets TCP in",
        "headline": "No rule lets TCP in",
        "severity": "high",
        "rationale": "Devices answer.",
        "remedy": "Make the rule.",
    },
    {
        "id": "proxy.wininet",
        "title": "The users' proxy",
        "headline": "The users have another proxy",
        "severity": "medium",
        "rationale": "ETS6 uses it.",
        "remedy": "Set it.",
    },
    {
        "id": "reach.updates",
        "title": "Updates are reached",
        "headline": "Updates are not reached",
        "severity": "low",
        "rationale": "The vendor says so.",
        "remedy": "Open the way.",
    },
]
RUN = {
    "mode": "verify",
    "ended": ENDED,
    "user": "ada",
    "controller": "control-node",
    "job": "",
    "playbook": "ets6.network.verify",
    "limit": "",
    "collection": "1.0.0",
    "ansible": "2.19.14",
    "python": "3.11.2",
    "pending": [],
}


def finding(
    control: str, status: str = "pass", reason: str = "It is so.", **more: Any
) -> dict[str, Any]:
    return {
        "control": control,
        "status": status,
        "reason": reason,
        "evidence": {},
        "changed": False,
        "changes": [],
        **more,
    }


def result(*statuses: str, at: str = "2026-11-24T09:59:58Z", **more: Any) -> dict[str, Any]:
    """Return what the policy task registers: findings of these statuses, for the controls in their order."""
    findings = [
        finding(control["id"], status) for control, status in zip(CONTROLS, statuses, strict=True)
    ]
    return {
        "changed": False,
        "findings": findings,
        "controls": CONTROLS,
        "at": at,
        "variables": {"state": "present"},
        **more,
    }


def single_result(status: str, **more: Any) -> dict[str, Any]:
    """Return what the policy task registers for a host with one control of medium severity."""
    control = CONTROLS[1]
    return {
        "changed": False,
        "findings": [finding(control["id"], status)],
        "controls": [control],
        "at": "2026-11-24T09:59:58Z",
        "variables": {},
        **more,
    }


def waived(expires: str, owner: str) -> dict[str, Any]:
    """Return the result of a PC with a waiver of its first control; it has expired before ENDED."""
    expired = expires < ENDED[:10]
    waiver = {
        "control": CONTROLS[0]["id"],
        "controls": [CONTROLS[0]["id"]],
        "hosts": [],
        "groups": ["all"],
        "reason": "A kiosk.",
        "owner": owner,
        "expires": expires,
        "ticket": "",
    }
    registered = result("fail" if expired else "waived", "pass", "pass", waivers=[waiver])
    applied = {**waiver, "status": "fail", "expired": expired}
    registered["findings"][0]["waiver"] = applied
    return registered


INTERRUPTED = {"at": "2026-11-23T21:00:00Z", "operations": 1}
"""What a PC has of an earlier run that did not end."""
AWAY = {"unreachable": True, "msg": "no route\nto host"}
BROKEN = {"failed": True, "msg": "The PC could not be read: rubbish"}


def hostile() -> dict[str, Any]:
    """Return the result of a PC that put markup wherever it could."""
    bad = [
        finding(CONTROLS[0]["id"], "fail", HOSTILE, evidence={HOSTILE: [HOSTILE]}),
        finding(CONTROLS[1]["id"], "unknown", HOSTILE),
        finding(CONTROLS[2]["id"]),
    ]
    changes = [{"subject": HOSTILE, "before": {HOSTILE: None}, "after": {HOSTILE: HOSTILE}}]
    bad[0]["changes"] = changes
    return {
        "findings": bad,
        "controls": CONTROLS,
        "at": "2026-11-24T09:59:58Z",
        "variables": {"name": HOSTILE},
    }


def large(count: int) -> dict[str, Any]:
    """Return a fleet in which no two PCs have the same reason and evidence."""
    controls = [
        {**CONTROLS[number % 3], "id": f"custom.control-{number:02}"} for number in range(25)
    ]
    statuses = ("pass", "fail", "pass", "unknown", "pass", "would_fix")

    def found(host: int, number: int) -> dict[str, Any]:
        told = hashlib.sha256(f"{host} {number}".encode()).hexdigest()
        status = statuses[(host + number) % len(statuses)]
        return finding(
            controls[number]["id"],
            status,
            f"The PC {host} has {told[:8]}.",
            evidence={"seen": told, "number": number},
        )

    return {
        f"pc-{host:04}": {
            "findings": [found(host, number) for number in range(25)],
            "controls": controls,
            "at": "",
            "variables": {},
        }
        for host in range(count)
    }


def build(
    fail_on: tuple[str, ...] = ("low", "unreachable"),
    groups: dict[str, list[str]] | None = None,
    **results: Any,
) -> Report:
    """Return the document of a run over these hosts, by name: each one's result of the policy task."""
    hosts = [
        HostResult.from_task(name, results[name], CONTROLS, (groups or {}).get(name, []), ENDED)
        for name in sorted(results)
    ]
    common = common_variables(hosts)
    wires = [host.to_record(common) for host in hosts]
    states = waivers.records(results.values(), wires, [], date.fromisoformat(ENDED[:10]))
    controls = document.controls_of(results.values(), CONTROLS)
    return document.build({**RUN, "variables": common}, controls, wires, states, fail_on)
