# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Reports of real runs against the lab: written at the end of every run, and never green by accident."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.ets6.network.plugins.plugin_utils.report import hashes, reading, validation
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json

from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.play import ROOT, Played, run
from tests.lab.play import play as lab_play

SCHEMA = validation.schema()


def play(lab: Lab, folder: Path, playbook: str, *words: str) -> Played:
    """Run a playbook of the collection on the lab's PCs; what it wrote is as the schema says, and matches its hashes."""
    played = lab_play(lab, f"playbooks/{playbook}.yml", *words, reports=folder)
    if played.report:
        jsonschema.Draft202012Validator(SCHEMA).validate(played.report)
        assert reading.read(folder / "report.json") == played.report
    return played


WANTED = ("pc-already-right", "pc-never-started", "pc-unreachable", "pc-prints-rubbish")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    def build(network: fleet.Network) -> list[fleet.Member]:
        members = [member for member in fleet.members(network) if member.pc.name in WANTED]
        return [*members, fleet.compliant("pc-zz", network)]

    with Lab(build, scripts=False) as running:
        yield running


def test_verify_reports_on_every_host_and_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    before = lab.registries()
    run = play(lab, tmp_path, "verify")
    assert run.code == 2
    assert run.statuses() == {
        "pc-already-right": "pass",
        "pc-never-started": "fail",
        "pc-prints-rubbish": "unknown",
        "pc-unreachable": "unreachable",
        "pc-zz": "pass",
    }
    assert lab.registries() == before
    assert run.report["run"]["mode"] == "verify"
    beside = {"report.json.sha256", "history.jsonl"}
    files = {file.name for file in tmp_path.iterdir()}
    assert files == {"report.json", "junit.xml", "report.html"} | beside
    assert "pc-never-started" in (tmp_path / "report.html").read_text(encoding="utf-8")
    failing = next(host for host in run.report["hosts"] if host["name"] == "pc-never-started")
    changes = [
        change["subject"] for finding in failing["findings"] for change in finding["changes"]
    ]
    assert changes, "what enforcing would change is said"
    assert not any(finding["changed"] for finding in failing["findings"])


def recap(run: Played) -> dict[str, int]:
    """Return how many tasks failed by host, as Ansible counts them."""
    return {
        host: int(failed)
        for host, failed in re.findall(r"^(\S+) +: ok=\d+ .*failed=(\d+)", run.output, re.MULTILINE)
        if host != "localhost"
    }


@pytest.mark.parametrize(
    "words",
    [(), ("-e", "ets6_network_serial=2"), ("-e", "ets6_network_serial=1")],
    ids=["all at once", "two by two", "one by one"],
)
def test_each_pcs_result_is_the_pcs(lab: Lab, tmp_path: Path, words: tuple[str, ...]) -> None:
    run = play(lab, tmp_path, "verify", *words)
    assert (run.code, len(run.report["hosts"])) == (2, 5)
    complying = {"pc-already-right", "pc-zz"}
    assert recap(run) == {name: int(name not in complying) for name in run.statuses()}
    assert re.search(r"pc-never-started: \d+ open findings, worst: [a-z0-9_.]+ \(", run.output)


def assert_errors_are_short(run: Played) -> None:
    """Each host that fails has one line of error, and none shows lines of the collection's files."""
    results = run.output[run.output.index("Result of the PC") :]
    failing = [name for name, failed in recap(run).items() if failed]
    assert sorted(re.findall(r"^\[ERROR\]: Task failed: (\S+): ", results, re.MULTILINE)) == failing
    assert "Origin: " not in run.output


@pytest.mark.parametrize("batch", [[], ["-e", "ets6_network_serial=2"]], ids=["one", "serial"])
def test_the_closing_lines_come_after_every_error(
    lab: Lab, tmp_path: Path, batch: list[str]
) -> None:
    for hosts in (
        "pc-never-started,pc-prints-rubbish,pc-zz",
        "pc-never-started,pc-unreachable",
        "pc-unreachable",
    ):
        run = play(lab, tmp_path, "verify", "--limit", hosts, *batch)
        assert run.code == 2
        assert_errors_are_short(run)
        last_error = run.output.rindex("FAILED! =>")
        assert run.output.count("ets6.network: ") == 1
        assert run.output.index("ets6.network: ") > last_error
        assert run.output.index("report: ") > last_error


