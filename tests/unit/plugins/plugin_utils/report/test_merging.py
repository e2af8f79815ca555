# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Several reports made one: the newest finding counts, in whatever order and however often they are given."""

from __future__ import annotations

import copy
import json
from typing import Any, cast

import hypothesis
import jsonschema
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import (
    document,
    drift,
    formats,
    hashes,
    merging,
    model,
    reading,
    validation,
)
from ansible_collections.ets6.network.plugins.plugin_utils.report.model import Report
from hypothesis import strategies

from .samples import AWAY, BROKEN, CONTROLS, HOSTILE, INTERRUPTED, RUN, build, finding, result

SCHEMA = validation.schema()
MERGE = {**RUN, "mode": "merge", "ended": "2026-11-30T08:00:00Z", "playbook": "ets6.network.merge"}
IDS = [control["id"] for control in CONTROLS]


def report(ended: str = "2026-11-24T10:00:00Z", **fleet: Any) -> Report:
    """Return the report of a run that ended then; hosts without a time of their own were judged then."""
    fleet = copy.deepcopy(fleet)
    for found in fleet.values():
        if isinstance(found, dict) and "findings" in found:
            found["at"] = found["at"] if found["at"] != "2026-11-24T09:59:58Z" else ended
    return hashes.seal(rewritten(build(**fleet), ended))


def rewritten(built: Report, ended: str) -> Report:
    for host in built["hosts"]:
        host["at"] = ended if host["at"] == RUN["ended"] else host["at"]
    return {**built, "run": {**built["run"], "ended": ended}}


def merge(*reports: Report, expected: tuple[str, ...] = (), **run: Any) -> Report:
    merged = merging.merge(reports, {**MERGE, **run}, expected, ["low", "unreachable"])
    assert hashes.seal(merged)["sha256"] == merged["sha256"]
    return merged


def valid(merged: Report) -> Report:
    jsonschema.Draft202012Validator(SCHEMA).validate(merged)
    assert reading.check(json.dumps(merged), "merged") == merged
    return merged


def statuses(merged: Report) -> dict[str, list[str]]:
    return {
        host["name"]: [host["status"], *(item["status"] for item in host["findings"])]
        for host in merged["hosts"]
    }


DAYS = [f"2026-11-{day}T10:00:00Z" for day in (21, 22, 23)]


def test_slices_make_one_report_as_if_they_had_been_one_run() -> None:
    fleet = {
        "a": result("pass", "pass", "pass"),
        "b": result("fail", "pass", "pass"),
        "c": AWAY,
        "d": BROKEN,
    }
    merged = valid(merge(*(report(DAYS[0], **{name: found}) for name, found in fleet.items())))
    whole = report(DAYS[0], **fleet)
    assert merged["hosts"] == whole["hosts"], "hashes too"
    for name in ("complies", "verdict", "fails_because", "hosts", "variables"):
        assert merged["run"][name] == whole["run"][name]
    assert merged["controls"] == whole["controls"]
    assert merged["merged"]["conflicts"] == merged["merged"]["missing"] == []
    assert len(merged["merged"]["reports"]) == 4
    assert merged["run"]["mode"] == "merge"


def test_the_newest_finding_counts_and_the_conflict_is_said() -> None:
    old, new = (
        report(DAYS[0], pc=result("fail", "pass", "pass")),
        report(DAYS[1], pc=result("pass", "pass", "fail")),
    )
    merged = merge(new, old)
    assert statuses(merged) == {"pc": ["fail", "pass", "pass", "fail"]}
    assert merged["hosts"][0]["at"] == DAYS[1]
    assert merged["merged"]["conflicts"] == [
        f"pc differs in {IDS[0]} (fail, then pass), {IDS[2]} (pass, then fail): what was found last counts, at {DAYS[1]}."
    ]
    assert [one["sha256"] for one in merged["merged"]["reports"]] == [old["sha256"], new["sha256"]]
    assert merge(merged)["merged"]["conflicts"] == merged["merged"]["conflicts"], (
        "said once more where it is merged again"
    )


