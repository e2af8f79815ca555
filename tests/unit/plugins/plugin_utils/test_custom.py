# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Custom controls: only true passes, mistakes are reported with their place, and the documented examples do what they say."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ets6.network.plugins.plugin_utils import controls, custom, jmespath_strict
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Finding, Status
from ansible_collections.ets6.network.plugins.plugin_utils.jmespath_strict import Functions
from ansible_collections.ets6.network.plugins.plugin_utils.policy.custom_controls import (
    MAX_EVIDENCE,
    parse_custom_controls,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import (
    Policy,
    PolicyError,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

DOCUMENT = (Path(__file__).resolve().parents[4] / "docs" / "custom-controls.md").read_text(
    encoding="utf-8"
)
EXAMPLES: list[dict[str, Any]] = [
    control
    for block in re.findall(r"```yaml\n(- id: .*?)```", DOCUMENT, re.DOTALL)
    for control in yaml.safe_load(block)
]

WIRE: dict[str, Any] = {
    "version": 1,
    "host": {"name": "pc", "os": "10.0.22631", "time": "2026-11-24T10:00:00Z"},
    "environment": {"SystemRoot": "C:\\Windows"},
    "registry": {
        "HKLM\\SOFTWARE\\Acme": {
            "state": "present",
            "values": {"Version": ["REG_SZ", "1"], "On": ["REG_DWORD", 1]},
            "keys": ["Sub"],
        },
        "HKLM\\SOFTWARE\\Secret": {"state": "unreadable", "error": "access denied"},
        "HKLM\\SOFTWARE\\Gone": {"state": "missing"},
    },
    "files": [{"path": "C:\\ETS6\\ETS6N.exe", "state": "present", "version": "6.3.0.0", "size": 7}],
    "users": [{"sid": "S-1-5-21-1", "name": "knx", "hive": "loaded", "logged_on": True}],
    "network": ["private"],
    "services": {"MpsSvc": "Running"},
    "firewall_products": [],
    "probes": None,
    "errors": {"probes": "no time was left"},
}


def control(expression: str = "`true`", **more: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "title": "One",
        "severity": "low",
        "expression": expression,
        "message": "It is not so.",
        **more,
    }


def judged(expression: str, **more: Any) -> tuple[str, str]:
    snapshot = Snapshot.from_wire(copy.deepcopy(WIRE))
    (finding,) = custom.judge(parse_custom_controls([control(expression, **more)]), snapshot, [])
    return finding.status.value, finding.reason


def test_true_passes_and_false_fails_with_the_message() -> None:
    assert judged("host.name == 'pc'") == ("pass", "One.")
    assert judged("host.name == 'other'") == ("fail", "It is not so.")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("host", "only true and false count"),
        ("host.no_such", "null"),
        ("`1`", "1"),
        ("'true'", "only true and false count"),
        ("network[?@ == 'public']", "[]"),
        ("host.no_such != 'x'", "host.no_such is not there"),
        ("host.no_such == files[9].path", "host.no_such is not there"),
        ("!no_such", "no_such is not there"),
        ("!(host.no_such)", "host.no_such is not there"),
        ("!host.no_such", "null"),
        ("!(host.no_such == 'x')", "host.no_such is not there"),
        ("host.os != `7`", "can never be equal"),
        ("host.os > '10.0.9'", "compare numbers"),
        ("count(files[?version < '6']) == `0`", "compare numbers"),
        ("length(host.no_such) == `0`", "length"),
        ("contains(host.no_such, 'x')", "contains"),
        ("probes[0].name == 'updates'", "probes[0].name is not there"),
        ("files[?path == 'x'] | [0].state != 'missing'", "is not there"),
        ("files[*].path | [99] != 'z'", "is not there"),
        ("files[?path == 'x'] | !([0].error)", "is not there"),
        ("max(`[]`) > `0`", "compare numbers"),
        ("version_cmp(host.name, '1') == `0`", "is not a version"),
        ("in_cidr(host.os, '10.0.0.0/8')", "in_cidr"),
        ("match(host.name, '(')", "is not a regular expression"),
        ("value(registry, 'HKLM\\SOFTWARE\\Secret', 'x') == 'y'", "access denied"),
        ("value(registry, 'HKLM\\SOFTWARE\\Secret\\Sub', 'x') == `null`", "access denied"),
        ("value(registry, 'HKLM\\SOFTWARE\\Nowhere', 'x') == 'y'", "not among the keys"),
        ("value(registry, 'HKLM\\SOFTWARE\\Acme\\sub', 'x') == `null`", "not among the keys"),
        ("value(registry, 'HKLM\\SOFTWARE\\Acme\\Sub\\One', 'x') == `null`", "not among the keys"),
        ("value(registry, 'HKLM\\SOFTWARE\\Acme2', 'x') == `null`", "not among the keys"),
        ("value(registry, 'HKLM\\SOFTWARE\\Acme', 'x') == 'y'", "value() is not there"),
        ("to_number(host.name) > `1`", "compare numbers"),
        ("sum(files[].version) > `1`", "sum"),
        ("sort_by(files, &no_such)[0].path == 'x'", "sort_by"),
        ("files[::0] == `[]`", "slice"),
        ("floor(`1e999`) == `1`", "floor(): cannot convert float infinity to integer"),
        (
            "count(files[?stat == 'missing']) == `0`",
            "nothing that the expression looks at has the name stat;",
        ),
        ("count(fils[?state == 'missing']) == `0`", "has the name fils;"),
        ("count(users[?name.first == 'x']) == `0`", "has the name first;"),
        ("!contains(files[].pth, 'x')", "has the name pth;"),
        ("count(files[?state == 'missing' || stat == 'missing']) == `0`", "has the name stat;"),
        ("count(registry.*.vals.On) == `0`", "has the name vals;"),
        ("offline || count(no_such) == `0`", "has the name no_such;"),
        (
            "match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '(a|a)+(a|a)+(a|a)+b')",
            "takes too long",
        ),
    ],
)
def test_all_else_is_unknown_and_never_a_pass(expression: str, reason: str) -> None:
    status, told = judged(expression)
    assert status == "unknown", told
    assert told.startswith("It could not be determined: ")
    assert reason in told