def test_verbose_prints_a_line_for_each_pc_and_not_its_findings(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "-v", "--limit", "pc-zz,pc-never-started")
    assert re.search(r"^pc-zz: \d+ not_applicable, \d+ pass$", run.output, re.MULTILINE)
    assert "rationale" not in run.output
    assert len(run.output) < 10_000


def test_a_diff_names_the_pc_and_has_no_line_for_what_is_not_there(
    lab: Lab, tmp_path: Path
) -> None:
    run = play(lab, tmp_path, "enforce", "--check", "--diff", "--limit", "pc-never-started")
    assert "pc-never-started: firewall rule ETS6-ETS6N-TCP-In" in run.output
    diff = [line for line in run.output.splitlines() if line.startswith(("+", "-"))]
    assert any("action" in line for line in diff)
    assert not any("null" in line for line in diff)


def test_without_a_reason_to_fail_no_pc_fails(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "-e", "ets6_network_fail_on=never")
    assert (run.code, set(recap(run).values())) == (0, {0})
    run = play(lab, tmp_path, "verify", "-e", "ets6_network_fail_on=unreachable")
    assert run.code == 2
    assert {name for name, failed in recap(run).items() if failed} == {"pc-unreachable"}


def test_only_a_fleet_that_complies_ends_with_zero(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "--limit", "pc-already-right,pc-zz")
    assert run.code == 0, run.output
    assert run.report["run"]["complies"] is True
    assert run.report["run"]["limit"] == "pc-already-right,pc-zz"


def test_all_hosts_dead_is_reported_and_red(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "--limit", "pc-unreachable")
    assert (run.code, run.statuses()) == (2, {"pc-unreachable": "unreachable"})
    never = play(
        lab,
        tmp_path,
        "verify",
        "--limit",
        "pc-unreachable",
        "-e",
        '{"ets6_network_fail_on": ["never"]}',
    )
    assert (never.code, never.report["run"]["complies"]) == (0, False)


def test_no_host_matched_is_reported_and_red(lab: Lab, tmp_path: Path) -> None:
    for number, words in enumerate(
        (
            ["-e", "ets6_network_hosts=pc-nowhere"],
            ["-i", os.devnull, "-e", "ets6_network_hosts=no_such_host"],
            ["-e", "ets6_network_hosts=pc-unreachable", "--limit", "pc-never-started"],
        )
    ):
        run = play(
            lab,
            tmp_path / str(number),
            "verify",
            *words,
            "-e",
            '{"ets6_network_fail_on": ["never"]}',
        )
        assert run.code == 2
        assert run.report["hosts"] == []
        assert run.report["run"]["verdict"] == "no host was judged"


def test_remove_takes_away_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    before = lab.registries()
    run = play(
        lab, tmp_path, "remove", "--limit", "pc-never-started", "-e", "ets6_network_state=present"
    )
    assert run.code == 2
    assert "ets6_network_state: remove takes settings away" in run.output
    assert lab.registries() == before


def test_batches_are_one_report(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "-e", "ets6_network_serial=2")
    assert run.code == 2
    assert len(run.report["hosts"]) == 5
    assert run.report["run"]["pending"] == []
    assert run.output.count("ets6.network: 3 of 5 hosts do not comply") >= 1


def test_check_mode_predicts_and_the_run_does_it(lab: Lab, tmp_path: Path) -> None:
    words = ("--limit", "pc-never-started")
    before = lab.registries()
    predicted = play(lab, tmp_path / "check", "ets6-network", "--check", *words)
    assert (predicted.code, predicted.statuses()) == (2, {"pc-never-started": "would_fix"})
    assert predicted.report["run"]["mode"] == "check"
    assert lab.registries() == before
    done = play(lab, tmp_path / "done", "ets6-network", *words)
    assert (done.code, done.statuses()) == (0, {"pc-never-started": "fixed"}), done.output
    pairs = [
        [
            (one["control"], one["changes"])
            for one in run.report["hosts"][0]["findings"]
            if one["changed"]
        ]
        for run in (predicted, done)
    ]
    assert pairs[0] == pairs[1] != []