def test_what_was_fixed_after_it_had_been_verified_is_no_conflict() -> None:
    verified = result("fail", "pass", "pass", variables={"state": "present", "apply": False})
    enforced = result("fixed", "pass", "pass", variables={"state": "present", "apply": True})
    before, after = report(DAYS[0], pc=verified), report(DAYS[1], pc=enforced)
    assert merge(before, after)["merged"]["conflicts"] == []
    later = report(DAYS[2], pc=result("pass", "pass", "pass"))
    assert merge(before, after, later)["merged"]["conflicts"] == []
    broken = report(DAYS[2], pc=result("fail", "pass", "pass"))
    assert "fixed, then fail" in merge(after, broken)["merged"]["conflicts"][0]


def test_of_the_same_second_the_worst_counts() -> None:
    merged = merge(
        report(DAYS[0], pc=result("pass", "pass", "pass")),
        report(DAYS[0], pc=result("fail", "pass", "pass")),
    )
    assert statuses(merged)["pc"][:2] == ["fail", "fail"]
    assert "all of the same second: what is worse counts." in merged["merged"]["conflicts"][0]


def test_a_host_that_is_away_now_is_away_whatever_was_found_before() -> None:
    was, gone = report(DAYS[0], pc=result("pass", "pass", "pass")), report(DAYS[1], pc=AWAY)
    merged = merge(was, gone)
    assert statuses(merged) == {"pc": ["unreachable", "unknown", "unknown", "unknown"]}
    assert merged["merged"]["conflicts"] == [
        f"pc differs in the host (judged, then unreachable): what was found last counts, at {DAYS[1]}."
    ]
    back = merge(was, gone, report(DAYS[2], pc=result("pass", "pass", "pass")))
    assert back["run"]["complies"] is True


def test_a_finding_that_only_an_older_report_has_stays_with_its_time() -> None:
    own = {**CONTROLS[0], "id": "custom.one"}
    older = result("pass", "pass", "pass")
    older["findings"].append(finding("custom.one", "fail", "Not so."))
    older["controls"] = [*CONTROLS, own]
    merged = merge(report(DAYS[0], pc=older), report(DAYS[1], pc=result("pass", "pass", "pass")))
    (host,) = merged["hosts"]
    assert [item.get("at") for item in host["findings"]] == [None, None, None, DAYS[0]]
    assert host["status"] == "fail"
    assert [control["id"] for control in merged["controls"]] == [*IDS, "custom.one"]
    again = merge(valid(merged), report(DAYS[2], pc=result("pass", "pass", "pass")))
    assert again["hosts"][0]["findings"][3]["at"] == DAYS[0]


def test_missing_hosts_are_named_and_the_report_is_not_green() -> None:
    good = report(DAYS[0], a=result("pass", "pass", "pass"))
    assert merge(good, expected=("a",))["run"]["complies"] is True
    merged = merge(good, expected=("a", "lost"))
    assert merged["merged"]["missing"] == ["lost"]
    assert statuses(merged)["lost"] == ["unknown"] * 4
    assert merged["run"]["complies"] is False
    assert merged["run"]["fails_because"]
    found = merge(merged, report(DAYS[1], lost=result("pass", "pass", "pass")))
    assert found["merged"]["missing"] == []
    assert found["run"]["complies"] is True
    still = merge(merged, good)
    assert still["merged"]["missing"] == ["lost"], "what was expected once is expected still"


def test_a_missing_host_is_no_new_one() -> None:
    good = report(DAYS[0], a=result("pass", "pass", "pass"))
    assert drift.between(good, merge(good, expected=("lost",)), ())["new_hosts"] == []
    assert drift.between(good, merge(good, report(DAYS[0], b=AWAY)), ())["new_hosts"] == ["b"]