@pytest.mark.parametrize(
    "expression",
    [
        "host.no_such == `null`",
        "`null` != host.os",
        "count(probes) == `0`",
        "count(files[?version_cmp(version, '6.3') < `0`]) == `0`",
        "version_cmp('6.10', '6.9') == `1` && version_cmp('6.3', '6.3.0.0') == `0` && version_cmp('6.2', '6.3') == `-1`",
        "in_cidr('192.0.2.7', '192.0.2.0/24') && !in_cidr('192.0.3.7', '192.0.2.0/24') && in_cidr('2001:db8::1', '2001:db8::/32')",
        "match(host.name, 'P.') && !match(host.name, 'P')",
        "value(registry, 'hklm\\software\\ACME', 'version') == '1'",
        "value(registry, 'HKLM\\SOFTWARE\\Acme', 'nothing') == `null`",
        "value(registry, 'HKLM\\SOFTWARE\\Acme', 'On') == `1`",
        "value(registry, 'HKLM\\SOFTWARE\\Acme\\Other', 'On') == `null`",
        "value(registry, 'hklm\\software\\ACME\\Other\\One', 'On') == `null`",
        "value(registry, 'HKLM\\SOFTWARE\\Gone\\Sub\\One', 'On') == `null`",
        "(host.no_such || 'x') == 'x'",
        "offline || host.os == '10.0.22631'",
        "users[?logged_on].name | [0] == 'knx'",
        "count(files[?(stat || 'x') == 'y']) == `0`",
        "count(files[?stat != `null`]) == `0`",
        "count(files[?not_null(stat, state) == 'missing']) == `0`",
        "contains(files[*].version, '6.3.0.0')",
        "!contains(keys(environment), 'HTTP_PROXY')",
        "environment.HTTP_PROXY == `null`",
        "count(firewall_products[?no_such == 'x']) == `0`",
    ],
)
def test_what_expressions_can_say(expression: str) -> None:
    assert judged(expression) == ("pass", "One.")


