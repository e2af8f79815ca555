# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed since an earlier report: findings that fail now and did not, or that are mended, and hosts that came and went."""

from __future__ import annotations

from collections.abc import Collection

from .document import OPEN, Json, digest, seal

MENDED = frozenset({"pass", "fixed"})


def baseline(last: Json, older: Json | None, inventory: Collection[str]) -> Json:
    """Return the last report with what the baseline before it says of hosts that were not judged then.

    Without that a run over a part of the fleet (``--limit``), one that a wrong variable ended, or a PC that was off for a day would
    make news of everything, or of nothing. A host that is in neither the last report nor the inventory is left out.
    """
    known = {host["name"]: host for host in older["hosts"]} if older else {}
    hosts = {name: host for name, host in known.items() if name in inventory}
    for host in last["hosts"]:
        name = host["name"]
        if not _judged(host) and name in known:
            # It was away, and so much as was found before that is still the last that is known.
            host = {**host, "findings": known[name]["findings"]}
            host["sha256"] = digest(host)
        hosts[name] = host
    return seal({**last, "hosts": [hosts[name] for name in sorted(hosts)]})


def between(earlier: Json, now: Json, inventory: Collection[str]) -> Json:
    """Return the drift: lists of {host, control, was, is} and of hosts, each sorted as the report is.

    A host that could not be judged is no news control by control: it is lost as a whole, and found again, and then compared with
    what was found the last time. A host that is in the inventory and not in this run is not gone: nobody looked (``--limit``).
    """
    missing = now["merged"]["missing"] if now["merged"] else []
    was = {host["name"]: host for host in earlier["hosts"]}
    is_ = {host["name"]: host for host in now["hosts"]}
    failing, fixed, lost, found = [], [], [], []
    for name, host in is_.items():
        if name not in was:
            continue
        if host["reason"] and not was[name]["reason"]:
            lost.append(name)
        elif was[name]["reason"] and not host["reason"]:
            found.append(name)
        before = _judged(was[name])
        for control, status in _judged(host).items() if before else ():
            change = {"host": name, "control": control, "was": before.get(control), "is": status}
            if status in OPEN and before.get(control) not in OPEN:
                failing.append(change)
            elif status in MENDED and before.get(control) in OPEN:
                fixed.append(change)
    return {
        "since": earlier["run"]["ended"],
        "failing": failing,
        "fixed": fixed,
        "new_hosts": [name for name in is_ if name not in was and name not in missing],
        "gone_hosts": sorted(set(was) - set(is_) - set(inventory) - set(now["run"]["pending"])),
        "lost_hosts": lost,
        "found_hosts": found,
    }


def _judged(host: Json) -> dict[str, str]:
    """Return the status of every control that was judged: a finding that repeats the host's own reason was not."""
    return {
        item["control"]: item["status"] for item in host["findings"] if not host["reason"] or item["reason"] != host["reason"]
    }