def test_hosts_of_a_batch_that_never_came_were_not_judged() -> None:
    half = report(DAYS[0], a=result("pass", "pass", "pass"))
    half = document.build({**half["run"], "pending": ["b"]}, CONTROLS, half["hosts"], [], ["low"])
    merged = merge(half)
    assert (merged["merged"]["missing"], merged["run"]["pending"]) == ([], [])
    assert statuses(merged) == {"a": ["pass"] * 4, "b": ["unknown"] * 4}


def test_a_run_that_was_interrupted_is_not_covered_by_an_older_one() -> None:
    before = report(DAYS[0], pc=result("pass", "pass", "pass"))
    run = {**before["run"], "ended": DAYS[1], "pending": ["pc"]}
    interrupted = document.build(run, (), (), (), (), problems=[document.NOT_ENDED])
    merged = valid(merge(before, interrupted))
    assert statuses(merged) == {"pc": ["unknown"] * 4}
    assert merged["run"]["complies"] is False
    assert statuses(merge(merge(interrupted), before)) == statuses(merged)
    assert "pc differs in the host (judged, then unknown)" in merged["merged"]["conflicts"][0]
    after = report(DAYS[2], pc=result("pass", "pass", "pass"))
    assert merge(before, interrupted, after)["run"]["complies"] is True


def test_nothing_to_merge_is_not_green() -> None:
    empty = report(DAYS[0])
    assert merge(empty)["run"]["fails_because"] == ["No host was judged."]


def test_controls_and_versions_that_differ_are_conflicts() -> None:
    one, two = (
        report(DAYS[0], a=result("pass", "pass", "pass")),
        report(DAYS[1], b=result("pass", "pass", "pass")),
    )
    two["controls"][1] = {**two["controls"][1], "severity": "high"}
    two["run"]["collection"] = "1.1.0"
    merged = merge(hashes.seal(two), one)
    assert merged["merged"]["conflicts"] == [
        "The reports were written by several versions of the collection: 1.0.0, 1.1.0.",
        f"{IDS[1]} is not the same control in all reports; the newest definition is shown.",
    ]
    assert merged["controls"][1]["severity"] == "high"


def test_variables_are_each_hosts_own() -> None:
    one = report(
        DAYS[0],
        a=result("pass", "pass", "pass", variables={"state": "present", "profiles": ["domain"]}),
    )
    two = report(
        DAYS[0],
        b=result("pass", "pass", "pass", variables={"state": "present", "profiles": ["public"]}),
        c=AWAY,
    )
    merged = merge(one, two)
    assert merged["run"]["variables"] == {"state": "present"}
    assert [host["variables"] for host in merged["hosts"]] == [
        {"profiles": ["domain"]},
        {"profiles": ["public"]},
        {},
    ]
    other = report(
        DAYS[1],
        a=result("pass", "pass", "pass", variables={"state": "present", "profiles": ["public"]}),
    )
    assert (
        "a differs in the variables profiles: what was found last counts"
        in merge(one, other)["merged"]["conflicts"][0]
    )


WAIVER = {
    "control": IDS[0],
    "controls": [IDS[0]],
    "hosts": ["a"],
    "groups": [],
    "reason": "So.",
    "owner": "jane",
    "expires": "2026-11-29",
    "ticket": "",
}


def waived() -> Report:
    found = result("waived", "pass", "pass", waivers=[WAIVER])
    found["findings"][0]["waiver"] = {**WAIVER, "status": "fail", "expired": False}
    return report(DAYS[0], a=found)


def test_a_waiver_that_ended_since_holds_no_longer() -> None:
    last = merge(waived(), ended="2026-11-29T23:59:59Z")
    assert (statuses(last)["a"][1], last["run"]["complies"], last["waivers"][0]["state"]) == (
        "waived",
        True,
        "in_force",
    )
    after = merge(waived(), ended="2026-11-30T00:00:00Z")
    assert (statuses(after)["a"][1], after["run"]["complies"], after["waivers"][0]["state"]) == (
        "fail",
        False,
        "expired",
    )
    assert after["hosts"][0]["findings"][0]["waiver"]["expired"] is True


