# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""junit.xml as CI systems take it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import junit_xml

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, INTERRUPTED, build, finding, large, result


def parse(**fleet: Any) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml.render(build(**fleet)))


def suite(root: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(one for one in root if one.get("name") == name)


def outcome(case: ElementTree.Element) -> str:
    (child,) = case if len(case) else [None]
    return "passed" if child is None else child.tag


def test_each_status_has_its_place() -> None:
    root = parse(
        one=result("fail", "unknown", "waived"),
        two=result("pass", "fixed", "not_applicable"),
        three=result(*["would_fix"] * 3),
    )
    assert [outcome(case) for case in suite(root, "one").iter("testcase")] == [
        "failure",
        "error",
        "skipped",
    ]
    assert [outcome(case) for case in suite(root, "two").iter("testcase")] == [
        "passed",
        "passed",
        "skipped",
    ]
    assert [outcome(case) for case in suite(root, "three").iter("testcase")] == ["failure"] * 3
    skipped = [
        case[0].get("message", "") for case in root.iter("testcase") if outcome(case) == "skipped"
    ]
    assert [message.partition(" ")[0] for message in skipped] == ["waived", "not"], (
        "told apart, though both are skipped"
    )


def test_what_is_waived_tells_why_and_until_when() -> None:
    waived = finding(
        CONTROLS[0]["id"],
        "waived",
        "No rule.",
        waiver={"reason": "A kiosk.", "expires": "2027-03-31"},
    )
    root = parse(one={**result("pass", "pass", "pass"), "findings": [waived]})
    assert (
        next(root.iter("skipped")).get("message") == "waived until 2027-03-31: A kiosk. (No rule.)"
    )


def test_no_host_is_an_error_and_not_an_empty_file() -> None:
    root = parse()
    assert (root.get("tests"), root.get("errors")) == ("1", "1")
    assert next(root.iter("error")).get("message") == "no host was judged"


def test_names_that_only_differ_in_what_xml_forbids_stay_apart() -> None:
    root = parse(
        **{
            "pc\x1b": result("fail", "pass", "pass"),
            "pc\x1c": result("pass", "pass", "pass"),
            "pc\ufffe": AWAY,
        }
    )
    assert len({suite.get("name") for suite in root}) == 3


def test_a_large_fleet_stays_below_what_gitlab_takes() -> None:
    fleet = large(1_500)
    for found in fleet.values():
        for one in found["findings"]:
            one["status"], one["evidence"] = "fail", {"seen": "x" * 1_500}
    assert len(junit_xml.render(build(**fleet)).encode()) < 30_000_000
    assert "x" * 900 in junit_xml.render(build(one=next(iter(fleet.values()))))


def test_a_host_that_could_not_be_asked_is_one_error() -> None:
    root = parse(away=AWAY, broken=BROKEN)
    for name in ("away", "broken"):
        cases = list(suite(root, name).iter("testcase"))
        assert len(cases) == 1 + len(CONTROLS)
        assert [outcome(case) for case in cases] == ["error", *["skipped"] * len(CONTROLS)]


def test_counts_are_right_and_what_gitlab_drops_does_not_occur() -> None:
    root = parse(
        one=result("fail", "unknown", "waived"), two=result("pass", "fixed", "fail"), away=AWAY
    )
    for element in [*root, root]:
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for attribute, tag in (("failures", "failure"), ("errors", "error")):
            assert element.get(attribute) == str(sum(outcome(case) == tag for case in cases))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)), "GitLab drops cases of the same name"
    assert all(
        case.get("classname") == one.get("hostname") == one.get("name")
        for one in root
        for case in one.iter("testcase")
    )


def test_the_form_is_the_one_of_jenkins_xsd() -> None:
    """junit-10.xsd of Jenkins' xunit-plugin: these attributes, no zone in the timestamp, properties on suites only and first."""
    root = parse(one=result("fail", "unknown", "waived"))
    assert (root.tag, set(root.attrib)) == (
        "testsuites",
        {"name", "tests", "failures", "errors", "time"},
    )
    (one,) = root
    assert set(one.attrib) == {
        "name",
        "hostname",
        "timestamp",
        "tests",
        "failures",
        "errors",
        "skipped",
        "time",
    }
    assert one.get("timestamp") == "2026-11-24T10:00:00"
    assert [child.tag for child in one] == ["properties"] + ["testcase"] * 3
    assert all(set(case.attrib) == {"classname", "name", "time"} for case in one.iter("testcase"))


def test_a_failure_tells_what_to_do_and_the_change_that_would() -> None:
    found = result("fail", "pass", "pass")
    changes = [
        {"subject": "firewall rule X", "before": {"enabled": False}, "after": {"enabled": True}}
    ]
    found["findings"][0] = finding(
        CONTROLS[0]["id"], "fail", "There is none.", evidence={"rules": [7]}, changes=changes
    )
    text = next(parse(pc=found).iter("failure")).text or ""
    for part in (
        "There is none.",
        CONTROLS[0]["rationale"],
        CONTROLS[0]["remedy"],
        "firewall rule X",
        "enabled",
        '"rules"',
    ):
        assert part in text


def test_nothing_from_a_host_breaks_the_file() -> None:
    found = result("fail", "unknown", "waived")
    for one in found["findings"]:
        one["reason"] = HOSTILE
        one["evidence"] = {HOSTILE: HOSTILE}
    root = parse(**{HOSTILE: found, "away": {"unreachable": True, "msg": HOSTILE}})
    assert len(list(root.iter("testcase"))) == 7
    assert not list(root.iter("script"))
    assert "\x1b" not in ElementTree.tostring(root, encoding="unicode")


def test_an_earlier_run_that_did_not_end_is_in_the_suite() -> None:
    complete = result("pass", "pass", "pass")
    root = parse(one={**complete, "interrupted": INTERRUPTED}, two=complete)
    (note,) = root.iter("system-err")
    assert suite(root, "one").find("system-err") is note
    assert (note.text or "").startswith(
        "An earlier run began 1 operation on this PC at 2026-11-23T21:00:00Z and did not end"
    )
    assert root.get("errors") == "0", "what is there now was read again"
