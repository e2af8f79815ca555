# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A process in which one PAC script runs.

A script is a program of unknown origin, so it gets no files, no network, little time and memory. The
process reads one JSON document from standard input and writes one to standard output, see pac.
PyPAC brings the functions that a script may call, dukpy the JavaScript engine (QuickJS). Of the
functions, those that ask the name service or the clock are replaced here, since the answers have to
be the PC's and not the controller's.

The engine of Windows is older than QuickJS, and how old depends on Windows. So each script also runs
without the functions that ECMAScript 3 does not have: an answer that differs there rests on one.

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
CHANCE = "a value that is random or changes from call to call"
RANDOM_NUMBERS = (0.0, 0.5, 0.999)
"""What Math.random gives, one call of the script after the other."""
OLD_FUNCTIONS = {
    "Object": "",
    "Object.prototype": "hasOwnProperty isPrototypeOf propertyIsEnumerable",
    "Function.prototype": "apply call",
    "Array": "",
    "Array.prototype": "concat join pop push reverse shift slice sort splice unshift",
    "String": "fromCharCode",
    "String.prototype": "charAt charCodeAt concat indexOf lastIndexOf localeCompare match replace "
    "search slice split substr substring toLocaleLowerCase toLocaleUpperCase toLowerCase "
    "toUpperCase",
    "Number": "MAX_VALUE MIN_VALUE NaN NEGATIVE_INFINITY POSITIVE_INFINITY",
    "Number.prototype": "toExponential toFixed toPrecision",
    "Math": "E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor "
    "log max min pow random round sin sqrt tan",
    "Date": "UTC parse",
}
"""What objects have in ECMAScript 3 (ECMA-262, 3rd edition, 15 and B.2), and no more is left.

Date.prototype has more old functions than new ones: NEW_NAMES names the new ones.
"""
OLD_EVERYWHERE = "constructor length name prototype toLocaleString toString valueOf"
NEW_NAMES = {
    "Date.prototype": "toISOString toJSON",
    "globalThis": "AggregateError Atomics BigInt DOMException FinalizationRegistry Iterator Map "
    "Promise Proxy Reflect Set Symbol WeakMap WeakRef WeakSet console performance process "
    "queueMicrotask require globalThis",
}
"""Names that are newer, or that only this engine has."""


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

    def alert(*_messages: Any) -> None:
        """Do nothing: PyPAC's takes one message only."""

    basic = {
        "alert": alert,
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
    """A script in the engine, with the functions that Windows gives it.

    old: without the functions that ECMAScript 3 does not have.
    """

    def __init__(self, engine: Any, text: str, functions: _Functions, *, old: bool) -> None:
        self._engine = engine
        if old:
            engine.evaljs(_removal())
        engine.evaljs("Math.random = function () { return dukpy['random']; }; void 0;")
        for name, function in functions.basic.items():
            self._add(name, function)
        engine.evaljs(text, random=RANDOM_NUMBERS[0])
        self._entry = "FindProxyForURL"
        if engine.evaljs(f"typeof {self._entry}Ex") == "function":
            self._entry += "Ex"
            for name, function in functions.extended.items():
                self._add(name, function)

    def answer(self, url: str, host: str, random: float) -> str:
        """Return what the script answers, as text."""
        call = f"{self._entry}(dukpy['url'], dukpy['host'])"
        answer = self._engine.evaljs(call, url=url, host=host, random=random)
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


def _removal() -> str:
    """Return a script that removes what ECMAScript 3 does not have."""
    lines = []
    for name, old_names in OLD_FUNCTIONS.items():
        kept = json.dumps(f"{old_names} {OLD_EVERYWHERE}".split())
        lines.append(
            f"Object.getOwnPropertyNames({name}).filter(function (found) {{"
            f" return {kept}.indexOf(found) < 0; }})"
            f".map(function (found) {{ removed.push([{name}, found]); }});"
        )
    for name, new_names in NEW_NAMES.items():
        for new_name in new_names.split():
            lines.append(f"removed.push([{name}, {json.dumps(new_name)}]);")
    removal = "for (var i = 0; i < removed.length; i++) delete removed[i][0][removed[i][1]];"
    return f"(function () {{ var removed = []; {''.join(lines)} {removal} }})(); void 0;"


def run(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the script for every URL, and return its answers."""
    from pypac import parser_functions, parser_functions_ex

    # The engine shows its environment to the script. It reads files of its own when it starts, so it
    # has to start before the limits are set; the same holds for PyPAC's late imports.
    for module_name in ("calendar", "fnmatch"):
        importlib.import_module(module_name)
    os.environ.clear()
    dukpy: Any = importlib.import_module("dukpy")
    engine, old_engine = dukpy.JSInterpreter(), dukpy.JSInterpreter()
    clock = datetime.fromisoformat(document["clock"])
    surroundings = Surroundings(document["names"], document["own"], clock)
    functions = _functions(surroundings)
    _replace(parser_functions, functions.basic)
    _replace(parser_functions_ex, functions.extended)
    parser_functions._now = surroundings.now
    _limit(int(document["seconds"]))
    every_function = _Functions(
        parser_functions.function_injections, parser_functions_ex.function_injections
    )
    text = document["script"]
    script = Script(engine, text, every_function, old=False)
    old_script = _old_script(old_engine, text, every_function)
    return [_ask(script, old_script, surroundings, url, host) for url, host in document["urls"]]


def _old_script(engine: Any, text: str, functions: _Functions) -> Script | None:
    """Return the script in an old engine; None where it does not work there at all."""
    try:
        return Script(engine, text, functions, old=True)
    except Exception:  # noqa: BLE001 - whatever a script causes is reported, not raised
        return None


def _ask(
    script: Script, old_script: Script | None, surroundings: Surroundings, url: str, host: str
) -> dict[str, Any]:
    """Return the answer for a URL. What the script throws there costs no other URL its answer."""
    surroundings.unanswered.clear()
    surroundings.uses_own = False
    surroundings.first = 0
    answer, error = _call(script, url, host)
    for random in RANDOM_NUMBERS[1:]:
        if _call(script, url, host, random) != (answer, error):
            surroundings.unanswered.add(CHANCE)
            break
    for first in range(1, surroundings.count_own()):
        if not surroundings.uses_own:
            break
        surroundings.first = first
        if _call(script, url, host) != (answer, error):
            surroundings.unanswered.add(f"{OWN_ADDRESS}, of which it has several")
            break
    unanswered = sorted(surroundings.unanswered)[:MAX_UNANSWERED]
    surroundings.first = 0
    return {
        "answer": answer[:MAX_ANSWER],
        "error": error[:MAX_ERROR],
        "unanswered": unanswered,
        "needs_newer": old_script is None or _call(old_script, url, host) != (answer, error),
    }


def _call(
    script: Script, url: str, host: str, random: float = RANDOM_NUMBERS[0]
) -> tuple[str, str]:
    """Return the answer and what was thrown."""
    try:
        return script.answer(url, host, random), ""
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
