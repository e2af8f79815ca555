# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proxy scripts (PAC): fetched by the PC, since it may see another one than the controller, and run here.

The PC fetches the script as a probe with a name of its own, directly, as Windows does. The script
runs in a process that has no files, no network, little memory and a few seconds (pac_process). What
it asks about its surroundings is answered with what the PC found: the addresses of the endpoints'
names, and its own. Anything else is not known, and an answer that rests on it is not used.

WinHTTP fetches scripts over http and https only. Windows runs them in an engine that is older than
the one here, so an answer that rests on newer syntax is not used either.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ETS6Error
from ..probes import DIRECT, UNREADABLE, HttpAnswer, Probe
from ..snapshot import Snapshot
from ..text import one_line
from ..wire import SnapshotError, expect, items, text
from .lists import without_logins

SECONDS = 3
"""How long a script may run for all endpoints together."""
START_SECONDS = 5
"""How long the process that runs it may take to start."""
HOST_SECONDS = 15
"""How long all scripts of a host may take together: each user of the PC can name another one."""
MAX_SCRIPT = 1024 * 1024
"""Bytes of a script that the PC sends: one that fills them was cut off."""
MAX_TEXT = 300
NOT_KNOWN = "which the engine of Windows may not know"
MAX_OWN_ADDRESSES = 16
DEFAULT_CLOCK = "2000-01-01T00:00:00Z"
DEFAULT_PORT = 80

_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_ENGINE_LIMITS = re.compile("InternalError|Maximum call stack")
"""What QuickJS' errors about its own limits say."""
_NO_CODE = re.compile(
    r"""/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:[^"\\\n]|\\.)*(?P<end>"?)|'(?:[^'\\\n]|\\.)*(?P<close>'?)""",
    re.DOTALL,
)
"""Comments and texts of JavaScript.

A script may be hostile, so each match ends somewhere: the time grows with the script's length alone.
"""
_NEWER_SYNTAX = (
    (re.compile(r"\?\?"), "the operator ??"),
    (re.compile(r"\?\.(?![0-9])"), "the operator ?."),
    (re.compile(r"=>"), "arrow functions"),
    (re.compile(r"`"), "template literals"),
    (re.compile(r"\.\.\."), "the spread operator"),
    (re.compile(r"\*\*"), "the operator **"),
    (re.compile(r"\bfor\s*\(\s*(?:var|let|const)\s[^;)]{0,80}\sof\s"), "for … of"),
    (re.compile(r"\bfunction\b[^({]{0,80}\([^)]{0,200}="), "default parameters"),
    (re.compile(r"\bvar\s*[\[{]"), "destructuring"),
    (re.compile(r"\basync\s+function\b|\bfunction\s*\*"), "async functions or generators"),
    (re.compile(r"\(\?<"), "lookbehind or named groups"),
    (re.compile(r"\b(?:let|const|class)\s+[A-Za-z_$\[{]"), "let, const or class"),
)
_HTTP_KEYWORDS = frozenset({"PROXY", "HTTP"})
_KEYWORDS = _HTTP_KEYWORDS | {"SOCKS", "SOCKS4", "SOCKS5"}


class PacError(ETS6Error):
    """A script could not be fetched or run.

    is_unfetched: the PC did not get it, so Windows continues without it. is_empty: it does not work,
    so .NET Framework continues as if it named no proxy.
    """

    def __init__(self, text: str, *, is_unfetched: bool = False, is_empty: bool = False) -> None:
        super().__init__(text)
        self.is_unfetched = is_unfetched
        self.is_empty = is_empty


class NotFetchedError(PacError):
    """The PC was not asked yet."""


@dataclass(frozen=True)
class Answer:
    """What a script answers for one URL.

    unanswered are its questions that could not be answered, doubt is why Windows may get another
    answer: the text must not be used then. error is what the script threw.
    """

    text: str
    unanswered: tuple[str, ...] = ()
    error: str = ""
    doubt: str = ""


_REMAINING: ContextVar[list[float] | None] = ContextVar("remaining", default=None)
"""The seconds that are left for the scripts of the host that is being judged, in a list of one."""


@contextmanager
def budget(seconds: float = HOST_SECONDS) -> Iterator[None]:
    """Bound what all scripts of a host may take together; later ones are not run."""
    token = _REMAINING.set([seconds])
    try:
        yield
    finally:
        _REMAINING.reset(token)


def is_fetchable(url: str) -> bool:
    """Return whether a script is one that WinHTTP fetches, and so a probe."""
    return url.lower().startswith(("http://", "https://"))


def probe(url: str) -> dict[str, Any]:
    """Return the probe that fetches a script, as windows_host takes it."""
    return {"name": _probe_name(url), "url": url, "proxies": [DIRECT], "max_body": MAX_SCRIPT}