def test_a_waiver_is_judged_over_all_hosts() -> None:
    other = report(DAYS[0], b=result("pass", "pass", "pass", waivers=[WAIVER]))
    assert other["waivers"][0]["state"] == "unused"
    merged = merge(other, waived(), ended="2026-11-25T00:00:00Z")
    assert [(one["state"], one["findings"]) for one in merged["waivers"]] == [("in_force", 1)]


def test_the_order_of_what_hosts_say_changes_nothing_however_hostile() -> None:
    nasty = {HOSTILE: result("fail", "pass", "pass"), "<script>": AWAY}
    merged = merge(report(DAYS[0], **nasty), expected=(HOSTILE, "missing" + HOSTILE))
    assert len(valid(merged)["hosts"]) == 3
    assert len(merged["merged"]["missing"]) == 1


FOUND = strategies.sampled_from(
    ["pass", "fail", "unknown", "waived", "fixed", "would_fix", "not_applicable"]
)
JUDGED = strategies.builds(
    lambda one, two, three, at, state: result(one, two, three, at=at, variables={"state": state, "apply": True}),
    FOUND, FOUND, FOUND, strategies.sampled_from(DAYS), strategies.sampled_from(["present", "absent"]),
)  # fmt: skip
REPORTS = strategies.lists(
    strategies.builds(
        lambda ended, fleet: report(ended, **fleet),
        strategies.sampled_from(DAYS),
        strategies.dictionaries(
            strategies.sampled_from("abc"), JUDGED | strategies.sampled_from([AWAY, BROKEN, None])
        ),
    ),
    min_size=1,
    max_size=5,
)
QUICK = hypothesis.settings(max_examples=300)


@QUICK
@hypothesis.given(REPORTS, strategies.data())
def test_order_and_repetition_do_not_matter(
    reports: list[Report], data: strategies.DataObject
) -> None:
    merged = merge(*reports, expected=("a", "d"))
    shuffled = data.draw(
        strategies.permutations(
            [*reports, *data.draw(strategies.lists(strategies.sampled_from(reports)))]
        )
    )
    assert merge(*shuffled, expected=("d", "a")) == merged


@QUICK
@hypothesis.given(REPORTS, REPORTS)
def test_what_was_merged_before_is_merged_again(some: list[Report], others: list[Report]) -> None:
    at_once = merge(*some, *others, expected=("d",))
    in_turns = merge(merge(*some, expected=("d",), ended="2026-11-28T08:00:00Z"), *others)
    for name in ("hosts", "controls", "waivers"):
        assert in_turns[name] == at_once[name]
    assert in_turns["merged"]["reports"] == at_once["merged"]["reports"]
    assert in_turns["merged"]["missing"] == at_once["merged"]["missing"]
    assert merge(at_once, *some, *others, ended=MERGE["ended"]) == at_once, (
        "what is in it already adds nothing"
    )


@QUICK
@hypothesis.given(REPORTS)
def test_no_host_is_lost_and_none_is_better_than_its_newest_finding(reports: list[Report]) -> None:
    merged = merge(*reports)
    found = {host["name"]: host for host in merged["hosts"]}
    assert set(found) == {host["name"] for one in reports for host in one["hosts"]}
    for one in reports:
        for host in one["hosts"]:
            newest = found[host["name"]]
            assert newest["at"] >= host["at"]
            if newest["at"] == host["at"]:
                assert model.WORST_FIRST.index(newest["status"]) <= model.WORST_FIRST.index(
                    host["status"]
                )


@pytest.mark.parametrize("name", formats.ALL)
def test_every_format_takes_a_merged_report_and_names_who_is_missing(name: str) -> None:
    old, new = (
        report(DAYS[0], pc=result("fail", "pass", "pass")),
        report(DAYS[1], pc=result("pass", "pass", "pass")),
    )
    text = formats.ALL[name].render(merge(old, new, expected=("pc", "pc-lost")))
    # Metrics count hosts, and name none.
    assert ("pc-lost" in text) == (name != "metrics")
    if name in ("json", "html", "markdown"):
        assert "differs in firewall.rule.ets6n.tcp (fail, then pass)" in text.replace("\\", "")
    if name in ("json", "html"):
        assert old["sha256"] in text
        assert new["sha256"] in text