def test_a_path_that_must_exist_leaves_an_empty_list_no_way_to_pass() -> None:
    assert judged("count(probes[?error]) == `0`")[0] == "pass", "this is the trap"
    status, reason = judged("count(probes[?error]) == `0`", require=["probes"])
    assert (status, reason) == (
        "unknown",
        "It could not be determined: probes is required and not there (no time was left).",
    )


def test_what_does_not_apply() -> None:
    assert judged("host.no_such", applies_if="offline")[0] == "not_applicable"
    assert judged("host.name == 'pc'", applies_if="!offline")[0] == "pass"
    assert judged("host.name == 'pc'", applies_if="host.no_such")[0] == "unknown", (
        "whether it applies is unknown"
    )


def test_evidence_is_what_was_asked_for_and_bounded() -> None:
    snapshot = Snapshot.from_wire(copy.deepcopy(WIRE))
    snapshot.host["name"] = "x" * 100_000  # type: ignore[index]
    short, long = custom.judge(
        parse_custom_controls(
            [control(evidence="files[].version"), control(id="two", evidence="host.name")]
        ),
        snapshot,
        [],
    )
    assert short.evidence == {"expression": "`true`", "found": ["6.3.0.0"]}
    assert len(long.evidence["found"]) == MAX_EVIDENCE + 1


def test_a_bug_in_a_function_of_ours_is_not_taken_for_a_host_s_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_arguments: Any) -> int:
        raise AttributeError("a typo of ours")

    monkeypatch.setitem(Functions.FUNCTION_TABLE["count"], "function", broken)
    with pytest.raises(AttributeError, match="a typo of ours"):
        judged("count(files) == `0`")


def test_data_that_is_nested_too_deep_is_no_crash() -> None:
    deep: Any = []
    for _level in range(100_000):
        deep = [deep]
    (own,) = parse_custom_controls([control("a == b")])
    assert own.judge({"a": deep, "b": [deep]}).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"expression": "a ~ b"}, "expression: Unknown token ~ at character 3: a »~ b"),
        ({"expression": "files[?]"}, "expression: ']' is not expected at character 8: files[?»]"),
        ({"expression": "a =="}, "ends too early, at character 5"),
        (
            {"expression": "a == lenght(b)"},
            "there is no function lenght at character 6: a == »lenght(b)",
        ),
        (
            {"expression": "count(a, b) == `0`"},
            "count takes 1 arguments and is given 2, at character 1: »count(a, b)",
        ),
        ({"expression": "not_null()"}, "takes at least 1 arguments and is given 0"),
        ({"expression": ""}, "expression: '' is not accepted"),
        ({"expression": "(" * 5000 + "a" + ")" * 5000}, "expression: "),
        ({"require": ["a", "b["]}, "require[1]: it ends too early"),
        ({"require": "a"}, "a list of paths"),
        ({"applies_if": "a["}, "applies_if: it ends too early"),
        ({"evidence": 7}, "evidence: 7 is not accepted"),
        ({"id": "Two Words"}, "id: 'Two Words' is not accepted"),
        ({"id": "custom.x"}, "without custom."),
        ({"severity": "critical"}, "accepted are high, medium, low"),
        ({"message": ""}, "message: '' is not accepted"),
        ({"expresion": "a"}, "'expresion' is not accepted"),
        (
            {"samples": [{"data": {"a": 1}, "expect": "fail"}]},
            "samples[0]: expected fail, but it is pass: One.",
        ),
        ({"samples": [{"data": {"a": 1}}]}, "samples[0].expect: None is not accepted"),
        ({"samples": [{"expect": "pass"}]}, "samples[0]: a dictionary with data"),
    ],
)
def test_a_mistake_is_told_before_any_host_is_touched_with_its_place(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_variables(
            {"controls": [control(id="fine"), control(**{"id": "one", **changes})]}
        )
    (problem,) = caught.value.problems
    assert problem.startswith("ets6_network_controls: entry 2 ")
    assert told in problem


@pytest.mark.parametrize(
    "value",
    [
        "x",
        {"a": 1},
        ["x"],
        [control(), control()],
        [control(samples=[{"data": {}, "expect": object()}])],
    ],
)
def test_what_is_no_list_of_controls_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_custom_controls(value)


def test_ten_examples_are_documented() -> None:
    assert len(EXAMPLES) == 10
    assert len({example["id"] for example in EXAMPLES}) == 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["id"])
