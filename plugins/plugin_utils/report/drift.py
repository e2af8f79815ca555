# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed since an earlier report: findings that fail now or are resolved, and hosts."""

from __future__ import annotations

from collections.abc import Collection

from .hashes import digest, seal
from .hosts import repeats_reason
from .model import IMAGE, IMAGES, OPEN, Drift, Host, Report, StatusChange

RESOLVED = frozenset({"pass", "fixed"})


def baseline(
    last: Report, older: Report | None, inventory: Collection[str], *, images: bool
) -> Report:
    """Return the last report, completed by what the baseline before it says of unjudged hosts.

    Without that a run over a part of the fleet (``--limit``), one that a wrong variable ended, or a
    PC that was off for a day would make everything news, or nothing. A host that is in neither the
    last report nor the inventory is left out, but for one of the other kind. images: whether the
    run that begins is about images.
    """
    earlier = _by_name(older) if older else {}
    hosts = {}
    for name, host in earlier.items():
        if name in inventory or is_image(host) != images:
            hosts[name] = host
    for host in last["hosts"]:
        name = host["name"]
        if name in earlier and not _judged_statuses(host):
            # What was found before the host was away is still the last that is known of it.
            host = {**host, "findings": earlier[name]["findings"]}
            host["sha256"] = digest(host)
        hosts[name] = host
    return seal({**last, "hosts": [hosts[name] for name in sorted(hosts)]})


def between(earlier: Report, now: Report, inventory: Collection[str]) -> Drift:
    """Return what changed between two reports; every list is sorted as the report is.

    A host that could not be judged is one piece of news and not one for each control: it is lost,
    later found again, and then compared with what was found the last time. A host of the inventory
    that is not in this run is not gone: the run left it out (``--limit``). Nor is a PC where the
    run is about images, or an image where it is about PCs.
    """
    missing = now["merged"]["missing"] if now["merged"] else []
    earlier_hosts = _by_name(earlier)
    drift: Drift = {
        "since": earlier["run"]["ended"],
        "failing": [],
        "fixed": [],
        "new_hosts": [],
        "gone_hosts": _gone_hosts(earlier, now, inventory),
        "lost_hosts": [],
        "found_hosts": [],
    }
    for host in now["hosts"]:
        earlier_host = earlier_hosts.get(host["name"])
        if earlier_host is not None:
            _compare(earlier_host, host, drift)
        elif host["name"] not in missing:
            drift["new_hosts"].append(host["name"])
    return drift


def _gone_hosts(earlier: Report, now: Report, inventory: Collection[str]) -> list[str]:
    present = {*_by_name(now), *now["run"]["pending"], *inventory}
    kinds = _kinds(now) or {True, False}
    gone = []
    for host in earlier["hosts"]:
        if host["name"] not in present and is_image(host) in kinds:
            gone.append(host["name"])
    return gone


def is_comparable(earlier: Report, now: Report) -> bool:
    """Return whether an earlier report has hosts of a kind that this one has: PCs or images."""
    kinds = _kinds(earlier)
    return not kinds or not kinds.isdisjoint(_kinds(now) or kinds)


def _kinds(report: Report) -> set[bool]:
    return {is_image(host) for host in report["hosts"]}


def is_image(host: Host) -> bool:
    """Return whether a host is an image, whether or not it could be judged."""
    kind: str = host.get("facts", {}).get("kind", "")
    return kind == IMAGE or IMAGES in host["groups"]


def _by_name(report: Report) -> dict[str, Host]:
    return {host["name"]: host for host in report["hosts"]}


def _compare(earlier: Host, now: Host, drift: Drift) -> None:
    """Add to the drift how a host differs from what it was."""
    if now["reason"] and not earlier["reason"]:
        drift["lost_hosts"].append(now["name"])
    elif earlier["reason"] and not now["reason"]:
        drift["found_hosts"].append(now["name"])
    _compare_findings(earlier, now, drift)


def _compare_findings(earlier: Host, now: Host, drift: Drift) -> None:
    before = _judged_statuses(earlier)
    if not before:
        return
    for control, status in _judged_statuses(now).items():
        was = before.get(control)
        change: StatusChange = {"host": now["name"], "control": control, "was": was, "is": status}
        if status in OPEN and was not in OPEN:
            drift["failing"].append(change)
        elif status in RESOLVED and was in OPEN:
            drift["fixed"].append(change)


def _judged_statuses(host: Host) -> dict[str, str]:
    """Return the status of every control that was judged on the host."""
    statuses = {}
    for finding in host["findings"]:
        if not repeats_reason(host, finding):
            statuses[finding["control"]] = finding["status"]
    return statuses