def failure(url: str, error: str) -> str:
    """Return a clause on a script that does not work."""
    return f"the script {without_logins(url)} fails ({error})"


def is_fetched(snapshot: Snapshot, url: str) -> bool:
    """Return whether the PC tried to fetch the script."""
    return _find_probe(snapshot, url) is not None


def answers(
    snapshot: Snapshot,
    url: str,
    servers: Sequence[tuple[str, str]],
    addresses: Mapping[str, Sequence[str]],
) -> list[Answer]:
    """Return what the script at url answers for each server, given as URL and host name.

    addresses are those that the PC resolved, by name in lower case. Raises PacError.
    """
    title = without_logins(url)
    script_probe = _find_probe(snapshot, url)
    if script_probe is None:
        raise NotFetchedError(f"the script {title} was not fetched")
    script = _script(script_probe, title)
    document = {
        "script": script,
        "urls": list(servers),
        "names": {name: list(values) for name, values in addresses.items()},
        "own": _own_addresses(snapshot, script_probe),
        "clock": str(snapshot.host.get("time") or DEFAULT_CLOCK),
        "seconds": SECONDS,
    }
    raw_answers = _run(json.dumps(document, sort_keys=True), url)
    if isinstance(raw_answers, PacError):
        raise raw_answers
    newer = newer_syntax(script)
    if not newer:
        return list(raw_answers)
    doubt = f"it uses {newer}, {NOT_KNOWN}"
    return [replace(answer, doubt=doubt) for answer in raw_answers]


