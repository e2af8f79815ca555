# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A process in which one PAC script runs.

A script is a program of unknown origin, so it gets no files, no network, little time and memory. The
process reads one JSON document from standard input and writes one to standard output, see pac.
PyPAC brings the functions that a script may call, dukpy the JavaScript engine (QuickJS). Of the
functions, those that ask the name service or the clock are replaced here, since the answers have to
be the PC's and not the controller's.

Where a script has FindProxyForURLEx, Windows calls that one, and only then are there the functions
whose names end in Ex (Microsoft Learn, IPv6-aware proxy helper API definitions).
"""

from __future__ import annotations

import contextlib
import importlib
import ipaddress
import json
import os
import resource
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MEMORY = 512 * 1024 * 1024
MAX_ANSWER = 2000
MAX_UNANSWERED = 5
MAX_NAME = 100
MAX_ERROR = 300
OWN_ADDRESS = "the PC's own address"


class Surroundings:
    """Answers what a script asks about its surroundings, and notes what could not be answered.

    first is the index of the address that the PC gives as its own first: Windows does not say which
    one of several that is.
    """

    def __init__(self, names: dict[str, list[str]], own: list[str], clock: datetime) -> None:
        self._names = names
        self._own = own
        self._clock = clock
        self.first = 0
        self.uses_own = False
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
        self.uses_own = True
        if not self._own:
            self.unanswered.add(OWN_ADDRESS)
        return self._own[self.first :] + self._own[: self.first]

    def count_own(self) -> int:
        """Return how many addresses the PC has."""
        return len(self._own)

    def now(self, utc: bool = False) -> datetime:
        """Return the PC's time. Its time zone is not known."""
        if not utc:
            self.unanswered.add("the PC's local time")
        return self._clock


@dataclass(frozen=True)
class _Functions:
    """Functions for scripts by name: those of every script, and those of a script with …Ex."""

    basic: dict[str, Any]
    extended: dict[str, Any]


def _functions(surroundings: Surroundings) -> _Functions:
    """Return the functions that replace PyPAC's."""

    def resolve(host: Any) -> str:
        return _first_ipv4(surroundings.addresses(host), "")

    def is_resolvable(host: Any) -> bool:
        return bool(resolve(host))

    def my_address() -> str:
        address = _first_ipv4(surroundings.own_addresses(), "")
        if not address:
            surroundings.unanswered.add(OWN_ADDRESS)
        return address or "127.0.0.1"

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
    return _Functions(basic, extended)


class Script:
    """A script in the engine, with the functions that Windows gives it."""

    def __init__(self, engine: Any, text: str, functions: _Functions) -> None:
        self._engine = engine
        for name, function in functions.basic.items():
            self._add(name, function)
        engine.evaljs(text)
        self._entry = "FindProxyForURL"
        if engine.evaljs(f"typeof {self._entry}Ex") == "function":
            self._entry += "Ex"
            for name, function in functions.extended.items():
                self._add(name, function)

    def answer(self, url: str, host: str) -> str:
        """Return what the script answers, as text."""
        call = f"{self._entry}(dukpy['url'], dukpy['host'])"
        answer = self._engine.evaljs(call, url=url, host=host)
        if answer is None:
            return ""
        return answer if isinstance(answer, str) else repr(answer)

    def _add(self, name: str, function: Any) -> None:
        self._engine.export_function(name, function)
        self._engine.evaljs(
            f"{name} = function () {{"
            f" return call_python.apply(null, ['{name}'].concat([].slice.call(arguments))); }};"
            " void 0;"
        )


def run(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the script for every URL, and return its answers."""
    from pypac import parser_functions, parser_functions_ex

    # The engine shows its environment to the script. It reads files of its own when it starts, so it
    # has to start before the limits are set; the same holds for PyPAC's late imports.
    for module_name in ("calendar", "fnmatch"):
        importlib.import_module(module_name)
    os.environ.clear()
    dukpy: Any = importlib.import_module("dukpy")
    engine = dukpy.JSInterpreter()
    clock = datetime.fromisoformat(document["clock"])
    surroundings = Surroundings(document["names"], document["own"], clock)
    functions = _functions(surroundings)
    _replace(parser_functions, functions.basic)
    _replace(parser_functions_ex, functions.extended)
    parser_functions._now = surroundings.now
    _limit(int(document["seconds"]))
    script = Script(
        engine,
        document["script"],
        _Functions(parser_functions.function_injections, parser_functions_ex.function_injections),
    )
    return [_ask(script, surroundings, url, host) for url, host in document["urls"]]


def _ask(script: Script, surroundings: Surroundings, url: str, host: str) -> dict[str, Any]:
    """Return the answer for a URL. What the script throws there costs no other URL its answer."""
    surroundings.unanswered.clear()
    surroundings.uses_own = False
    surroundings.first = 0
    answer, error = _call(script, url, host)
    for first in range(1, surroundings.count_own()):
        if not surroundings.uses_own:
            break
        surroundings.first = first
        if _call(script, url, host) != (answer, error):
            surroundings.unanswered.add(f"{OWN_ADDRESS}, of which it has several")
            break
    return {
        "answer": answer[:MAX_ANSWER],
        "error": error[:MAX_ERROR],
        "unanswered": sorted(surroundings.unanswered)[:MAX_UNANSWERED],
    }


def _call(script: Script, url: str, host: str) -> tuple[str, str]:
    """Return the answer and what was thrown."""
    try:
        return script.answer(url, host), ""
    except Exception as error:  # noqa: BLE001 - whatever a script causes is reported, not raised
        return "", f"{type(error).__name__}: {error}"


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


def main() -> None:
    """Run the script of the document on standard input."""
    try:
        reply: dict[str, Any] = {"answers": run(json.load(sys.stdin))}
    except Exception as error:  # noqa: BLE001 - whatever a script causes is reported, not raised
        reply = {"error": f"{type(error).__name__}: {error}"[:MAX_ERROR]}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