def test_an_example_passes_its_samples_and_notices_when_they_are_wrong(
    example: dict[str, Any],
) -> None:
    (own,) = parse_custom_controls([example])
    assert {sample["expect"] for sample in example["samples"]} >= {"pass", "fail", "unknown"}
    for sample in example["samples"]:
        wrong = {
            **example,
            "samples": [{**sample, "expect": "pass" if sample["expect"] != "pass" else "fail"}],
        }
        with pytest.raises(ValueError, match="expected"):
            parse_custom_controls([wrong])
    assert own.judge({}).status is not Status.PASS, "of nothing, nothing passes"


def test_own_controls_are_judged_with_the_others() -> None:
    policy = Policy.from_variables(
        {"controls": [control("findings.\"firewall.programs\".status != 'pass'")]}
    )
    findings = controls.Assessment(Snapshot.from_wire(copy.deepcopy(WIRE)), policy).findings
    assert findings[-1].control.id == controls.catalogue(policy)[-1].id == "custom.one"
    assert findings[-1].status is Status.PASS
    gone = Policy.from_variables({"controls": [control()], "state": "absent"})
    assert (
        controls.Assessment(Snapshot.from_wire(copy.deepcopy(WIRE)), gone).findings[-1].status
        is Status.NOT_APPLICABLE
    )


def test_no_expression_sees_a_login_or_a_query_of_a_url() -> None:
    wire = copy.deepcopy(WIRE)
    script = "http://jane:hunter2@wpad.example/proxy.pac?token=s3cret"
    probe = {"name": f"pac:{script}", "proxy": "", "stage": "done", "elapsed": {}}
    answer = {"status": 302, "headers": [["Location", f"{script};more"]], "body": ""}
    wire["probes"] = [{**probe, "http": answer}]
    wire["registry"]["HKLM\\SOFTWARE\\Acme"]["values"]["Script"] = ["REG_SZ", script]
    wire["environment"]["http_proxy"] = "http://jane:hunter2@proxy.example:8080"
    servers = "http=jane:hunter2@proxy.example:8080;https=other.example"
    wire["registry"]["HKLM\\SOFTWARE\\Acme"]["values"]["ProxyServer"] = ["REG_SZ", servers]
    control = controls.default_catalogue()[0]
    finding = Finding(control, Status.FAIL, "", {"urls": (script,)})
    view = custom.view(Snapshot.from_wire(wire), [finding])
    assert "hunter2" not in repr(view)
    assert "s3cret" not in repr(view)
    assert view["probes"][0]["name"] == "pac:http://…@wpad.example/proxy.pac?…"
    assert view["environment"]["SystemRoot"] == "C:\\Windows"
    values = view["registry"]["HKLM\\SOFTWARE\\Acme"]["values"]
    assert values["ProxyServer"] == "http=…@proxy.example:8080;https=other.example"


@pytest.mark.parametrize(
    "text",
    [
        "v2.31|Action=Allow|Name=@{Acme.App_1.0?ms-resource://Acme.App}|Desc=@{Acme.App_1.0?ms-resource://"
        "Acme.App/Resources/x}|LUOwn=S-1-5-21|EmbedCtxt=@{Acme.App_1.0?ms-resource://Acme.App}|",
        "v2.31|Action=Block|App=C:\\Users\\a@b\\x.exe|Desc=@FirewallAPI.dll,-25000|RA6=fe80::1|",
        "who? jane@example.org",
    ],
)
def test_what_is_no_login_and_no_query_stays(text: str) -> None:
    wire = copy.deepcopy(WIRE)
    wire["environment"]["TEXT"] = text
    assert custom.view(Snapshot.from_wire(wire), [])["environment"]["TEXT"] == text


def test_what_is_missing_on_the_controller_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jmespath_strict, "MISSING", "No module named 'jmespath'")
    assert parse_custom_controls([]) == ()
    with pytest.raises(ValueError, match=r"jmespath.*pip install jmespath regex"):
        parse_custom_controls([control(title="Read without jmespath")])
