# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the policy is applied to: a live PC, an image, or a host that only probes.

A target observes and changes; nothing else differs between the three. What runs there is a module
of this collection, which decides nothing.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import operations
from .errors import ETS6Error
from .finding import Change
from .policy.variables import Policy
from .probes import Probe
from .proxy.context import ProxyContext
from .reachability import probe_plan, session
from .snapshot import Registry, Snapshot, User
from .text import count, one_line, sentence
from .wire import SnapshotError, expect, items, text

NOT_DETERMINED = (
    "which of them were carried out could not be determined. The next run reads everything again."
)
SESSION_PROBE = "ets6.network.windows_session_probe"

Request = Mapping[str, Any]
"""Options of windows_host, which windows_image and endpoint_probe share."""
Execute = Callable[[str, dict[str, Any]], Mapping[str, Any]]
"""Runs a module by its full name with its options, and returns its result."""
_Result = tuple[str, str]
"""What became of an operation: one of STATES, and the error on one line."""
STATES = ("done", "failed", "not_done", "restored")
MAX_MESSAGE = 1000
"""Characters of a message of a target. That about an image has its path, and what to do, in it."""
Step = tuple[Change, dict[str, Any]]
"""An operation in the form that the target takes, with the change that it is a part of."""

PROBING_HOST = Snapshot.from_wire({"version": 1}, vantage=True)
"""A host that only probes, before it was asked: its proxy is known from the variables alone."""


CONSTRAINED = "ConstrainedLanguage"
"""In the ids of the errors that PowerShell raises where it is constrained, in every language."""


class TargetError(ETS6Error):
    """A target could not be observed, or its reply cannot be used."""


@dataclass(frozen=True)
class ChangeResult:
    """What became of changes.

    snapshot is what was observed afterwards, made the changes that were carried out, failures a
    sentence for each operation that was not. restarts has a sentence, by the subject of the change,
    for each change that has to wait for a restart of the PC. sent are changes of which it is not
    known what became of them; failures then says why.
    """

    snapshot: Snapshot
    made: Sequence[Change]
    failures: Sequence[str]
    restarts: Mapping[str, str] = field(default_factory=dict)
    sent: Sequence[Change] = ()


class Target(ABC):
    """One host or image. name stands in errors: ``The PC``."""

    name: str
    module: str
    rehearses = False
    """Whether changes are sent in check mode, too: the module makes them and throws them away."""
    offline = False
    vantage = False
    all_or_nothing = False
    """Whether an error means that nothing was changed."""

    def __init__(self, execute: Execute, policy: Policy) -> None:
        self.execute = execute
        self.policy = policy

    @abstractmethod
    def options(self, request: Request) -> dict[str, Any]:
        """Return the module's options for a request."""

    def first_request(self, request: Request) -> Request:
        """Return what is asked of the target first. request: what the controls have to know."""
        return request

    def observe(self, request: Request) -> Snapshot:
        """Read and probe. Raises TargetError; Ansible reports what keeps it from connecting."""
        return self._run(request)[0]

    def change(
        self, changes: Sequence[Change], registry: Registry, request: Request
    ) -> ChangeResult:
        """Make the changes, then read and probe. Raises TargetError."""
        steps = self._steps(changes, registry)
        wire = [operation for _change, operation in steps]
        snapshot, results = self._run({**request, "operations": wire})
        if len(results) != len(steps):
            raise TargetError(
                f"{self.name} reported on {len(results)} of {count(len(steps), 'operation')}."
            )
        return _outcome(snapshot, changes, steps, results)

    def observe_as_user(
        self, user: User, probes: Sequence[Mapping[str, str]], snapshot: Snapshot
    ) -> Snapshot:
        """Probe in the session of a user, and return the snapshot with the results.

        Where that fails nothing is proven; the snapshot's errors say why.
        """
        reply = self.execute(
            SESSION_PROBE,
            {
                "sid": user.sid,
                "probes": [{"name": probe["name"], "url": probe["url"]} for probe in probes],
                "timeout": self.policy.probe_timeout,
            },
        )
        results: Sequence[Probe] = ()
        error = _message(reply)
        if "lines" in reply:
            results, error = session.read_results(reply["lines"], user, probes)
        errors = dict(snapshot.errors)
        if error:
            errors["session"] = "; ".join(filter(None, [errors.get("session", ""), error]))
        probed = dataclasses.replace(snapshot, probes=tuple(results))
        return dataclasses.replace(snapshot.with_probes(probed), errors=errors)

    def _run(self, request: Request) -> tuple[Snapshot, Sequence[_Result]]:
        reply = self.execute(self.module, self.options(request))
        if "snapshot" not in reply:
            raise TargetError(self._why_not_read(_message(reply)))
        try:
            # What kind of host it is, the controller knows.
            snapshot = Snapshot.unpack(
                reply["snapshot"], offline=self.offline, vantage=self.vantage
            )
            return snapshot, items(_parse_result, reply.get("operations") or [], "operations")
        except SnapshotError as error:
            raise TargetError(f"{self.name} sent a reply that cannot be used: {error}") from error

    def _why_not_read(self, message: str) -> str:
        """Return a sentence. message: the module's."""
        return f"{self.name} could not be read: {message}"

    def _steps(self, changes: Sequence[Change], registry: Registry) -> list[Step]:
        """Return every operation, in order. registry: what is there before the first."""
        steps: list[Step] = []
        for change in changes:
            steps += [(change, operation.to_wire()) for operation in change.operations]
        return steps

    def _probe_timeout(self, request: Request) -> int:
        """Return the seconds that the probes of a request may take."""
        probes = request.get("probes")
        return (
            probe_plan.probe_seconds(probes, self.policy) if probes else self.policy.probe_timeout
        )