def test_a_second_run_on_the_same_state_says_the_same_but_for_the_times(
    lab: Lab, tmp_path: Path
) -> None:
    runs = [
        play(lab, tmp_path / name, "verify", "--limit", "pc-already-right,pc-zz,pc-unreachable")
        for name in ("a", "b")
    ]
    reports = []
    for played in runs:
        # The whole report's hash covers its times.
        untimed = {**hashes.without(played.report, hashes.TIMES), "sha256": ""}
        reports.append(report_json.render(untimed))
    first, second = reports
    assert first == second
    assert '"sha256"' in first


def test_verify_cannot_be_talked_into_changing_something(lab: Lab, tmp_path: Path) -> None:
    before = lab.registries()
    run = play(
        lab, tmp_path, "verify", "--limit", "pc-never-started", "-e", "ets6_network_apply=true"
    )
    assert run.code == 2
    assert "ets6_network_apply: verify changes nothing" in run.output
    assert lab.registries() == before


def test_a_host_of_any_name_is_reported_and_is_no_markup(lab: Lab, tmp_path: Path) -> None:
    """Ansible takes such names from an inventory; no host has them."""
    names = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "=cmd()|x",
        "pc\u202eevil\x1b",
    ]
    absent = {
        "ansible_host": "127.0.0.1",
        "ansible_port": 9,
        "ansible_connection": "winrm",
        "ansible_winrm_scheme": "http",
    }
    hosts = {name: {**absent, "ansible_user": "x", "ansible_password": "x"} for name in names}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    formats = json.dumps({"ets6_network_formats": ["junit", "html", "markdown", "sarif", "csv"]})
    run = play(
        lab, tmp_path / "out", "verify", "-i", str(inventory), "-e", formats, "--limit", "!pcs"
    )
    assert run.code == 2
    assert "Connection refused" in run.report["hosts"][0]["reason"]
    assert run.statuses() == dict.fromkeys(names, "unreachable"), run.output
    for name in ("report.html", "summary.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img" not in text
    assert not any(
        line.startswith("=")
        for line in (tmp_path / "out" / "report.csv").read_text(encoding="utf-8").splitlines()
    )


def test_a_waiver_holds_on_its_last_day_and_the_control_fails_on_the_day_after(
    lab: Lab, tmp_path: Path
) -> None:
    today = datetime.now(timezone.utc).date()
    control = {**CONTROL, "expression": "host.name == 'another'"}
    for expires, code, status in ((today, 0, "waived"), (today - timedelta(days=1), 2, "fail")):
        waiver = {**WAIVER, "control": "custom.known_name", "expires": expires.isoformat()}
        variables = json.dumps(
            {"ets6_network_controls": [control], "ets6_network_waivers": [waiver]}
        )
        run = play(lab, tmp_path, "verify", "--limit", "pc-zz", "-e", variables)
        if datetime.now(timezone.utc).date() != today:
            pytest.skip("It is midnight.")
        assert (run.code, run.statuses()) == (code, {"pc-zz": status}), run.output
    assert run.report["waivers"][0]["state"] == "expired"
    assert f"custom.known_name ended {today - timedelta(days=1)} (jane)" in run.output


def test_reports_of_two_sites_become_one(lab: Lab, tmp_path: Path) -> None:
    """From another folder, by a path that starts there; and with --limit, under which a play on localhost alone would do nothing."""
    for site, host in (("one", "pc-already-right"), ("two", "pc-zz")):
        play(lab, tmp_path / "sites" / site, "verify", "--limit", host)

    def merge(*words: str) -> Played:
        inventory = ("-i", str(lab.inventory), "-e", "reports=sites")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
            return run(
                str(ROOT / "playbooks" / "merge.yml"),
                *inventory,
                *words,
                reports=tmp_path / "all",
                folder=tmp_path,
            )

    missing = ["pc-never-started", "pc-prints-rubbish", "pc-unreachable"]
    whole = merge()
    jsonschema.Draft202012Validator(SCHEMA).validate(whole.report)
    assert (whole.code, whole.report["merged"]["missing"]) == (2, missing), whole.output
    assert whole.statuses() == {
        "pc-already-right": "pass",
        "pc-zz": "pass",
        **dict.fromkeys(missing, "unknown"),
    }
    told = merge("--limit", "pc-zz", "-e", '{"expected": ["pc-already-right", "pc-zz"]}')
    assert (told.code, told.report["merged"]["missing"]) == (0, []), told.output
    (tmp_path / "sites" / "two" / "report.json").write_text("{}")
    wrong = merge()
    assert (wrong.code, set(wrong.statuses().values())) == (2, {"unknown"})
    assert f"{tmp_path}/sites/two/report.json is not a report of ets6.network" in wrong.output
    closing = wrong.output.rindex("ets6.network: nothing was merged")
    assert closing > wrong.output.rindex("FAILED! =>")


def test_blanks_in_the_names_of_folders_are_kept_in_json_and_refused_elsewhere(
    lab: Lab, tmp_path: Path
) -> None:
    for site, host in (("site north", "pc-already-right"), ("site south", "pc-zz")):
        written = play(lab, tmp_path / site, "verify", "--limit", host)
        assert (written.code, written.statuses()) == (0, {host: "pass"}), written.output

    sites = {"reports": [str(tmp_path / "site north"), str(tmp_path / "site south")]}
    merged = play(
        lab,
        tmp_path / "all",
        "merge",
        "-e",
        json.dumps({**sites, "expected": ["pc-already-right", "pc-zz"]}),
    )
    assert (merged.code, merged.statuses()) == (0, {"pc-already-right": "pass", "pc-zz": "pass"}), (
        merged.output
    )

    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "report.json").write_bytes(
        (tmp_path / "site south" / "report.json").read_bytes()
    )
    cut = play(
        lab,
        tmp_path / "cut",
        "merge",
        "-e",
        f"reports={tmp_path}/site north",
        "-e",
        '{"expected": ["pc-zz"]}',
    )
    assert (cut.code, cut.statuses()) == (2, {"pc-zz": "unknown"}), (
        "the report of another site is not taken"
    )
    assert (
        """-e reports: Ansible ends a value at the first blank"""
        in cut.report["run"]["fails_because"][1]
    )
    executions = sum(traffic.executions for traffic in lab.endpoint.traffic.values())
    cut = play(
        lab,
        tmp_path / "cut",
        "enforce",
        "-e",
        f"ets6_network_public_roots={lab.network.roots} of the lab",
    )
    assert (cut.code, set(cut.statuses().values())) == (2, {"unknown"})
    assert sum(traffic.executions for traffic in lab.endpoint.traffic.values()) == executions


