# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What CI pages, code scanning and spreadsheets take: summary.md, report.sarif and report.csv."""

from __future__ import annotations

import csv as reader
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import document, formats
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import (
    junit_xml,
    report_csv,
    report_sarif,
    summary_md,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.hosts import NOT_YET

from .samples import (
    AWAY,
    BROKEN,
    CONTROLS,
    HOSTILE,
    INTERRUPTED,
    RUN,
    build,
    finding,
    hostile,
    large,
    result,
)


@pytest.mark.parametrize("name", formats.ALL)
def test_the_same_state_gives_the_same_bytes(name: str) -> None:
    fleet = {"one": result("fail", "pass", "unknown"), "two": hostile(), "away": AWAY}
    render = formats.ALL[name].render
    assert render(build(**fleet)) == render(build(**dict(reversed(fleet.items()))))


def test_the_summary_has_the_worst_first_and_nothing_that_passes() -> None:
    text = summary_md.render(
        build(one=result("pass", "fail", "pass"), two=result("fail", "pass", "pass"), away=AWAY)
    )
    assert text.startswith("# ets6.network: 3 of 3 hosts do not comply\n")
    rows = [
        line.split(" | ")[0]
        for line in text.splitlines()
        if line.startswith(("| one", "| two", "| away"))
    ]
    assert rows == ["| away", "| two", "| one"]
    assert "reach.updates" not in text


def test_the_summary_stays_below_what_github_drops_and_says_how_many_are_left_out() -> None:
    hosts = large(2_000)
    text = summary_md.render(build(**hosts))
    assert len(text.encode()) <= 1024 * 1024
    shown = sum(line.startswith("| pc-") for line in text.splitlines())
    rest = re.findall(r"other reasons on (\d+) hosts", text)
    total = 0
    for host in hosts.values():
        total += sum(item["status"] != "pass" for item in host["findings"])
    assert shown + sum(map(int, rest)) == total


def test_the_summary_names_hosts_on_which_an_earlier_run_did_not_end() -> None:
    complete = {**result("pass", "pass", "pass"), "interrupted": INTERRUPTED}
    text = summary_md.render(build(one=complete, two=complete, three=result(*["pass"] * 3)))
    (row,) = [line for line in text.splitlines() if "An earlier run began" in line]
    assert row.startswith("| 2: one, two | ")


def test_the_summary_names_hosts_that_have_not_been_judged_yet() -> None:
    run = {**RUN, "pending": ["pc-2", "pc-3"], "variables": {}}
    text = summary_md.render(document.build(run, CONTROLS, [], [], ["low"]))
    (row,) = [line for line in text.splitlines() if NOT_YET in line]
    assert row.startswith("| 2: pc-2, pc-3 | ")


def test_the_summary_says_how_many_hosts_there_are_and_cuts_no_name() -> None:
    hosts = {f"pc-{number:03}.a-department.example.com": AWAY for number in range(50)}
    text = summary_md.render(build(**hosts))
    (row,) = [line for line in text.splitlines() if "unreachable" in line and "no route" in line]
    cell = row.split(" | ")[0]
    names = cell.removeprefix("| 50: ").partition(" and ")[0].split(", ")
    assert set(names) <= set(hosts)
    assert cell.endswith(f" and {50 - len(names)} more")


def test_the_summary_names_hosts_with_one_reason_in_one_row() -> None:
    hosts = {f"pc-{number:04}": result("fail", "pass", "pass") for number in range(2_000)}
    text = summary_md.render(build(**hosts))
    (row,) = [line for line in text.splitlines() if line.startswith("| 2000: pc-0000, ")]
    assert "and 1980 more" in row
    assert len(text) < 10_000


def test_text_that_looks_like_an_entity_makes_no_column_and_no_link() -> None:
    text = summary_md.render(build(one={**AWAY, "msg": "a |1; b `2; c WWW.evil.example"}))
    (row,) = [line for line in text.splitlines() if line.startswith("| one")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert ("\\`2;" in row, "WWW." in row) == (True, False)


def test_a_run_that_was_broken_off_between_batches_is_green_for_nobody() -> None:
    hosts = build(one=result("pass", "pass", "pass"))["hosts"]
    report = document.build(
        {**RUN, "variables": {}, "pending": ["later"]}, CONTROLS, hosts, [], ["low"]
    )
    (suite,) = [
        one
        for one in ElementTree.fromstring(junit_xml.render(report))
        if one.get("name") == "later"
    ]
    assert (suite.get("errors"), suite.find("testcase/error").get("message")) == ("1", NOT_YET)  # type: ignore[union-attr]
    assert (
        json.loads(report_sarif.render(report))["runs"][0]["invocations"][0]["executionSuccessful"]
        is False
    )
    assert [row[0] for row in reader.reader(io.StringIO(report_csv.render(report)))].count(
        "later"
    ) == 1


def test_no_host_puts_markup_into_the_summary() -> None:
    text = summary_md.render(
        build(
            **{HOSTILE: hostile(), "a|b\n# c": {**AWAY, "msg": "@all https://evil.example [x](y)"}}
        )
    )
    assert "<" not in text
    assert "@all" not in text
    assert "://" not in text
    assert "[x]" not in text.replace("\\[", "").replace("\\]", "")
    table = [
        line
        for line in text.splitlines()
        if line.startswith("| ") and "Hosts" not in line and line.count("|") > 4
    ]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {7}


def results(**fleet: Any) -> list[dict[str, Any]]:
    (run,) = json.loads(report_sarif.render(build(**fleet)))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for one in run["results"]:
        assert rules[one["ruleIndex"]] == one["ruleId"]
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert one["message"]["text"]
    return list(run["results"])


def test_sarif_has_what_is_open_with_a_fingerprint_each() -> None:
    found = results(
        one=result("fail", "unknown", "pass"),
        two=result("fail", "pass", "not_applicable"),
        away=AWAY,
    )
    assert len(found) == 6
    assert len({one["partialFingerprints"]["hostAndControl/v1"] for one in found}) == 6
    assert {one["level"] for one in found if one["ruleId"] == CONTROLS[0]["id"]} == {"error"}


def test_sarif_has_what_fails_before_hosts_that_were_not_judged() -> None:
    hosts = {"a-away": AWAY, "b-broken": BROKEN, "c-fails": result("fail", "pass", "pass")}
    first = results(**hosts)[0]
    assert first["locations"][0]["logicalLocations"][0]["name"] == "c-fails"


def test_sarif_suppresses_what_is_waived() -> None:
    waived = finding(
        CONTROLS[0]["id"],
        "waived",
        waiver={"reason": "Old machine", "expires": "2027-01-01", "owner": "ada"},
    )
    (one,) = results(one={**result("pass", "pass", "pass"), "findings": [waived]})
    assert one["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "Old machine"}
    ]


def test_sarif_takes_no_link_from_a_host_and_no_more_than_github_does() -> None:
    (one,) = results(
        one={
            **result("pass", "pass", "pass"),
            "findings": [finding(CONTROLS[0]["id"], "fail", "[x](http://y)")],
        }
    )
    assert one["message"]["text"] == r"one: \[x\](http://y)"
    assert len(results(**large(2_200))) == 25_000


def rows(**fleet: Any) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(report_csv.render(build(**fleet)), newline="")))


def test_csv_has_a_row_a_finding() -> None:
    found = rows(one=result("fail", "pass", "waived"), away=AWAY)
    assert [(row["host"], row["status"]) for row in found] == [("away", "unknown")] * 3 + [
        ("one", "fail"),
        ("one", "pass"),
        ("one", "waived"),
    ]


def test_csv_says_when_each_finding_was_found() -> None:
    older = {
        **result("pass", "pass", "pass"),
        "findings": [
            finding(CONTROLS[0]["id"], at="2026-11-01T00:00:00Z"),
            finding(CONTROLS[1]["id"]),
        ],
    }
    assert [row["judged_at"] for row in rows(one=older)] == [
        "2026-11-01T00:00:00Z",
        "2026-11-24T09:59:58Z",
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1"])
def test_csv_starts_no_formula(name: str) -> None:
    (row, *_others) = rows(**{name: result("fail", "pass", "pass")})
    assert row["host"].startswith(("'", "\\"))