def resolved(snapshot: Snapshot, hosts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the addresses that the PC resolved by host name in lower case.

    hosts are names of probes, each with its host name. A name that does not exist has no addresses;
    one that was not looked up is left out.
    """
    direct = {probe.name: probe for probe in snapshot.probes or () if probe.route == DIRECT}
    addresses = {}
    for name, host in hosts:
        probe = direct.get(name)
        if probe is None or probe.stage == UNREADABLE:
            continue
        if probe.addresses or probe.error is None or probe.error.kind == "not_found":
            addresses[host.lower()] = list(probe.addresses)
    return addresses


def parse_answer(answer: str) -> tuple[str, ...]:
    """Return the routes that an answer names, in order; empty where it could not be determined.

    A route is ``host:port``, or DIRECT, which ends the list. Windows separates by semicolons and
    blanks, and leaves out SOCKS (.NET reference source, WinHttpWebProxyFinder; Chromium,
    proxy_resolver_winhttp.cc). What it does where another word comes first is not known.
    """
    words = list(filter(None, re.split(r"[;\s]+", answer)))
    if not words or words[0].upper() == "DIRECT":
        return (DIRECT,)
    routes: list[str] = []
    for keyword, address in zip(words[::2], words[1::2], strict=False):
        match = _ADDRESS.fullmatch(address)
        if match is None or keyword.upper() not in _KEYWORDS:
            break
        if keyword.upper() in _HTTP_KEYWORDS:
            routes.append(f"{match[1].lower()}:{match[2] or DEFAULT_PORT}")
    return tuple(routes)


def _probe_name(url: str) -> str:
    return f"pac {url}"


def _find_probe(snapshot: Snapshot, url: str) -> Probe | None:
    key = (_probe_name(url), DIRECT)
    for candidate in snapshot.probes or ():
        if candidate.key == key:
            return candidate
    return None


def _script(script_probe: Probe, title: str) -> str:
    """Return the text of a script. Raises PacError."""
    if script_probe.stage == UNREADABLE:
        raise PacError(f"the reply about the script {title} cannot be read: {script_probe.problem}")
    if script_probe.stage == "queue":
        raise PacError(
            f"the script {title} was not fetched: the time for all probes was over before its turn"
        )
    answer = script_probe.http
    if script_probe.error or answer is None:
        kind = script_probe.error.kind if script_probe.error else "closed"
        raise PacError(
            f"the script {title} could not be fetched ({kind} at {script_probe.stage})",
            is_unfetched=True,
        )
    _refuse_status(answer, title)
    if script_probe.tls and script_probe.tls.policy_errors:
        raise PacError(
            f"the script {title} could not be fetched (the PC does not trust the server's "
            "certificate)",
            is_unfetched=True,
        )
    if len(answer.body) >= MAX_SCRIPT:
        raise PacError(f"the script {title} has {MAX_SCRIPT} bytes or more, which are not read")
    return answer.body.decode("utf-8-sig", errors="replace")


def _refuse_status(answer: HttpAnswer, title: str) -> None:
    """Raise PacError for a status other than 200."""
    if answer.status == 401:
        raise PacError(
            f"the script {title} is behind a login (HTTP 401); Windows asks again with the user's, "
            "which is not done here"
        )
    if 300 <= answer.status < 400:
        raise PacError(
            f"the script {title} was moved (HTTP {answer.status}); Windows may follow, which is not "
            "done here"
        )
    if answer.status != 200:
        raise PacError(
            f"the script {title} could not be fetched (HTTP {answer.status})", is_unfetched=True
        )


def _own_addresses(snapshot: Snapshot, script_probe: Probe) -> list[str]:
    """Return the addresses that the PC may give a script as its own; empty where they are not known.

    A host that only probes has a place in the PCs' network, but not their addresses: the one that it
    fetched the script from is taken for theirs.
    """
    addresses = snapshot.addresses
    if addresses is None:
        addresses = (script_probe.local,) if snapshot.vantage and script_probe.local else ()
    usable = []
    for text_address in addresses:
        try:
            address = ipaddress.ip_address(text_address.partition("%")[0])
        except ValueError:
            continue
        if not address.is_loopback:
            usable.append(str(address))
    return usable[:MAX_OWN_ADDRESSES]


def newer_syntax(script: str) -> str:
    """Return what a script uses that ECMAScript 5 does not have; empty where nothing was found."""
    code = _NO_CODE.sub(_unless_code, script)
    for pattern, name in _NEWER_SYNTAX:
        if pattern.search(code):
            return name
    return ""


def _unless_code(match: re.Match[str]) -> str:
    """Return a blank for a comment or a text. A quote without its second one is in something else."""
    is_text = match[0][0] in "\"'"
    if is_text and not match["end"] and not match["close"]:
        return match[0]
    return " "


@lru_cache(maxsize=1_000)
def _run(document: str, url: str) -> tuple[Answer, ...] | PacError:
    """Run a script once, and return its failure, so that it is remembered, too.

    Raises PacError where the host's time for scripts is over: another host has its own.
    """
    remaining = _REMAINING.get()
    if remaining is not None and remaining[0] <= 0:
        raise PacError(
            f"the script {without_logins(url)} was not run, since the proxy scripts of this PC took "
            f"more than {HOST_SECONDS} seconds"
        )
    begun = time.monotonic()
    try:
        return _run_process(document, url)
    except PacError as error:
        return error
    except SnapshotError as error:
        return PacError(f"the answer about the script {without_logins(url)} is odd: {error}")
    finally:
        if remaining is not None:
            remaining[0] -= time.monotonic() - begun


def _run_process(document: str, url: str) -> tuple[Answer, ...]:
    """Run a script in a process of its own. Raises PacError and SnapshotError."""
    title = without_logins(url)
    try:
        process = subprocess.run(  # noqa: S603 - this collection's own file, by this interpreter
            [sys.executable, "-P", str(Path(__file__).with_name("pac_process.py"))],
            input=document.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            timeout=SECONDS + START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PacError(f"the script {title} does not come to an end") from None
    except OSError as error:
        raise PacError(f"the script {title} could not be run: {error.strerror}") from None
    try:
        reply = expect(dict, json.loads(process.stdout), "reply")
    except (ValueError, SnapshotError):
        raise PacError(
            f"the script {title} takes more than {SECONDS} seconds, or too much memory, and was "
            "ended"
        ) from None
    if "error" in reply:
        raise _script_error(one_line(str(reply["error"]), MAX_TEXT), url)
    return items(_parse_answer, reply.get("answers"), "answers")


def _script_error(message: str, url: str) -> PacError:
    """Return the error of a script that could not be read, or of the process itself."""
    if message.startswith("ModuleNotFoundError"):
        return PacError(
            f"the script {without_logins(url)} could not be run: the controller lacks a Python "
            f"package of pypac ({message})"
        )
    return PacError(failure(url, message), is_empty=_is_of_script(message))


def _is_of_script(message: str) -> bool:
    """Return whether an error is the script's own: what the engine here runs out of is not."""
    return message.startswith("JSRuntimeError") and not _ENGINE_LIMITS.search(message)


def _parse_answer(raw: Any, place: str) -> Answer:
    record = expect(dict, raw, place)
    unanswered = items(text, record.get("unanswered"), f"{place}.unanswered")
    error = one_line(text(record.get("error"), f"{place}.error"), MAX_TEXT)
    doubt = ""
    needs_newer = expect(bool, record.get("needs_newer"), f"{place}.needs_newer")
    if error and not _is_of_script(error):
        doubt, error = f"the engine here gave up ({error})", ""
    elif needs_newer and not error:
        doubt = f"it uses a newer function of JavaScript, {NOT_KNOWN}"
    return Answer(
        one_line(text(record.get("answer"), f"{place}.answer"), MAX_TEXT),
        tuple(one_line(question, MAX_TEXT) for question in unanswered),
        error,
        doubt,
    )
