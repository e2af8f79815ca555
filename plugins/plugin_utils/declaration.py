# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How a control is declared: its words and the function that judges stand together, in one unit.

A family (``firewall``, ``proxy``, ``reach``) declares its controls in its module ``controls``:

    @FAMILY.control(
        control_id="firewall.in_charge",
        title="Windows Defender Firewall is active",
        headline="Windows Defender Firewall is not active",
        severity=Severity.MEDIUM,
        rationale="Why it matters.",
        remedy="What to do.",
    )
    def in_charge(context: FirewallContext) -> Judgement:
        ...

The order of the declarations is the order of the findings and of what their remedies do. Adding a
control takes such a unit and nothing else.

The runner (``controls``) decides what is common to all: whether a control is asked on this target
and in this state, and that no text of a host reaches a report uncleaned.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from .finding import Change, Contact, Control, Severity, Status
from .policy.variables import Policy


@dataclass(frozen=True)
class Judgement:
    """What the function of a control decides. The fields are those of a Finding."""

    status: Status
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: Sequence[Change] = ()
    advice: str = ""
    contact: Contact | None = None
    caused_by: str = ""

    def advise(self, advice: str, contact: Contact | None = None) -> Judgement:
        """Return this judgement with what to do, as an imperative, and who does it.

        Without it, and where there are no changes, a finding has the control's own remedy and
        contact.
        """
        return dataclasses.replace(self, advice=advice, contact=contact)

    def follow(self, control_id: str) -> Judgement:
        """Return this judgement as the consequence of another control that is not met."""
        return dataclasses.replace(self, caused_by=control_id)


def passed(reason: str, evidence: Mapping[str, Any] | None = None) -> Judgement:
    """Return that the control is met."""
    return Judgement(Status.PASS, reason, evidence or {})


def failed(
    reason: str, evidence: Mapping[str, Any] | None = None, remedy: Sequence[Change] = ()
) -> Judgement:
    """Return that the control is not met, and the changes that would meet it."""
    return Judgement(Status.FAIL, reason, evidence or {}, remedy)


def unknown(reason: str, evidence: Mapping[str, Any] | None = None) -> Judgement:
    """Return that it could not be determined whether the control is met."""
    return Judgement(Status.UNKNOWN, reason, evidence or {})


def not_applicable(reason: str, evidence: Mapping[str, Any] | None = None) -> Judgement:
    """Return that the control does not apply to this host."""
    return Judgement(Status.NOT_APPLICABLE, reason, evidence or {})


class Subject(Protocol):
    """What a control of which there are several is about, for example a program and a protocol."""

    @property
    def words(self) -> Mapping[str, str]:
        """The values of the placeholders in the control's id and texts, by their names."""


ContextT = TypeVar("ContextT")
SubjectT = TypeVar("SubjectT", bound=Subject)
Judge = Callable[[ContextT], Judgement]


@dataclass(frozen=True)
class Check(Generic[ContextT]):
    """One control of one policy, and how it is judged.

    judge_absent judges it where ets6_network_state is absent; None where it does not apply then.
    image is why it does not apply to an image; empty where it is judged there as on a live PC.
    """

    control: Control
    judge: Judge[ContextT]
    judge_absent: Judge[ContextT] | None
    image: str


@dataclass(frozen=True)
class Family(Generic[ContextT]):
    """The controls whose ids begin with the same word, in the order of their declarations.

    image: see Check; it counts for every control that says nothing itself. on_probing_hosts: the
    controls are also judged on a host that is not a Windows PC and only probes. contact: who meets
    its controls, unless a control or a finding names another.
    """

    name: str
    contact: Contact
    image: str = ""
    on_probing_hosts: bool = False
    _declarations: list[Callable[[Policy], Iterable[Check[ContextT]]]] = field(default_factory=list)

    def checks(self, policy: Policy) -> list[Check[ContextT]]:
        """Return every control that the policy calls for."""
        checks: list[Check[ContextT]] = []
        for declaration in self._declarations:
            checks.extend(declaration(policy))
        return checks

    def control(  # noqa: PLR0913 - the words of a control, by keyword only
        self,
        *,
        control_id: str,
        title: str,
        headline: str,
        severity: Severity,
        rationale: str,
        remedy: str,
        contact: Contact | None = None,
        needs: tuple[str, ...] = (),
        absent: Judge[ContextT] | None = None,
        image: str = "",
    ) -> Callable[[Judge[ContextT]], Judge[ContextT]]:
        """Declare a control that every policy has once.

        See Control for contact and needs, and Check for absent and image.
        """
        control = Control(
            control_id,
            title,
            headline,
            severity,
            rationale,
            remedy,
            contact or self.contact,
            needs,
        )

        def declare(judge: Judge[ContextT]) -> Judge[ContextT]:
            check = Check(control, judge, absent, image or self.image)
            self._declarations.append(lambda _policy: [check])
            return judge

        return declare

    def control_for_each(  # noqa: PLR0913 - the same
        self,
        subjects: Callable[[Policy], Iterable[SubjectT]],
        *,
        control_id: str,
        title: str,
        headline: str,
        severity: Severity | Callable[[SubjectT], Severity],
        rationale: str,
        remedy: str,
        contact: Contact | None = None,
        needs: tuple[str, ...] = (),
        absent: Callable[[ContextT, SubjectT], Judgement] | None = None,
        image: str = "",
    ) -> Callable[
        [Callable[[ContextT, SubjectT], Judgement]], Callable[[ContextT, SubjectT], Judgement]
    ]:
        """Declare a control for each subject of a policy. ``{placeholders}`` are the subject's words.

        See Control for contact and needs, and Check for absent and image.
        """

        def declare(
            judge: Callable[[ContextT, SubjectT], Judgement],
        ) -> Callable[[ContextT, SubjectT], Judgement]:
            def check(subject: SubjectT) -> Check[ContextT]:
                words = subject.words
                control = Control(
                    control_id.format_map(words),
                    title.format_map(words),
                    headline.format_map(words),
                    severity(subject) if callable(severity) else severity,
                    rationale.format_map(words),
                    remedy.format_map(words),
                    contact or self.contact,
                    needs,
                )
                judge_absent = None if absent is None else partial(_judge, absent, subject)
                return Check(
                    control, partial(_judge, judge, subject), judge_absent, image or self.image
                )

            self._declarations.append(lambda policy: map(check, subjects(policy)))
            return judge

        return declare


def _judge(
    judge: Callable[[ContextT, SubjectT], Judgement], subject: SubjectT, context: ContextT
) -> Judgement:
    return judge(context, subject)
