# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A process in which one PAC script runs.

A script is a program of unknown origin, so it gets no files, no network, little time and memory. The
process reads one JSON document from standard input and writes one to standard output, see pac.
PyPAC brings the script's functions and a JavaScript engine (dukpy, which is QuickJS). Of the
functions, those that ask the name service or the clock are replaced here, since the answers have to
be the PC's and not the controller's.
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
MAX_UNANSWERED = 5
MAX_NAME = 100


class Surroundings:
    """Answers what a script asks about its surroundings, and notes what could not be answered."""

    def __init__(self, names: dict[str, list[str]], own: list[str], clock: datetime) -> None:
        self._names = names
        self._own = own
        self._clock = clock
        self.unanswered: set[str] = set()

    def addresses(self, host: Any) -> list[str]:
        """Return the addresses of a name as the PC resolved it; an address resolves to itself."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(str(host)))]
        addresses = self._names.get(str(host).lower())
        if addresses is None:
            self.unanswered.add(f"the address of {str(host)[:MAX_NAME]}")
        return addresses or []

    def own_addresses(self) -> list[str]:
        """Return the PC's own addresses."""
        if not self._own:
            self.unanswered.add("the PC's own address")
        return self._own

    def now(self, utc: bool = False) -> datetime:
        """Return the PC's time. Its time zone is not known."""
        if not utc:
            self.unanswered.add("the PC's local time")
        return self._clock


def functions(surroundings: Surroundings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the functions that replace PyPAC's, and those of the extended set."""

    def resolve(host: Any) -> str:
        return _first_ipv4(surroundings.addresses(host), "")

    def is_resolvable(host: Any) -> bool:
        return bool(resolve(host))

    def my_address() -> str:
        return _first_ipv4(surroundings.own_addresses(), "127.0.0.1")

    def resolve_all(host: Any) -> str:
        return ";".join(surroundings.addresses(host))

    def is_resolvable_at_all(host: Any) -> bool:
        return bool(surroundings.addresses(host))

    def my_addresses() -> str:
        return ";".join(surroundings.own_addresses())

    basic = {
        "dnsResolve": resolve,
        "isResolvable": is_resolvable,
        "myIpAddress": my_address,
    }
    extended = {
        "dnsResolveEx": resolve_all,
        "isResolvableEx": is_resolvable_at_all,
        "myIpAddressEx": my_addresses,
    }
    return basic, extended


def run(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the script for every URL, and return its answers."""
    from pypac import parser, parser_functions, parser_functions_ex

    # The engine shows its environment to the script. It reads files of its own when it starts, so it
    # has to start before the limits are set; the same holds for PyPAC's late imports.
    for module_name in ("calendar", "fnmatch"):
        importlib.import_module(module_name)
    os.environ.clear()
    dukpy: Any = importlib.import_module("dukpy")
    engine = dukpy.JSInterpreter()
    dukpy.JSInterpreter = lambda: engine
    clock = datetime.fromisoformat(document["clock"])
    surroundings = Surroundings(document["names"], document["own"], clock)
    basic, extended = functions(surroundings)
    _replace(parser_functions, basic)
    _replace(parser_functions_ex, extended)
    parser_functions._now = surroundings.now
    _limit(int(document["seconds"]))
    # PyPAC makes a first call with a URL of its own.
    script: Any = parser.PACFile(document["script"])  # type: ignore[no-untyped-call]
    answers = []
    for url, host in document["urls"]:
        surroundings.unanswered.clear()
        answer = script.find_proxy_for_url(url, host)
        answers.append(
            {
                "answer": _text(answer)[:MAX_ANSWER],
                "unanswered": sorted(surroundings.unanswered)[:MAX_UNANSWERED],
            }
        )
    return answers


def _replace(module: Any, replacements: dict[str, Any]) -> None:
    module.function_injections.update(replacements)
    for name, function in replacements.items():
        setattr(module, name, function)  # isInNet calls dnsResolve by its module


def _limit(seconds: int) -> None:
    for limit, maximum in (
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CPU, seconds),
    ):
        resource.setrlimit(limit, (maximum, maximum))
    with contextlib.suppress(ValueError, OSError):  # macOS knows this limit and does not take it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _first_ipv4(addresses: list[str], default: str) -> str:
    for address in addresses:
        if ":" not in address:
            return address
    return default


def _text(answer: Any) -> str:
    if answer is None:
        return ""
    return answer if isinstance(answer, str) else repr(answer)


def main() -> None:
    """Run the script of the document on standard input."""
    try:
        reply: dict[str, Any] = {"answers": run(json.load(sys.stdin))}
    except Exception as error:  # noqa: BLE001 - whatever a script causes is reported, not raised
        reply = {"error": f"{type(error).__name__}: {error}"[:300]}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
