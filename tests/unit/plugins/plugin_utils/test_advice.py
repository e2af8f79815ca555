# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a finding says to do, who does it, and what it follows from."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.declaration import (
    Family,
    Judgement,
    failed,
    passed,
    unknown,
)
from ansible_collections.ets6.network.plugins.plugin_utils.finding import (
    Change,
    Contact,
    Finding,
    Severity,
    Status,
    settle,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import (
    Policy,
    PolicyError,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import (
    Registry,
    Snapshot,
)

CHANGES = [Change(f"thing {number}", {"x": 1}, {"x": 2}, ()) for number in range(5)]
SNAPSHOT = Snapshot({}, {}, Registry({}), {}, (), (), {}, (), (), {})


def judge(
    judgement: Judgement,
    *,
    snapshot: Snapshot = SNAPSHOT,
    cause: Judgement | None = None,
    **policy: Any,
) -> Finding:
    """Return the finding of a control that needs another one, which has the cause's judgement."""
    family: Family[None] = Family("made", Contact.NETWORK)
    words = {"title": "T", "headline": "H", "rationale": "R", "remedy": "Do it."}
    words |= {"severity": Severity.LOW}
    family.control(control_id="made.cause", **words)(lambda _context: cause or passed("Fine."))
    family.control(control_id="made.one", needs=("made.cause",), **words)(
        lambda _context: judgement
    )
    assessment = controls.Assessment(snapshot, Policy.from_variables(policy))
    findings = controls._with_causes(list(assessment.judge(family, None)))
    return findings[1]


def test_without_its_own_a_finding_has_the_remedy_and_the_contact_of_the_control() -> None:
    wire = judge(failed("No.")).to_wire()
    assert (wire["remedy"], wire["contact"]) == ("Do it.", "network")
    wire = judge(failed("No.").advise("Call them.", Contact.VENDOR)).to_wire()
    assert (wire["remedy"], wire["contact"]) == ("Call them.", "vendor")


def test_what_is_met_needs_no_remedy() -> None:
    assert not {"remedy", "contact", "caused_by"} & set(judge(passed("Yes.")).to_wire())


@pytest.mark.parametrize(
    ("offline", "state", "playbook"),
    [
        (False, "present", "ets6.network.enforce"),
        (True, "present", "ets6.network.prepare_image"),
    ],
)
def test_changes_are_made_by_a_playbook(offline: bool, state: str, playbook: str) -> None:
    snapshot = dataclasses.replace(SNAPSHOT, offline=offline)
    wire = judge(failed("No.", remedy=CHANGES), snapshot=snapshot, state=state).to_wire()
    assert wire["contact"] == "enforce"
    assert wire["remedy"] == (f"Run {playbook}. It changes: thing 0; thing 1; thing 2 and 2 more.")


def test_what_cannot_be_judged_follows_from_the_control_that_it_needs() -> None:
    assert judge(unknown("?"), cause=failed("No.")).caused_by == "made.cause"
    assert judge(unknown("?"), cause=unknown("?")).caused_by == "made.cause"
    assert judge(unknown("?")).caused_by == ""
    assert judge(failed("No."), cause=failed("No.")).caused_by == "", "it was judged"
    explicit = judge(failed("No.").follow("made.cause"), cause=failed("No."))
    assert explicit.caused_by == "made.cause"
    assert judge(failed("No.").follow("made.cause")).caused_by == "", "what is met causes nothing"


def test_what_cannot_be_determined_does_not_have_the_advice_of_what_fails() -> None:
    wire = judge(unknown("Access is denied.")).to_wire()
    assert wire["remedy"] == controls.DETERMINE
    assert wire["contact"] == "pc"


def test_what_would_be_fixed_keeps_the_advice_and_what_is_fixed_needs_none() -> None:
    before = judge(failed("No.", remedy=CHANGES))
    after = judge(passed("Yes."))
    for status, remedy in ((Status.WOULD_FIX, before.advice), (Status.FIXED, None)):
        (settled,) = settle([before], [after], CHANGES, status)
        assert settled.to_wire().get("remedy") == remedy


def test_a_consequence_has_the_advice_of_its_root_cause() -> None:
    cause = failed("No.").advise("Call them.", Contact.VENDOR)
    wire = judge(unknown("?"), cause=cause).to_wire()
    assert (wire["remedy"], wire["contact"]) == ("First meet made.cause: Call them.", "vendor")
    wire = judge(failed("No.", remedy=CHANGES).follow("made.cause"), cause=cause).to_wire()
    assert wire["contact"] == "enforce", "what changes the PC itself says so"
    wire = judge(failed("No.").follow("made.one")).to_wire()
    assert wire["remedy"] == "Do it.", "a circle ends"


def test_every_control_of_the_catalogue_says_what_to_do_as_an_imperative() -> None:
    for control in controls.default_catalogue():
        first = control.remedy.split()[0]
        assert not first.endswith("s"), f"{control.id}: {control.remedy}"
        assert "finding names" not in control.remedy, control.id


def test_a_custom_control_names_its_contact_and_has_a_remedy() -> None:
    custom: dict[str, Any] = {
        "id": "name",
        "title": "The PC has a name.",
        "severity": "low",
        "expression": "host.name == 'x'",
        "message": "It has none.",
    }
    policy = Policy.from_variables({"controls": [custom, {**custom, "id": "b", "contact": "user"}]})
    first, second = (item.control for item in policy.controls)
    assert (first.contact, first.remedy) == (
        Contact.PC,
        "Make sure that this holds: The PC has a name.",
    )
    assert second.contact is Contact.USER
    with pytest.raises(PolicyError, match=r"contact: 'me' is not accepted; accepted are enforce"):
        Policy.from_variables({"controls": [{**custom, "contact": "me"}]})
