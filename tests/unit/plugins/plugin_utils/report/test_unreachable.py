# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Hosts that were not reached, by reason. The errors themselves are real ones in tests/integration/test_not_reached.py."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import terminal, unreachable
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import (
    report_html,
    summary_md,
)

from .samples import HOSTILE, build, result

REFUSED = (
    "Task failed: ntlm: HTTPConnectionPool(host='{}', port=5985): Max retries exceeded with url: /wsman "
    '(Caused by NewConnectionError("[Errno 111] Connection refused"))'
)
NO_USER = "No connection was tried. ansible_user is empty. Set the environment variable X, which it is read from."


def away(message: str) -> dict[str, Any]:
    return {"unreachable": True, "msg": message}


def test_hosts_with_one_reason_are_one_group_and_the_largest_comes_first() -> None:
    refused = {f"pc-{number}": away(REFUSED.format(f"10.0.0.{number}")) for number in range(3)}
    found = unreachable.groups(
        build(
            **refused,
            a=away(NO_USER),
            b=away("Task failed: Bogus"),
            fine=result("pass", "pass", "pass"),
        )
    )
    assert [(group.title, list(group.hosts)) for group in found] == [
        ("the connection is refused", ["pc-0", "pc-1", "pc-2"]),
        ("Bogus", ["b"]),
        ("ansible_user is empty", ["a"]),
    ]
    assert found[0].example == REFUSED.format("10.0.0.0").removeprefix("Task failed: ")
    assert [group.remedy for group in found[1:]] == [
        "",
        "Set the environment variable X, which it is read from.",
    ]


@pytest.mark.parametrize(
    ("message", "heading"),
    [
        (
            'Task failed: Data could not be sent to remote host "127.0.0.1". Make sure this host can be reached over ssh: '
            "ssh: connect to host 127.0.0.1 port 9: Connection refused",
            "the connection is refused",
        ),
        (
            "Task failed: Data could not be sent to remote host '127.0.0.1'. Make sure this host can be reached over SSH: "
            "[Errno 32] Broken pipe",
            unreachable.SSH_GONE,
        ),
    ],
)
def test_where_ansible_loses_the_error_of_ssh_no_reason_is_made_up(
    message: str, heading: str
) -> None:
    assert [group.title for group in unreachable.groups(build(pc=away(message)))] == [heading]


@pytest.mark.parametrize(
    "message",
    ["The PC could not be read: ('Connection aborted.', x)", "Task failed: Connection refused"],
)
def test_a_pc_that_answered_is_not_listed_as_unreachable_whatever_its_error_says(
    message: str,
) -> None:
    report = build(pc={"failed": True, "msg": message})
    assert report["hosts"][0]["status"] == "unknown"
    assert unreachable.groups(report) == []
    lines = terminal.lines(report, ["r/report.json"])
    assert any(line.startswith("not judged, ") for line in lines)


def test_the_closing_lines_name_four_reasons_at_most_and_count_all_hosts() -> None:
    lines = terminal.lines(
        build(**{f"pc-{number}": away(f"Error {number}") for number in range(6)}), ["r/report.json"]
    )
    assert lines[1:5] == [
        "not reached, Error 0: 1 (pc-0)",
        "not reached, Error 1: 1 (pc-1)",
        "not reached, Error 2: 1 (pc-2)",
        "not reached, other reasons: 3 (pc-3, pc-4, pc-5)",
    ]


def test_the_page_and_the_summary_say_a_reason_once_with_what_to_do() -> None:
    report = build(
        **{f"pc-{number}": away(REFUSED.format(number)) for number in range(30)}, a=away(NO_USER)
    )
    page, summary = report_html.render(report), summary_md.render(report)
    assert "<h3>31 hosts not reached</h3>" in page
    assert "30 hosts: The connection is refused<br>" in page
    for text in (page, summary):
        assert text.count("Set up WinRM or the SSH server on the PC") == 1
        assert text.count("which it is read from") >= 1
    assert "and 10 more" in summary
    assert (
        len([line for line in summary.splitlines() if " unreachable | " in line and "pc-" in line])
        == 1
    )


def test_an_error_is_no_markup_nor_does_it_steer_the_terminal() -> None:
    report = build(pc=away(HOSTILE), other=away(f"Connection refused {HOSTILE}"))
    assert "<script>alert" not in report_html.render(report) + summary_md.render(report)
    assert all(line.isprintable() for line in terminal.lines(report, ["r/report.json"]))
