# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.html as text: what its policy allows, what hosts can put into it, and how large it grows."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import document
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_html

from .samples import AWAY, HOSTILE, RUN, build, hostile, large, result


class Page(HTMLParser):
    """Elements with their attributes, and scripts and styles with their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str | None, str]] = []
        self._within = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag in ("script", "style")
        if self._within:
            self.raw.append((tag, dict(attrs).get("id"), ""))

    def handle_endtag(self, tag: str) -> None:
        self._within = False

    def handle_data(self, data: str) -> None:
        if self._within:
            tag, name, text = self.raw[-1]
            self.raw[-1] = (tag, name, text + data)

    def only(self, tag: str) -> str:
        """Return the text of the one such element that is no data."""
        (text,) = [text for one, name, text in self.raw if one == tag and name is None]
        return text

    def data(self, name: str) -> Any:
        (text,) = [text for _tag, one, text in self.raw if one == name]
        return json.loads(text)


def test_the_policy_allows_the_one_script_and_the_one_style_only() -> None:
    page = Page(report_html.render(build(one=result("fail", "pass", "pass"))))
    policy = (
        next(
            a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
        )
        or ""
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for name, text in (("script-src", page.only("script")), ("style-src", page.only("style"))):
        assert (
            rules[name]
            == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        )


def test_nothing_is_asked_from_elsewhere_and_nothing_is_inline() -> None:
    page = Page(report_html.render(build(one=result("fail", "pass", "pass"))))
    for _tag, attributes in page.tags:
        assert not {
            name
            for name in attributes
            if name.startswith("on") or name in ("src", "style", "srcset", "action")
        }
        assert (attributes.get("href") or "#").startswith("#")


def test_what_hosts_say_adds_no_element_and_turns_no_text() -> None:
    text = report_html.render(
        build(**{HOSTILE: hostile(), "away" + HOSTILE: {**AWAY, "msg": HOSTILE}})
    )
    page = Page(text)
    assert sum(tag == "script" for tag, _attributes in page.tags) == 3
    assert "<script>alert" not in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    details = gzip.decompress(base64.b64decode(page.data("details")["gzip"])).decode()
    assert "alert(1)" in details
    assert "\u202e" not in details


def test_the_same_state_gives_the_same_bytes() -> None:
    fleet = {f"pc-{number}": result("fail", "pass", "unknown") for number in range(5)}
    assert report_html.render(build(**fleet)) == report_html.render(
        build(**dict(reversed(fleet.items())))
    )


def test_two_thousand_different_hosts_stay_below_the_limit() -> None:
    text = report_html.render(build(**large(2_000)))
    assert len(text.encode()) < 2_000_000
    assert len(Page(text).data("data")["hosts"]) == 2_000


def test_two_thousand_hosts_that_are_away_stay_below_it_too() -> None:
    away = {
        f"pc-{number:04}": {"unreachable": True, "msg": f"{number} " + "no route to host " * 60}
        for number in range(2_000)
    }
    assert len(report_html.render(build(**away)).encode()) < 2_000_000


def test_evidence_is_left_out_only_where_it_must_be_and_it_is_said() -> None:
    assert Page(report_html.render(build(**large(20)))).data("data")["left_out"] is False
    assert Page(report_html.render(build(**large(2_000)))).data("data")["left_out"] is True


@pytest.mark.parametrize(
    ("mode", "apply", "told"),
    [
        ("image", False, "Judged, nothing was changed."),
        ("image", True, "Changed images, then judged them again."),
        ("enforce", False, "Judged, nothing was changed."),
        ("enforce", True, "Enforced, then judged again."),
        ("verify", False, "Verified, nothing was changed."),
    ],
)
def test_whether_something_was_changed_is_on_the_first_screen(
    mode: str, apply: bool, told: str
) -> None:
    report = build(pc=result("pass", "pass", "pass"))
    report["run"].update(mode=mode, variables={"apply": apply})
    assert f"<p>{told} " in report_html.render(report)


def test_a_run_that_was_refused_or_goes_on_is_not_said_to_have_changed_anything() -> None:
    refused = build(pc={"failed": True, "msg": "Not run."}, off={"unreachable": True, "msg": "x"})
    assert "<p>No host was judged or changed. " in report_html.render(refused)
    run: Any = {**RUN, "pending": []}
    assert "<p>Not ended. " in report_html.render(document.not_ended(run, ["pc"]))
