# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proxy scripts (PAC): fetched by the PC, since it may see another one than the controller, and run here.

The PC fetches the script as a probe of a name of its own, over no proxy, as Windows does. It is run by PyPAC in a process that
has no files, no network, little memory and a few seconds (pac_process.py). What the script asks of its surroundings is
answered with what the PC's probes found: the addresses of the endpoints' names, and its own. Anything else is not known, and
an answer that came about with it is none: the way is not told then, rather than guessed.
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
from ..probes import DIRECT, UNREADABLE, Probe
from ..snapshot import Snapshot
from .bypass import without_logins

SECONDS = 3
MAX_SCRIPT = 64 * 1024 - 1
"""A probe keeps 64 KB of a body: a script that fills them was cut off."""
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")


class PacError(ETS6Error):
    """A script could not be fetched or run. unfetched: the PC did not get it, so that Windows goes on without it."""

    def __init__(self, text: str, unfetched: bool = False) -> None:
        super().__init__(text)
        self.unfetched = unfetched


class NotFetchedError(PacError):
    """Nobody asked the PC yet."""


@dataclass(frozen=True)
class Answer:
    """What a script says of one URL. open lists what it asked and nobody could answer: the text is worth nothing then."""

    text: str
    open: tuple[str, ...] = ()


def probe(url: str) -> dict[str, Any]:
    """Return the probe that fetches a script, as windows_host takes it."""
    return {"name": _name(url), "url": url, "proxies": [""]}


def is_fetched(snapshot: Snapshot, url: str) -> bool:
    """Return whether the PC tried to fetch the script."""
    return _fetched(snapshot, url) is not None


def answers(snapshot: Snapshot, url: str, servers: Sequence[tuple[str, str]], names: Mapping[str, Sequence[str]]) -> list[Answer]:
    """Return what the script at url says of each server, given as URL and name.

    names are the addresses that the PC resolved, by name in lower case. Raises PacError.
    """
    shown = without_logins(url)
    found = _fetched(snapshot, url)
    if found is None:
        raise NotFetchedError(f"the script {shown} was not fetched")
    script = _script(found, shown)
    own = [found.local] if found.local else []
    clock = str(snapshot.host.get("time") or "2000-01-01T00:00:00Z")
    document = {"script": script, "urls": list(servers), "names": {key: list(value) for key, value in names.items()}, "own": own}
    return list(_run(json.dumps({**document, "clock": clock, "seconds": SECONDS}, sort_keys=True), shown))


def ways_of(answer: str) -> tuple[str, ...]:
    """Return the ways that a script names, in order: ``host:port``, and nothing for direct, which ends the list. Empty where they cannot be told.

    Windows separates by semicolons and blanks, leaves out SOCKS, and ends its list at DIRECT (.NET reference source,
    WinHttpWebProxyFinder; Chromium, proxy_resolver_winhttp.cc). Where something else comes first it is not known what it does.
    """
    words = [word for word in re.split(r"[;\s]+", answer) if word]
    if not words or words[0].upper() == "DIRECT":
        return ("",)
    found: list[str] = []
    while len(words) > 1:
        kind, address, *words = words
        match = _ADDRESS.fullmatch(address)
        if match is None or kind.upper() not in ("PROXY", "HTTP", "SOCKS", "SOCKS4", "SOCKS5"):
            break
        if not kind.upper().startswith("SOCKS"):
            found.append(f"{match[1].lower()}:{match[2] or 80}")
    return tuple(found)


def _name(url: str) -> str:
    return f"pac {url}"


def _fetched(snapshot: Snapshot, url: str) -> Probe | None:
    key = (_name(url), DIRECT)
    return next((probe for probe in snapshot.probes or () if probe.key == key), None)


def _script(probe: Probe, shown: str) -> str:
    """Return the text of a script. Raises PacError."""
    if probe.stage == UNREADABLE:
        raise PacError(f"the reply about the script {shown} cannot be read: {probe.problem}")
    if probe.stage == "queue":
        raise PacError(
            f"the script {shown} was not fetched: the time for all probes was over before its turn"
        )
    answer = probe.http
    if probe.error or answer is None:
        kind = probe.error.kind if probe.error else "closed"
        raise PacError(
            f"the script {shown} could not be fetched ({kind} at {probe.stage})", unfetched=True
        )
    if 300 <= answer.status < 400:
        raise PacError(
            f"the script {shown} was moved (HTTP {answer.status}); Windows may follow, which is not "
            "done here"
        )
    if answer.status != 200:
        raise PacError(
            f"the script {shown} could not be fetched (HTTP {answer.status})", unfetched=True
        )
    if probe.tls and probe.tls.policy_errors:
        raise PacError(
            f"the script {shown} could not be fetched (the PC does not trust the server's "
            "certificate)",
            unfetched=True,
        )
    if len(answer.body) > MAX_SCRIPT:
        raise PacError(f"the script {shown} is longer than {MAX_SCRIPT} bytes, which are not read")
    return answer.body.decode("utf-8-sig", errors="replace")


@lru_cache(maxsize=64)
def _run(document: str, shown: str) -> tuple[Answer, ...]:
    """Run a script in a process of its own."""
    try:
        done = subprocess.run(  # noqa: S603 - this collection's own file, by this very interpreter
            [sys.executable, "-P", str(Path(__file__).with_name("pac_process.py"))],
            input=document.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            timeout=SECONDS + 5,
            check=False,
        )
        reply = json.loads(done.stdout)
        if "error" in reply:
            missing = str(reply["error"]).startswith("ModuleNotFoundError")
            hint = ": the controller lacks the Python package pypac" if missing else ""
            raise PacError(f"the script {shown} fails{hint} ({_line(reply['error'])})")
        return tuple(Answer(_line(one["answer"]), tuple(_line(name) for name in one["open"])) for one in reply["answers"])
    except subprocess.TimeoutExpired:
        raise PacError(f"the script {shown} does not come to an end") from None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, PacError):
            raise
        raise PacError(f"the script {shown} takes more than {SECONDS} seconds, or too much memory, and was ended") from None
    except OSError as error:
        raise PacError(f"the script {shown} could not be run: {error.strerror}") from None


def resolved(snapshot: Snapshot, hosts: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what the PC resolved of the names of probes, given as probe's name and server's name."""
    direct = {probe.name: probe for probe in snapshot.probes or () if probe.route == DIRECT}
    addresses = {}
    for name, host in hosts:
        probe = direct.get(name)
        if probe is None or probe.stage == UNREADABLE:
            continue
        if probe.addresses or probe.error is None or probe.error.kind == "not_found":
            addresses[host.lower()] = list(probe.addresses)
    return addresses


def _line(text: Any) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", str(text))[:300]
