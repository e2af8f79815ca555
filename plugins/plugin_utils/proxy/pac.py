# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proxy scripts (PAC): fetched by the PC, since it may see another one than the controller, and run here.

The PC fetches the script as a probe with a name of its own, directly, as Windows does. PyPAC runs it
in a process that has no files, no network, little memory and a few seconds (pac_process). What the
script asks about its surroundings is answered with what the PC's probes found: the addresses of the
endpoints' names, and its own. Anything else is not known, and an answer that rests on it is not used.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
MAX_SCRIPT = 64 * 1024 - 1
"""A probe keeps 64 KB of a body: a script that fills them was cut off."""
MAX_TEXT = 300
DEFAULT_CLOCK = "2000-01-01T00:00:00Z"
DEFAULT_PORT = 80

_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_HTTP_KEYWORDS = frozenset({"PROXY", "HTTP"})
_KEYWORDS = _HTTP_KEYWORDS | {"SOCKS", "SOCKS4", "SOCKS5"}


class PacError(ETS6Error):
    """A script could not be fetched or run.

    unfetched: the PC did not get it, so Windows continues without it.
    """

    def __init__(self, text: str, *, unfetched: bool = False) -> None:
        super().__init__(text)
        self.unfetched = unfetched


class NotFetchedError(PacError):
    """The PC was not asked yet."""


@dataclass(frozen=True)
class Answer:
    """What a script answers for one URL.

    unanswered are its questions that could not be answered: the text must not be used then.
    """

    text: str
    unanswered: tuple[str, ...] = ()


def probe(url: str) -> dict[str, Any]:
    """Return the probe that fetches a script, as windows_host takes it."""
    return {"name": _probe_name(url), "url": url, "ways": [DIRECT]}


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
    document = {
        "script": _script(script_probe, title),
        "urls": list(servers),
        "names": {name: list(values) for name, values in addresses.items()},
        "own": [script_probe.local] if script_probe.local else [],
        "clock": str(snapshot.host.get("time") or DEFAULT_CLOCK),
        "seconds": SECONDS,
    }
    return list(_run(json.dumps(document, sort_keys=True), title))


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
            unfetched=True,
        )
    _refuse_status(answer, title)
    if script_probe.tls and script_probe.tls.policy_errors:
        raise PacError(
            f"the script {title} could not be fetched (the PC does not trust the server's "
            "certificate)",
            unfetched=True,
        )
    if len(answer.body) > MAX_SCRIPT:
        raise PacError(f"the script {title} is longer than {MAX_SCRIPT} bytes, which are not read")
    return answer.body.decode("utf-8-sig", errors="replace")


def _refuse_status(answer: HttpAnswer, title: str) -> None:
    """Raise PacError for a status other than 200."""
    if 300 <= answer.status < 400:
        raise PacError(
            f"the script {title} was moved (HTTP {answer.status}); Windows may follow, which is not "
            "done here"
        )
    if answer.status != 200:
        raise PacError(
            f"the script {title} could not be fetched (HTTP {answer.status})", unfetched=True
        )


@lru_cache(maxsize=64)
def _run(document: str, title: str) -> tuple[Answer, ...]:
    """Run a script in a process of its own. Raises PacError."""
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
        raise _script_error(one_line(str(reply["error"]), MAX_TEXT), title)
    return items(_parse_answer, reply.get("answers"), "answers")


def _script_error(message: str, title: str) -> PacError:
    if message.startswith("ModuleNotFoundError"):
        return PacError(
            f"the script {title} fails: the controller lacks the Python package pypac ({message})"
        )
    return PacError(f"the script {title} fails ({message})")


def _parse_answer(raw: Any, place: str) -> Answer:
    record = expect(dict, raw, place)
    unanswered = items(text, record.get("unanswered"), f"{place}.unanswered")
    return Answer(
        one_line(text(record.get("answer"), f"{place}.answer"), MAX_TEXT),
        tuple(one_line(question, MAX_TEXT) for question in unanswered),
    )