def test_who_ran_what_is_said_and_no_secret(lab: Lab, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.write_text("open sesame")
    encrypt = [
        str(Path(sys.executable).with_name("ansible-vault")),
        "encrypt_string",
        "--vault-password-file",
        str(vault),
        "*.secret-site.example",
        "--name",
        "hidden",
    ]
    sealed = subprocess.run(encrypt, capture_output=True, text=True, check=True).stdout
    extra = tmp_path / "extra.yml"
    extra.write_text(
        f"{sealed}\nets6_network_proxy: {{mode: named, server: 'proxy.example:3128', bypass: ['{{{{ hidden }}}}']}}\n"
    )
    run = play(
        lab,
        tmp_path / "out",
        "verify",
        "--limit",
        "pc-zz",
        "-e",
        f"@{extra}",
        "--vault-password-file",
        str(vault),
    )
    assert run.report, run.output
    assert run.report["run"]["user"]
    assert run.report["run"]["playbook"] == "playbooks/verify.yml"
    variables = run.report["run"]["variables"]
    assert variables["proxy"] == {
        "mode": "named",
        "server": "proxy.example:3128",
        "bypass": ["(left out)"],
    }
    assert variables["apply"] is False


def test_a_wrong_variable_leaves_a_red_report_and_no_pc_touched(lab: Lab, tmp_path: Path) -> None:
    for number, (variables, told) in enumerate(
        [
            ({"ets6_network_bloks": "x"}, "did you mean ets6_network_blocks?"),
            ({"ets6_network_controls": [{**CONTROL, "expression": "host.name ="}]}, "expression: "),
            (
                {"ets6_network_waivers": [{**WAIVER, "control": "firewall.program"}]},
                "did you mean firewall.programs?",
            ),
            (
                {"ets6_network_waivers": [{**WAIVER, "expires": "soon"}]},
                "ets6_network_waivers: entry 1.expires: 'soon'",
            ),
            (
                {"ets6_network_fail_on": ["lowest"]},
                "ets6_network_fail_on: 'lowest' is not accepted",
            ),
            (
                {"ets6_network_previous_report": "/no/such"},
                "ets6_network_previous_report: the file /no/such does not exist",
            ),
            ({"ets6_network_formats": "pdf"}, "ets6_network_formats: 'pdf' is not accepted"),
            ({"ets6_network_serial": "many"}, "ets6_network_serial: 'many' is not accepted"),
            (
                {"ets6_network_public_roots": "/no/such"},
                "ets6_network_public_roots: /no/such cannot be read: ",
            ),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "junit.xml").write_text(
            '<testsuites name="ets6.network" failures="0"/>'
        )
        executions = sum(traffic.executions for traffic in lab.endpoint.traffic.values())
        run = play(lab, tmp_path / str(number), "verify", "-e", json.dumps(variables))
        assert run.code == 2
        assert told in run.output.replace("\n", " ")
        assert sum(traffic.executions for traffic in lab.endpoint.traffic.values()) == executions
        assert set(run.statuses().values()) == {"unknown"}
        problems = run.report["run"]["fails_because"]
        assert told in problems[1]
        assert problems[0] == "Not run: 1 variable is invalid."
        assert run.output.replace("\n", " ").count(told) == 1, "it is said once"
        assert run.output.index("ets6.network: not run: ") > run.output.rindex("FAILED! =>")
        assert "Origin: " not in run.output
        assert 'errors="0"' not in (tmp_path / str(number) / "junit.xml").read_text()


def test_a_wrong_variable_leaves_the_last_good_report(lab: Lab, tmp_path: Path) -> None:
    words = ["--limit", "pc-zz"]
    good = play(lab, tmp_path, "verify", *words)
    assert good.code == 0
    before = {name: (tmp_path / name).read_bytes() for name in ("report.json", "report.html")}
    variables = {"ets6_network_profiles": ["domian", "pubic"], "ets6_network_blokcs": "x"}
    run = play(lab, tmp_path, "verify", *words, "-e", json.dumps(variables))
    assert run.code == 2
    assert "ets6.network: not run: 2 variables are invalid" in run.output
    assert "'domian' is not accepted" in run.output
    assert "'pubic' is not accepted" in run.output, "all mistakes at once"
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    assert 'errors="0"' not in (tmp_path / "junit.xml").read_text(), "CI sees that it was not run"
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 1


def test_a_list_from_the_command_line_can_be_a_word(lab: Lab, tmp_path: Path) -> None:
    run = play(lab, tmp_path, "verify", "--limit", "pc-zz", "-e", "ets6_network_profiles=domain")
    assert "is not accepted" not in run.output
    assert run.report["run"]["variables"]["profiles"] == "domain"
    host = run.report["hosts"][0]
    assert host["facts"]["windows"] == "10.0.22631.4460"
    rules = [item for item in host["findings"] if item["control"].startswith("firewall.rule.")]
    assert {item["status"] for item in rules} == {"fail"}, "the rules are for private as well"


CONTROL = {
    "id": "known_name",
    "title": "The PC has a name",
    "severity": "low",
    "message": "It has none.",
}
WAIVER = {
    "control": "firewall.programs",
    "hosts": ["pc-zz"],
    "reason": "No ETS6 there.",
    "owner": "jane",
    "expires": "2999-12-31",
}


def test_waivers_and_custom_controls_and_what_changed(lab: Lab, tmp_path: Path) -> None:
    words = ["--limit", "pc-already-right,pc-zz"]
    first = play(lab, tmp_path, "verify", *words)
    assert first.report["drift"] is None
    variables = {
        "ets6_network_controls": [
            {**CONTROL, "expression": "host.name == 'pc-zz'"},
            {**CONTROL, "id": "broken", "expression": "host.no_such != 'x'"},
        ],
        "ets6_network_waivers": [
            {**WAIVER, "control": "custom.broken", "hosts": [], "groups": ["pcs"]}
        ],
    }
    (tmp_path / "variables.yml").write_text(
        json.dumps(variables).replace('"2999-12-31"', "2999-12-31")
    )
    second = play(lab, tmp_path, "verify", *words, "-e", f"@{tmp_path / 'variables.yml'}")
    assert second.statuses() == {"pc-already-right": "fail", "pc-zz": "waived"}, second.output
    found = {
        item["control"]: item
        for host in second.report["hosts"]
        for item in host["findings"]
        if host["name"] == "pc-zz"
    }
    assert found["custom.known_name"]["status"] == "pass"
    assert found["custom.broken"]["status"] == "waived"
    assert found["custom.broken"]["waiver"]["status"] == "unknown"
    assert found["custom.broken"]["waiver"]["expires"] == "2999-12-31"
    assert [(one["state"], one["findings"]) for one in second.report["waivers"]] == [
        ("in_force", 2)
    ]
    assert second.report["drift"]["since"] == first.report["run"]["ended"]
    assert second.report["drift"]["failing"] == [
        {"host": "pc-already-right", "control": "custom.known_name", "was": None, "is": "fail"}
    ]
    assert "newly failing 1 (pc-already-right)" in second.output
    third = play(lab, tmp_path, "verify", *words, "-e", "ets6_network_serial=1")
    assert third.report["drift"]["since"] == second.report["run"]["ended"], (
        "not since the run's own first batch"
    )
    assert json.loads((tmp_path / "previous.json").read_text()) == second.report
    given = play(
        lab,
        tmp_path,
        "verify",
        "--limit",
        "pc-zz",
        "-e",
        f"ets6_network_previous_report={tmp_path}/previous.json",
    )
    assert given.report["drift"]["since"] == second.report["run"]["ended"]
    assert given.report["drift"]["gone_hosts"] == [], "who was left out by --limit is not gone"


def test_the_documented_custom_controls_can_be_decided_on_a_pc(lab: Lab, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "custom-controls.md").read_text(encoding="utf-8")
    examples = [
        control
        for block in re.findall(r"```yaml\n(- id: .*?)```", text, re.DOTALL)
        for control in yaml.safe_load(block)
    ]
    assert len(examples) == 10
    run = play(
        lab,
        tmp_path,
        "verify",
        "--limit",
        "pc-zz",
        "-e",
        json.dumps({"ets6_network_controls": examples}),
    )
    found = {
        item["control"]: item
        for item in run.host("pc-zz")["findings"]
        if item["control"].startswith("custom.")
    }
    assert {
        name: item["reason"]
        for name, item in found.items()
        if item["status"] not in ("pass", "fail")
    } == {}


@pytest.mark.parametrize(("playbook", "code"), [("verify", 0), ("merge", 2), ("image", 2)])
def test_tags_make_no_run_that_does_nothing_and_looks_like_a_success(
    lab: Lab, tmp_path: Path, playbook: str, code: int
) -> None:
    run = play(
        lab, tmp_path, playbook, "--limit", "localhost,pc-already-right", "--tags", "firewall"
    )
    assert run.code == code, run.output
    assert playbook == "image" or run.report


def test_an_image_that_is_not_there_is_named_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    words = json.dumps({"image": [str(tmp_path / "there"), str(tmp_path / "not here.wim")]})
    done = run("playbooks/prepare_image.yml", "-e", words, reports=tmp_path / "report")
    text = " ".join(done.output.split())
    assert done.code == 2
    assert "ets6.network: not run: 1 variable is invalid" in text
    cause = f"ets6_network_image: {tmp_path}/not here.wim does not exist; correct -e image="
    assert text.count(cause) == 1
    assert "Check the PC" not in text


@pytest.mark.parametrize("image", ["", " ", ["a.wim", ""]])
def test_a_run_without_an_image_says_how_to_name_one(tmp_path: Path, image: object) -> None:
    done = run(
        str(ROOT / "playbooks" / "image.yml"), "-e", json.dumps({"image": image}), reports=tmp_path
    )
    assert done.code == 2
    assert "Say which image: -e image=win11.wim" in done.output.replace("\n", " ")