def test_of_one_control_the_worst_severity_counts_whoever_wrote_last() -> None:
    older = report(DAYS[0], pc=result("fail", "pass", "pass"))
    newer = copy.deepcopy(report(DAYS[1], other=AWAY))
    for control in newer["controls"]:
        control["severity"] = "low"
    merged = merge(older, hashes.seal(newer))
    wanted = {control["id"]: control["severity"] for control in older["controls"]}
    assert {control["id"]: control["severity"] for control in merged["controls"]} == wanted
    strict = merging.merge([older, hashes.seal(newer)], MERGE, (), ["high"])
    assert strict["run"]["fails_because"], (
        "a high control fails, whatever the newest report calls it"
    )


@pytest.mark.parametrize("where", ["run", "host", "finding", "interrupted", "unreported"])
def test_a_report_from_the_future_is_refused(where: str) -> None:
    odd = report(DAYS[0], pc=result("pass", "pass", "pass"))
    if where == "run":
        odd["run"]["ended"] = DAYS[2]
    elif where == "host":
        odd["hosts"][0]["at"] = DAYS[2]
    elif where == "interrupted":
        odd["hosts"][0]["interrupted"] = {"at": DAYS[2], "operations": 1}
    elif where == "unreported":
        odd["hosts"][0]["unreported"] = [{"at": DAYS[2], "outcome": "made", "changes": []}]
    else:
        odd["hosts"][0]["findings"][0]["at"] = DAYS[2]
    assert hashes.seal(odd)["sha256"] != odd["sha256"]
    merging.refuse_future(odd, DAYS[2], "a")
    with pytest.raises(reading.ReportError, match=f"a has the time {DAYS[2]}, and it is {DAYS[1]}"):
        merging.refuse_future(odd, DAYS[1], "a")


def test_waived_without_a_waiver_is_refused() -> None:
    odd = report(DAYS[0], pc=result("pass", "waived", "pass"))
    with pytest.raises(reading.ReportError, match="is waived, and no waiver covers it"):
        reading.check(json.dumps(odd), "a")


def test_a_run_that_did_not_end_is_known_until_the_pc_is_judged_without_it() -> None:
    complete = result("pass", "pass", "pass")
    found = report("2026-11-24T10:00:00Z", pc={**complete, "interrupted": INTERRUPTED})
    away = report("2026-11-25T10:00:00Z", pc=AWAY)
    later = report("2026-11-26T10:00:00Z", pc=complete)
    for reports, interrupted in (
        ([found], INTERRUPTED),
        ([found, away], INTERRUPTED),
        ([found, later], None),
        ([later, away, found], None),
    ):
        (host,) = valid(merge(*reports))["hosts"]
        assert host.get("interrupted") == interrupted


def test_what_runs_without_a_report_sent_is_told_once_by_whichever_report_has_it() -> None:
    times = ("2026-11-23T20:00:00Z", "2026-11-23T21:00:00Z")
    changes = [{"subject": "rule A", "before": {"x": None}, "after": {"x": 1}}]
    first, second = ({"at": at, "outcome": "unknown", "changes": changes} for at in times)
    reports = []
    made = {**second, "outcome": "made"}
    for day, sent in zip(DAYS, ([made], [first, second], []), strict=True):
        found = report(day, pc=result("pass", "pass", "pass"))
        if sent:
            found["hosts"][0]["unreported"] = cast(list[model.UnreportedChanges], sent)
        reports.append(hashes.seal(found))
    (host,) = valid(merge(*reports))["hosts"]
    assert host["unreported"] == [first, made]
    (host,) = merge(*reversed(reports))["hosts"]
    assert host["unreported"] == [first, made]