class WindowsPC(Target):
    """A live PC."""

    name = "The PC"
    module = "ets6.network.windows_host"

    def options(self, request: Request) -> dict[str, Any]:
        """Return the options of windows_host."""
        return {**request, "probe_timeout": self._probe_timeout(request)}


class ProbingHost(Target):
    """A host that is not a Windows PC: it only probes."""

    name = "The host, which is not a Windows PC according to its connection,"
    module = "ets6.network.endpoint_probe"
    vantage = True

    def first_request(self, request: Request) -> Request:
        """Return the probes with explicit proxies: the host has no proxy settings of its own."""
        context = ProxyContext(PROBING_HOST, self.policy)
        return {"probes": probe_plan.missing_probes(context)}

    def options(self, request: Request) -> dict[str, Any]:
        """Return the options of endpoint_probe."""
        return {**request, "probe_timeout": self._probe_timeout(request)}


class WindowsImage(Target):
    """An image on the controller. image: its path and, where it holds several, the index.

    restore: whether a change that was interrupted is undone first.
    """

    module = "ets6.network.windows_image"
    rehearses = True
    offline = True
    all_or_nothing = True

    def __init__(
        self, execute: Execute, policy: Policy, image: Mapping[str, Any], *, restore: bool
    ) -> None:
        super().__init__(execute, policy)
        self.image = {**image, "restore": restore}
        self.name = f"The image {image.get('path')}"

    def options(self, request: Request) -> dict[str, Any]:
        """Return the options of windows_image, which probes nothing."""
        options = {**self.image, **request}
        options.pop("probes", None)
        return options

    def _why_not_read(self, message: str) -> str:
        """Return a sentence. That of windows_image names the image, and what to do comes last in it."""
        if str(self.image.get("path")) in message:
            return message
        return super()._why_not_read(message)

    def _steps(self, changes: Sequence[Change], registry: Registry) -> list[Step]:
        """Return the operations as registry values."""
        steps: list[Step] = []
        for change in changes:
            wire = operations.as_registry_operations(change.operations, registry)
            steps += [(change, operation) for operation in wire]
            registry = operations.predict(change.operations, registry)
        return steps


def _parse_result(raw: Any, place: str) -> _Result:
    record = expect(dict, raw, place)
    state = record.get("state")
    if state not in STATES:
        raise SnapshotError(f"{place}.state: expected one of {', '.join(STATES)}")
    error = text(record.get("error", ""), f"{place}.error")
    return state, one_line(error, MAX_MESSAGE)


def _outcome(
    snapshot: Snapshot,
    changes: Sequence[Change],
    steps: Sequence[Step],
    results: Sequence[_Result],
) -> ChangeResult:
    failures = []
    restarts = {}
    failed_subjects = set()
    not_begun = 0
    for (change, operation), result in zip(steps, results, strict=True):
        state, error = result
        if state == "done":
            continue
        failed_subjects.add(change.subject)
        if state == "not_done" and not error:
            not_begun += 1
        elif operations.NOT_KNOWN_TO_SERVICE in error:
            restarts[change.subject] = _restart(change)
        else:
            failures.append(_failure(change, operation, result))
    if not_begun:
        failures.append(f"Not begun: {not_begun} more.")
    made = [change for change in changes if change.subject not in failed_subjects]
    return ChangeResult(snapshot, made, failures, restarts)


def _restart(change: Change) -> str:
    return (
        f"{sentence(change.subject)} was not changed: the firewall's service does not know this "
        "rule, which the registry has. Restart the PC; the next run then changes it, if the "
        "service takes the rule when it starts (docs/assumptions.md)."
    )


def _failure(change: Change, operation: Mapping[str, Any], result: _Result) -> str:
    state, error = result
    cause = f" ({error})" if error else ""
    return f"{change.subject}: {operation['do']} {state}{cause}."


def _message(reply: Mapping[str, Any]) -> str:
    # Where a module does not begin, Ansible's message says that no JSON was found; why, only stderr.
    texts = [str(reply[key]).strip() for key in ("msg", "module_stderr") if reply.get(key)]
    message = ": ".join(texts) or "no reason was given"
    if CONSTRAINED in message.replace(" ", ""):
        return (
            "PowerShell runs in ConstrainedLanguage mode there, which AppLocker or App Control for "
            "Business sets. Nothing was tried; allow scripts for the account that Ansible uses."
        )
    return one_line(message, MAX_MESSAGE)
