# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What changed since an earlier report: findings that fail now and did not, or that are mended, and hosts that came and went."""

from __future__ import annotations

from collections.abc import Collection

from .document import OPEN, Json

MENDED = frozenset({"pass", "fixed"})


def between(earlier: Json, now: Json, inventory: Collection[str]) -> Json:
    """Return the drift: lists of {host, control, was, is} and of hosts, each sorted as the report is.

    A host that could not be judged in one of the two is no news control by control, it is lost or found as a whole. A host that
    is in the inventory and not in this run is not gone: nobody looked (``--limit``).
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
        if host["reason"] or was[name]["reason"]:
            continue
        before = {item["control"]: item["status"] for item in was[name]["findings"]}
        for item in host["findings"]:
            status = before.get(item["control"])
            change = {"host": name, "control": item["control"], "was": status, "is": item["status"]}
            if item["status"] in OPEN and status not in OPEN:
                failing.append(change)
            elif item["status"] in MENDED and status in OPEN:
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
