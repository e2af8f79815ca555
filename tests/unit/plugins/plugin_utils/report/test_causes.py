# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Open findings by their root cause, and who does what about them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Contact
from ansible_collections.ets6.network.plugins.plugin_utils.report import causes, validation
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import (
    junit_xml,
    report_csv,
    report_html,
    summary_md,
)

from .samples import CONTROLS, build, finding

ROOT = Path(__file__).parents[5]
RULE, PROXY, UPDATES = (control["id"] for control in CONTROLS)


def host(**caused_by: str) -> dict[str, Any]:
    """Return a host on which all controls fail; those named follow from others."""
    findings = []
    for control in CONTROLS:
        more: dict[str, Any] = {"remedy": f"Do {control['id']}.", "contact": "firewall"}
        if control["id"] in caused_by:
            more["caused_by"] = caused_by[control["id"]]
        findings.append(finding(control["id"], "fail", "No.", **more))
    return {"findings": findings, "controls": CONTROLS, "at": "", "variables": {}}


def test_what_follows_from_another_is_listed_under_its_root() -> None:
    report = build(a=host(**{PROXY: RULE, UPDATES: PROXY}), b=host())
    jsonschema.Draft202012Validator(validation.schema()).validate(report)
    found = {cause.control["id"]: cause for cause in causes.causes(report)}
    assert list(found) == [RULE, PROXY, UPDATES], "the most severe first"
    assert found[RULE].hosts == ["a", "b"]
    assert found[RULE].consequences == {PROXY: ["a"], UPDATES: ["a"]}
    assert found[UPDATES].hosts == ["b"]


def test_controls_with_the_same_thing_to_do_on_the_same_hosts_are_one_card() -> None:
    alike = host()
    for finding_of in alike["findings"]:
        finding_of["remedy"] = "Allow it in the policy."
    page = report_html.render(build(a=alike, b=alike))
    assert page.count('id="cause-') == 1
    headlines = "No rule lets TCP in, The users have another proxy and Updates are not reached"
    assert f"<h3>{headlines}</h3>" in page
    assert page.count("Allow it in the policy.</p>") == 1
    for control in CONTROLS:
        assert f"<code>{control['id']}</code>: open on" in page
    apart = build(a=alike, b=host())
    assert report_html.render(apart).count('id="cause-') == 3, "b has other things to do"


def test_what_could_not_be_determined_is_not_said_to_be_wrong() -> None:
    unsure = host()
    unsure["findings"][1]["status"] = "unknown"
    report = build(a=unsure)
    assert {cause.control["id"]: cause.headline for cause in causes.causes(report)} == {
        RULE: "No rule lets TCP in",
        PROXY: "Could not be determined: The users' proxy",
        UPDATES: "Updates are not reached",
    }
    page = report_html.render(report)
    assert "<h3>Could not be determined: The users&#x27; proxy</h3>" in page
    both = build(a=unsure, b=host())
    assert "The users have another proxy" in [cause.headline for cause in causes.causes(both)]


def test_a_cause_that_is_met_or_that_is_a_circle_hides_nothing() -> None:
    circle = host(**{PROXY: UPDATES, UPDATES: PROXY})
    met = host(**{PROXY: "firewall.gone"})
    for fleet in (circle, met):
        report = build(a=fleet)
        found = causes.causes(report)
        listed = [name for cause in found for name in (cause.control["id"], *cause.consequences)]
        assert sorted(listed) == sorted([RULE, PROXY, UPDATES])


def test_every_format_says_what_to_do_and_who_does_it() -> None:
    report = build(a=host(**{PROXY: RULE}))
    page, junit = report_html.render(report), junit_xml.render(report)
    for text in (page, junit):
        assert f"Do {RULE}." in text
        assert "the administrators of the firewall" in text
    assert f"It follows from {RULE}." in junit
    assert f"<h3>{CONTROLS[1]['headline']}</h3>" not in page
    assert f"<li><code>{PROXY}</code> on 1 host</li>" in page
    assert f"Do {RULE}." in summary_md.render(report).replace("\\", "")
    row = next(line for line in report_csv.render(report).splitlines() if PROXY in line)
    assert row.endswith(f",firewall,{RULE}")


def test_a_report_without_contacts_is_shown_as_well() -> None:
    report = build(a={**host(), "findings": [finding(RULE, "fail", "No.")]})
    (cause,) = causes.causes(report)
    assert cause.by_contact() == {"pc": {CONTROLS[0]["remedy"]: ["a"]}}
    assert CONTROLS[0]["remedy"] in report_html.render(report)


def test_every_contact_is_in_the_schema_and_documented() -> None:
    contacts = [contact.value for contact in Contact]
    assert [contact.value for contact in causes.CONTACTS] == contacts
    properties = validation.schema()["$defs"]["finding"]["properties"]
    assert properties["contact"]["enum"] == contacts
    text = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    table = text.partition("| `contact` | Who |")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE) == contacts
