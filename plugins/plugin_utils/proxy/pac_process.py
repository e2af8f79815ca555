# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A process of its own in which one PAC script is run: a script is anybody's program, so it gets no time, memory, files or network.

Reads one JSON document from standard input and writes one to standard output, see pac.py. PyPAC has the script's functions and
a JavaScript engine (dukpy, which is QuickJS); of the functions those that ask the name service or the clock are replaced here,
since the answers have to be the PC's and not the controller's.
"""

from __future__ import annotations

import contextlib
import importlib
import ipaddress
import json
import os
import resource
import sys
from datetime import datetime
from typing import Any

MEMORY = 512 * 1024 * 1024
MAX_ANSWER = 2000


class Questions:
    """Answers what a script asks of its surroundings, and remembers what could not be answered."""

    def __init__(self, names: dict[str, list[str]], own: list[str], clock: datetime) -> None:
        self._names, self._own, self._clock = names, own, clock
        self.open: set[str] = set()

    def addresses(self, host: Any) -> list[str]:
        """Return the addresses of a name as the PC resolved it; an address is its own."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(str(host)))]
        known = self._names.get(str(host).lower())
        if known is None:
            self.open.add(f"the address of {str(host)[:100]}")
        return known or []

    def own(self) -> list[str]:
        """Return the PC's own addresses."""
        if not self._own:
            self.open.add("the PC's own address")
        return self._own

    def now(self, utc: bool = False) -> datetime:
        """Return the PC's time. Its time zone is not known."""
        if not utc:
            self.open.add("the PC's local time")
        return self._clock


def main() -> None:
    """Run the script for every URL."""
    asked = json.load(sys.stdin)
    from pypac import parser, parser_functions, parser_functions_ex

    # The engine shows its environment to the script. It reads files of its own when it starts, so that has to be before the
    # limits; so do PyPAC's late imports.
    for late in ("calendar", "fnmatch"):
        importlib.import_module(late)
    os.environ.clear()
    dukpy: Any = importlib.import_module("dukpy")
    engine = dukpy.JSInterpreter()
    dukpy.JSInterpreter = lambda: engine
    questions = Questions(asked["names"], asked["own"], datetime.fromisoformat(asked["clock"]))
    functions: dict[str, Any] = {
        "dnsResolve": lambda host: next((one for one in questions.addresses(host) if ":" not in one), ""),
        "isResolvable": lambda host: bool([one for one in questions.addresses(host) if ":" not in one]),
        "myIpAddress": lambda: next((one for one in questions.own() if ":" not in one), "127.0.0.1"),
    }
    extended: dict[str, Any] = {
        "dnsResolveEx": lambda host: ";".join(questions.addresses(host)),
        "isResolvableEx": lambda host: bool(questions.addresses(host)),
        "myIpAddressEx": lambda: ";".join(questions.own()),
    }
    for module, replaced in ((parser_functions, functions), (parser_functions_ex, extended)):
        module.function_injections.update(replaced)
        for name, function in replaced.items():
            setattr(module, name, function)  # isInNet calls dnsResolve by its module
    parser_functions._now = questions.now

    for limit, most in ((resource.RLIMIT_NOFILE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CPU, int(asked["seconds"]))):
        resource.setrlimit(limit, (most, most))
    with contextlib.suppress(ValueError, OSError):  # macOS knows this limit and does not take it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    answers = []
    script: Any = parser.PACFile(asked["script"])  # type: ignore[no-untyped-call]  # makes a first call with a made-up URL
    for url, host in asked["urls"]:
        questions.open = set()
        found = script.find_proxy_for_url(url, host)
        text = "" if found is None else found if isinstance(found, str) else repr(found)
        answers.append({"answer": text[:MAX_ANSWER], "open": sorted(questions.open)[:5]})
    json.dump({"answers": answers}, sys.stdout)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001 - whatever the script does is to be told, not to be seen as a crash
        json.dump({"error": f"{type(error).__name__}: {error}"[:300]}, sys.stdout)
