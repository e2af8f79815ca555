# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""report.html in a real browser: what people see, press and print."""

from __future__ import annotations

import base64
import copy
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.report import document, drift, scores
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_html
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.common.print_page_options import PrintOptions
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.integration.debian import need
from tests.unit.plugins.plugin_utils.report.samples import (
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
    single_result,
    waived,
)

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
Show = Callable[..., None]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = need("chromium", "chromium")
    driver = need("chromedriver", "chromium-driver")
    for one in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as running:
        yield running


@pytest.fixture
def show(browser: webdriver.Chrome, tmp_path: Path) -> Iterator[Show]:
    """Open the page of a fleet; afterwards nothing was asked from elsewhere, and nothing complained.

    More arguments are parts of the report.
    """

    def opened(fleet: dict[str, Any], **parts: Any) -> None:
        file = tmp_path / "report.html"
        report: Any = {**build(**fleet), **parts}
        file.write_text(report_html.render(report), encoding="utf-8")
        browser.get_log("performance")
        browser.get_log("browser")
        browser.get(file.as_uri())

    yield opened
    assert browser.get_log("browser") == []
    asked = [
        entry["message"]
        for entry in browser.get_log("performance")
        if "Network.requestWillBeSent" in entry["message"]
    ]
    assert [one for one in asked if '"url":"http' in one] == []
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def mixed() -> dict[str, Any]:
    change = {
        "subject": "firewall rule ETS6",
        "before": {"enabled": False},
        "after": {"enabled": True},
    }
    rule = {
        "name": "Block ETS6",
        "rule": "{1}",
        "store": "local",
        "passes": False,
        "reason": "It blocks.",
    }
    traffic = {
        "program": "ETS6.exe",
        "profile": "public",
        "outcome": "blocked",
        "decided_by": [rule],
    }
    evidence = {"traffic": [traffic]}
    wrong = [
        finding(
            CONTROLS[0]["id"], "fail", "A rule blocks it.", evidence=evidence, changes=[change]
        ),
        finding(CONTROLS[1]["id"], "unknown", "It is unknown."),
        finding(CONTROLS[2]["id"]),
    ]
    right = {f"pc-{number}": result("pass", "pass", "not_applicable") for number in range(4)}
    return {
        **right,
        "pc-wrong": {**result("fail", "fail", "pass"), "findings": wrong},
        "pc-away": AWAY,
    }


def rows(browser: webdriver.Chrome) -> list[str]:
    return [
        cell.text.split(" ", 1)[1]
        for cell in browser.find_elements(By.CSS_SELECTOR, "#matrix tbody th")
    ]


def cell(browser: webdriver.Chrome, label: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'#matrix tbody button[aria-label^="{label}"]')


def dialog(browser: webdriver.Chrome, wanted: str) -> WebElement:
    """Return the open dialog as soon as it says what is wanted."""
    opened = browser.find_element(By.ID, "dialog")
    WebDriverWait(browser, 5).until(lambda _browser: wanted in opened.text)
    return opened


def test_what_is_wrong_comes_before_the_matrix_and_the_worst_host_first(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(mixed())
    assert "2 of 6 hosts do not comply" in browser.find_element(By.TAG_NAME, "h1").text
    titles = [title.text for title in browser.find_elements(By.TAG_NAME, "h2") if title.text]
    assert titles == [
        "What is wrong, and what to do",
        "What was not checked, and why",
        "All hosts",
        "Who ran what",
    ]
    links = browser.find_elements(By.CSS_SELECTOR, "nav a")
    assert [link.text for link in links] == titles
    browser.find_element(By.LINK_TEXT, CONTROLS[0]["headline"]).click()
    assert browser.current_url.endswith("#cause-firewall.rule.ets6n.tcp")
    assert "Make the rule." in browser.find_element(By.TAG_NAME, "main").text
    assert rows(browser)[:2] == ["pc-away", "pc-wrong"]


def test_search_and_filters_narrow_the_matrix_and_stay_in_the_address(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(mixed())
    browser.find_element(By.ID, "filter-text").send_keys("pc-2")
    assert rows(browser) == ["pc-2"]
    assert browser.find_element(By.ID, "count").text == "1 of 6 hosts, 3 of 3 controls"
    browser.find_element(By.XPATH, "//button[.='Show all']").click()
    browser.find_element(By.CSS_SELECTOR, "#filter-status option[value=fail]").click()
    assert rows(browser) == ["pc-wrong"]
    assert browser.current_url.endswith("#status=fail")
    browser.refresh()
    assert rows(browser) == ["pc-wrong"]


def test_search_finds_reasons_and_evidence(browser: webdriver.Chrome, show: Show) -> None:
    show(mixed())
    for part in ("IT IS UNKNOWN", "decided_by"):
        field = browser.find_element(By.ID, "filter-text")
        field.clear()
        field.send_keys(part)
        WebDriverWait(browser, 5).until(lambda _browser: rows(browser) == ["pc-wrong"])
    browser.find_element(By.ID, "filter-text").send_keys(" and nothing like it")
    WebDriverWait(browser, 5).until(lambda _browser: rows(browser) == [])


def test_search_finds_facts(browser: webdriver.Chrome, show: Show) -> None:
    hosts = mixed()
    hosts["pc-2"]["facts"] = {"kind": "pc", "windows": "10.0.19045.5131", "edition": "Pro 22H2"}
    show(hosts)
    browser.find_element(By.ID, "filter-text").send_keys("10.0.19045")
    WebDriverWait(browser, 5).until(lambda _browser: rows(browser) == ["pc-2"])


def test_a_filter_does_not_keep_the_target_of_a_link(browser: webdriver.Chrome, show: Show) -> None:
    show(mixed())
    browser.find_element(By.LINK_TEXT, "All hosts").click()
    browser.find_element(By.CSS_SELECTOR, "#filter-status option[value=fail]").click()
    assert browser.current_url.endswith("#status=fail")


def test_a_pc_that_passes_shows_facts_and_evidence(browser: webdriver.Chrome, show: Show) -> None:
    facts = {
        "kind": "pc",
        "collection": "1.0.0",
        "edition": "Professional 23H2",
        "windows": "10.0.22631.4460",
        "domain": "",
        "addresses": ["192.0.2.7"],
        "programs": [{"path": r"C:\ETS6\ETS6N.exe", "version": "6.3.1.0"}],
    }
    fine = result("pass", "pass", "not_applicable", facts=facts)
    fine["findings"][0]["evidence"] = {"rules": ["ETS6-ETS6N-TCP-In"]}
    show({"pc": fine})
    cell(browser, "pc, passes").click()
    shown = dialog(browser, "Controls that are not open: 3").text
    for part in (
        "Professional 23H2 10.0.22631.4460",
        r"C:\ETS6\ETS6N.exe 6.3.1.0",
        "none (workgroup)",
        "192.0.2.7",
        "2026-11-24T09:59:58Z by ets6.network 1.0.0",
    ):
        assert part in shown
    browser.find_element(By.CSS_SELECTOR, "#dialog details > summary").click()
    dialog(browser, CONTROLS[0]["title"])
    browser.find_element(By.XPATH, "//dialog//summary[.='Evidence']").click()
    dialog(browser, "ETS6-ETS6N-TCP-In")


def test_a_run_that_did_not_end_on_a_pc_is_on_the_first_screen_and_in_its_dialog(
    browser: webdriver.Chrome, show: Show
) -> None:
    show({"pc": {**result("pass", "pass", "pass"), "interrupted": INTERRUPTED}})
    told = "An earlier run began 1 operation on this PC at 2026-11-23T21:00:00Z"
    assert told in browser.find_element(By.ID, "unchecked").text
    cell(browser, "pc, passes").click()
    dialog(browser, told)


def test_hosts_that_have_not_been_judged_yet_are_named(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    run: Any = {**RUN, "pending": ["pc-2", "pc-3"], "variables": {}}
    controls: Any = CONTROLS
    file = tmp_path / "report.html"
    page = report_html.render(document.build(run, controls, [], [], ["low"]))
    file.write_text(page, encoding="utf-8")
    browser.get(file.as_uri())
    told = browser.find_element(By.ID, "unchecked").text
    assert "2 hosts not judged yet" in told
    assert "pc-2, pc-3" in told


@pytest.mark.parametrize(
    ("status", "more", "title"),
    [
        ("would_fix", {"changed": True}, "The exact change"),
        ("fixed", {"changed": True}, "What was changed"),
        ("unknown", {"sent": True}, "What was sent; whether it took effect is not known"),
    ],
)
def test_a_dialog_says_what_became_of_a_change(
    browser: webdriver.Chrome, show: Show, status: str, more: dict[str, Any], title: str
) -> None:
    change = {"subject": "firewall rule X", "before": {"on": 1}, "after": {"on": 2}}
    wrong = finding(CONTROLS[0]["id"], status, changes=[change], **more)
    show({"pc": {**result("pass", "pass", "pass"), "findings": [wrong]}})
    cell(browser, "pc, firewall").click()
    assert title in dialog(browser, "firewall rule X").text


def test_more_hosts_open_and_are_copied_as_limit(browser: webdriver.Chrome, show: Show) -> None:
    show({f"pc-{number:02}": result("fail", "pass", "pass") for number in range(12)})
    summary = browser.find_element(By.XPATH, "//article//summary[.='and 4 more']")
    summary.click()
    names = ",".join(f"pc-{number:02}" for number in range(12))
    assert browser.find_element(By.CSS_SELECTOR, "article code.limit").text == names
    button = browser.find_element(By.XPATH, "//article//button[.='Copy as --limit']")
    assert copied(browser, button) == f"--limit {names}"


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(
    browser: webdriver.Chrome, show: Show, scheme: str, width: int
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        check_with_axe(browser, show)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check_with_axe(browser: webdriver.Chrome, show: Show) -> None:
    show(pictured(), **trends())
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    axe = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    # Not through the page, whose policy allows its own script only.
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    assert violations(browser) == []
    cell(browser, "pc-wrong, firewall").click()
    dialog(browser, "A rule blocks it.")
    assert violations(browser) == []
    browser.execute_script("document.getElementById('dialog').close()")
    cell(browser, "pc-0, passes").click()
    dialog(browser, "Controls that are not open")
    browser.find_element(By.CSS_SELECTOR, "#dialog summary").click()
    dialog(browser, "What decides")
    time.sleep(0.2)
    assert violations(browser) == []


def violations(browser: webdriver.Chrome) -> list[str]:
    """Return what axe-core complains about, with the elements."""
    script = "const done = arguments[arguments.length - 1]; axe.run().then(done)"
    found = browser.execute_async_script(script)["violations"]
    return [f"{item['id']}: {[node['html'] for node in item['nodes']]}" for item in found]


def pictured() -> dict[str, Any]:
    """Return a fleet whose page has every picture and every section."""
    probe = {
        "outcome": "timed_out",
        "ways": [{"outcome": "timed_out", "line": "update.knx.org:443 → failed at tcp: timeout"}],
    }
    away = finding(CONTROLS[2]["id"], "fail", "It does not answer.", evidence=probe)
    hosts = mixed()
    hosts["pc-wrong"]["findings"][2] = away
    hosts["pc-0"]["findings"][0]["evidence"] = hosts["pc-wrong"]["findings"][0]["evidence"]
    hosts["pc-interrupted"] = {**result("pass", "pass", "pass"), "interrupted": INTERRUPTED}
    return {
        **hosts,
        "pc-waived": waived("2026-12-24", "jane"),
        "pc-ended": waived("2026-11-20", "joe"),
    }


def trends() -> dict[str, Any]:
    """Return what compares the run of that fleet with earlier ones."""
    before: Any = build(**{name: result("pass", "pass", "pass") for name in pictured()})
    now: Any = build(**pictured())
    history = []
    for day, complying in ((21, 1), (22, 5), (24, 3)):
        ended = f"2026-11-{day}T10:00:00Z"
        history.append({"ended": ended, "mode": "verify", "complying": complying, "hosts": 9})
    return {
        "drift": drift.between(before, now, ()),
        "scores": scores.scores_of(now["controls"], now["hosts"]),
        "history": history,
    }


def test_pictures_are_described_and_need_no_script(browser: webdriver.Chrome, show: Show) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show(pictured())
    labels = [
        picture.get_attribute("aria-label")
        for picture in browser.find_elements(By.CSS_SELECTOR, "svg[role=img]")
    ]
    assert "Hosts: 1 unreachable, 2 fails, 1 waived and 5 passes" in labels
    assert "Way of the probe: update.knx.org:443, then failed at tcp: timeout" in labels


def test_nothing_is_wider_than_a_phone(browser: webdriver.Chrome, show: Show) -> None:
    # A copy: the hosts are other tests', too.
    hosts = copy.deepcopy(pictured())
    path = "C:\\" + "a_very_long_folder_without_any_blank\\" * 12
    hosts["pc-wrong"]["findings"][0]["reason"] = path
    headline = "ETS online catalog updates: onlinecatalog.knx.org:80 cannot be reached"
    for host in hosts.values():
        host["controls"] = [{**control, "headline": headline} for control in CONTROLS]
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        show(hosts)
        script = "return [document.documentElement.scrollWidth, innerWidth]"
        width, screen = browser.execute_script(script)
        assert width <= screen
        script = "const box = document.querySelector('#wrong .wide'); return box.scrollWidth - box.clientWidth"
        assert browser.execute_script(script) <= 0, "who acts is seen without scrolling"
        cell(browser, "pc-wrong, firewall").click()
        opened = dialog(browser, "a_very_long_folder")
        script = "return arguments[0].scrollWidth - arguments[0].clientWidth"
        assert browser.execute_script(script, opened) <= 0
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_cell_tells_reason_change_evidence_and_the_rule_that_decides(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(mixed())
    cell(browser, "pc-wrong, firewall").click()
    told = dialog(browser, "A rule blocks it.").text
    for part in (
        "Block ETS6 ({1})",
        "firewall rule ETS6",
        "enabled false true",
        "Make the rule.",
        "Way of the packet",
    ):
        assert part in told
    stages = browser.find_elements(By.CSS_SELECTOR, "#dialog .route .stage")
    assert [stage.text for stage in stages] == [
        "packet TCP to ETS6.exe",
        "profile public",
        "policy local",
        "rule Block ETS6 ({1})",
        "verdict blocked",
    ]
    browser.find_element(By.CSS_SELECTOR, "#dialog summary").click()
    assert '"outcome": "blocked"' in dialog(browser, "decided_by").text


def test_an_endpoint_shows_its_route_stage_by_stage(
    browser: webdriver.Chrome, show: Show, tmp_path: Path
) -> None:
    """One screenshot tells a network team how far it came; the text of a host stays text."""
    lines = [
        "update.knx.org:443 → 192.0.2.80 → failed at tls: reset",
        f"update.knx.org:443 → proxy p:8080 → {HOSTILE} → HTTP 200",
    ]
    ways = [
        {"line": lines[0], "outcome": "reset", "users": ["ada"]},
        {"line": lines[1], "outcome": "fine", "users": []},
        {"outcome": "not_probed", "users": []},
        {"line": 7},
        {"line": "a → Tls12 by CN=Inspector → HTTP 200", "outcome": "tls_intercepted"},
    ]
    wrong = finding(CONTROLS[2]["id"], "fail", "It is cut off.", evidence={"ways": ways})
    show({"pc": {**result("pass", "pass", "fail"), "findings": [wrong]}})
    cell(browser, "pc, reach").click()
    dialog(browser, "It is cut off.")
    routes = browser.find_elements(By.CSS_SELECTOR, "#dialog .route")
    stages = [
        [stage.text for stage in route.find_elements(By.CSS_SELECTOR, ".stage")] for route in routes
    ]
    assert stages[0] == lines[0].split(" → ")
    assert stages[1][1:3:2] + stages[1][-1:] == ["proxy p:8080", "HTTP 200"]
    assert stages[2] == ["a", "Tls12 by CN=Inspector", "HTTP 200", "outcome tls intercepted"]
    failed = browser.find_elements(By.CSS_SELECTOR, "#dialog .stage.fail")
    assert [stage.text for stage in failed] == ["failed at tls: reset", "outcome tls intercepted"]


def test_a_failing_control_has_its_headline_and_any_other_its_title(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(mixed())
    cell(browser, "pc-wrong, firewall").click()
    assert dialog(browser, CONTROLS[0]["headline"]).text.count(CONTROLS[0]["title"]) == 0
    browser.execute_script("document.getElementById('dialog').close()")
    cell(browser, "pc-1, firewall").click()
    assert CONTROLS[0]["headline"] not in dialog(browser, CONTROLS[0]["title"]).text


def test_a_host_that_broke_half_way_tells_its_reason_and_its_findings(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(
        {
            "pc": result(
                "fail", "pass", "pass", failed=True, msg="Not everything could be changed."
            ),
            "away": AWAY,
        }
    )
    cell(browser, "pc, fails").click()
    told = dialog(browser, "Not everything could be changed.").text
    assert "firewall.rule.ets6n.tcp found 2026-11-24T09:59:58Z" in told
    browser.execute_script("document.getElementById('dialog').close()")
    cell(browser, "away, unreachable").click()
    assert "firewall.rule" not in dialog(browser, "no route to host").text


def test_the_keyboard_goes_everywhere(browser: webdriver.Chrome, show: Show) -> None:
    show(mixed())
    first = browser.find_element(By.CSS_SELECTOR, "#matrix tbody button")
    browser.execute_script("arguments[0].focus()", first)
    webdriver.ActionChains(browser).send_keys(
        Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER
    ).perform()
    dialog(browser, "A rule blocks it.")
    webdriver.ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    WebDriverWait(browser, 5).until(
        lambda _browser: not browser.find_element(By.ID, "dialog").is_displayed()
    )
    assert (browser.switch_to.active_element.get_attribute("aria-label") or "").startswith(
        "pc-wrong, firewall"
    )


def test_markup_from_hosts_stays_text(browser: webdriver.Chrome, show: Show) -> None:
    show({HOSTILE: hostile(), "<img src=x onerror=alert(2)>": {**AWAY, "msg": HOSTILE}})
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert any("<script>alert(1)</script>" in name for name in rows(browser))
    for button in browser.find_elements(By.CSS_SELECTOR, "#matrix tbody button")[:8]:
        browser.execute_script("arguments[0].click()", button)
        WebDriverWait(browser, 5).until(
            lambda _browser: len(browser.find_element(By.ID, "dialog").text) > 20
        )
        assert "\u202e" not in browser.find_element(By.ID, "dialog").text
        browser.execute_script("document.getElementById('dialog').close()")
    assert browser.execute_script("return document.scripts.length") == 3


def test_without_script_a_plain_table_names_every_host(
    browser: webdriver.Chrome, show: Show
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show(mixed())
    table = browser.find_element(By.ID, "plain").text
    assert all(name in table for name in mixed())
    assert "firewall.rule.ets6n.tcp" in table
    assert browser.find_elements(By.ID, "matrix") == []


def test_two_thousand_hosts_are_shown_and_searched_at_once(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(large(2_000))
    assert len(rows(browser)) == 100
    field = browser.find_element(By.ID, "filter-text")
    script = (
        "const start = performance.now(); arguments[0].value = 'pc-1234';"
        "arguments[0].dispatchEvent(new Event('input')); return performance.now() - start"
    )
    assert browser.execute_script(script, field) < 1_000
    assert rows(browser) == ["pc-1234"]
    script = "return performance.getEntriesByType('navigation')[0].domComplete"
    assert browser.execute_script(script) < 10_000


def test_dark_where_the_system_is_dark(browser: webdriver.Chrome, show: Show) -> None:
    colors = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        show(mixed())
        colors.append(
            browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
        )
    assert colors == ["rgba(255, 255, 255, 1)", "rgba(15, 19, 24, 1)"]


def test_paper_has_every_host_and_every_control(
    browser: webdriver.Chrome, show: Show, tmp_path: Path
) -> None:
    fleet = large(150)
    show(fleet)
    assert len(rows(browser)) == 100
    options = PrintOptions()
    options.page_width, options.page_height = 21.0, 29.7
    paper = tmp_path / "report.pdf"
    paper.write_bytes(base64.b64decode(browser.print_page(options)))
    program = need("pdftotext", "poppler-utils")
    done = subprocess.run(
        [program, "-raw", str(paper), "-"], capture_output=True, text=True, check=True
    )
    printed = "".join(done.stdout.split())
    assert {name for name in fleet if f"{name}" not in printed} == set()
    controls = [control["id"] for control in fleet["pc-0000"]["controls"]]
    assert {
        control: printed.count(control) for control in controls if printed.count(control) < 150
    } == {}
    assert "Filterthehosts" not in printed
    assert "Showall" not in printed
    assert len(rows(browser)) == 100


def test_a_finding_has_an_address(browser: webdriver.Chrome, show: Show) -> None:
    show(mixed())
    cell(browser, "pc-wrong, firewall").click()
    dialog(browser, "A rule blocks it.")
    address = f"#pc-wrong/{CONTROLS[0]['id']}"
    assert browser.current_url.endswith(address)
    browser.refresh()
    dialog(browser, "A rule blocks it.")
    webdriver.ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    WebDriverWait(browser, 5).until(
        lambda _browser: "/firewall" not in browser.current_url.partition("#")[2]
    )
    browser.find_element(By.CSS_SELECTOR, f'article a[href="{address}"]').click()
    dialog(browser, "A rule blocks it.")


@pytest.mark.parametrize("address", ["#pc-wrong/none", "#no one/", "#%ff/x", "#a/b/c"])
def test_an_address_that_leads_nowhere_opens_nothing(
    browser: webdriver.Chrome, show: Show, address: str
) -> None:
    show(mixed())
    browser.execute_script("location.hash = arguments[0]", address)
    assert not browser.find_element(By.ID, "dialog").is_displayed()
    assert len(rows(browser)) == 6


def test_the_filters_stay_while_a_dialog_is_open(browser: webdriver.Chrome, show: Show) -> None:
    show(mixed())
    browser.find_element(By.CSS_SELECTOR, "#filter-status option[value=fail]").click()
    cell(browser, "pc-wrong, firewall").click()
    dialog(browser, "A rule blocks it.")
    assert rows(browser) == ["pc-wrong"]
    webdriver.ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    WebDriverWait(browser, 5).until(lambda _browser: browser.current_url.endswith("#status=fail"))


def test_the_first_screen_says_what_was_changed_and_what_was_not_checked(
    browser: webdriver.Chrome, show: Show
) -> None:
    change = {"subject": "firewall rule X", "before": {"on": 1}, "after": {"on": 2}}
    fixed = finding(CONTROLS[0]["id"], "fixed", changes=[change], changed=True)
    hosts = {"a": {**result("pass", "pass", "pass"), "findings": [fixed]}, "b": AWAY, "c": BROKEN}
    show(hosts)
    header = browser.find_element(By.TAG_NAME, "header")
    assert "Not checked: 1 host not reached, 1 host not completely judged or changed" in header.text
    assert "What was changed: 1 setting on 1 host" in header.text
    header.find_element(By.LINK_TEXT, "Not checked").click()
    assert browser.current_url.endswith("#unchecked")
    header.find_element(By.LINK_TEXT, "What was changed").click()
    assert browser.current_url.endswith("#changed")


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ({"a": result("pass", "pass", "pass")}, "Nothing."),
        (
            {"a": result("pass", "pass", "pass"), "b": AWAY},
            "Nothing on the host that was judged. What is wrong on the other 1 is not known.",
        ),
        ({"a": AWAY, "b": AWAY}, "Not known: no host was judged."),
        ({}, "Not known: no host was judged."),
    ],
    ids=["all pass", "one is away", "all are away", "no host"],
)
def test_a_host_that_was_not_judged_is_not_said_to_have_nothing_wrong(
    browser: webdriver.Chrome, show: Show, hosts: dict[str, Any], told: str
) -> None:
    show(hosts)
    assert browser.find_element(By.CSS_SELECTOR, "#wrong p").text == told


def test_each_of_several_remedies_names_its_hosts(browser: webdriver.Chrome, show: Show) -> None:
    hosts = {}
    for name, remedy in (("pc-a", "Call Ada."), ("pc-b", "Call Bob.")):
        wrong = finding(CONTROLS[0]["id"], "fail", "No.", remedy=remedy, contact="pc")
        hosts[name] = {**result("pass", "pass", "pass"), "findings": [wrong]}
    show(hosts)
    card = browser.find_element(By.TAG_NAME, "article").text
    assert "Call Ada. pc-a\n" in card
    assert "Call Bob. pc-b\n" in card


def copied(browser: webdriver.Chrome, button: WebElement) -> str:
    """Press a button that copies, and return what it copied."""
    script = (
        "Object.defineProperty(navigator, 'clipboard', {configurable: true, value: "
        "{writeText: async (text) => { window.copied = text; }}});"
    )
    browser.execute_script(script)
    button.click()
    WebDriverWait(browser, 5).until(lambda _browser: button.text == "Copied")
    return str(browser.execute_script("return window.copied"))


def test_the_hosts_of_a_search_are_copied_as_limit(browser: webdriver.Chrome, show: Show) -> None:
    show(
        {
            f"pc-{number}": result("pass" if number % 2 else "fail", "pass", "pass")
            for number in range(250)
        }
    )
    browser.find_element(By.CSS_SELECTOR, "#filter-status option[value=fail]").click()
    button = browser.find_element(By.XPATH, "//*[@id='hosts']//button[.='Copy as --limit']")
    names = copied(browser, button).removeprefix("--limit ").split(",")
    assert sorted(names) == sorted(f"pc-{number}" for number in range(0, 250, 2))
    browser.find_element(By.XPATH, "//button[.='Show all']").click()
    button = browser.find_element(By.XPATH, "//*[@id='hosts']//button[.='Copy as --limit']")
    assert button.is_displayed(), "it can be pressed again, for other hosts"


def test_a_name_that_a_shell_would_run_is_quoted(browser: webdriver.Chrome, show: Show) -> None:
    show({"pc 'a'; $(b)": result("fail", "pass", "pass")})
    button = browser.find_element(By.XPATH, "//*[@id='hosts']//button[.='Copy as --limit']")
    words = copied(browser, button)
    done = subprocess.run(
        ["bash", "-c", f"printf '%s|' {words}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "--limit|pc 'a'; $(b)|"


def test_hosts_with_other_reasons_are_a_link_to_them(browser: webdriver.Chrome, show: Show) -> None:
    hosts = {}
    for number in range(9):
        wrong = finding(CONTROLS[0]["id"], "fail", f"Reason {number}.")
        hosts[f"pc-{number}"] = {**result("pass", "pass", "pass"), "findings": [wrong]}
    hosts["pc-right"] = result("pass", "pass", "pass")
    show(hosts)
    browser.find_element(By.LINK_TEXT, "and 4 hosts with other reasons").click()
    WebDriverWait(browser, 5).until(lambda _browser: len(rows(browser)) == 9)


def test_the_table_in_a_dialog_breaks_no_words(browser: webdriver.Chrome, show: Show) -> None:
    hosts = mixed()
    (traffic,) = hosts["pc-wrong"]["findings"][0]["evidence"]["traffic"]
    traffic["program"] = "C:\\Program Files (x86)\\" + "Folder\\" * 12 + "ETS6N.exe"
    traffic["decided_by"][0]["reason"] = "It is blocked by default, since no rule decides. " * 9
    show(hosts)
    cell(browser, "pc-wrong, firewall").click()
    dialog(browser, "What decides")
    short = "#dialog .wide th, #dialog .wide td:nth-child(2), #dialog .wide td:nth-child(3)"
    assert browser.execute_script(BROKEN_WORDS, short) == []


def test_a_name_of_any_length_leaves_room_for_the_matrix(
    browser: webdriver.Chrome, show: Show
) -> None:
    show({"pc-" + "x" * 197: result("fail", "pass", "pass"), "pc": result("pass", "pass", "pass")})
    box = browser.find_element(By.ID, "matrix").size["width"]
    head = browser.find_element(By.CSS_SELECTOR, "#matrix tbody th").size["width"]
    assert head < 640
    assert box > head + 80
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.refresh()
    script = "const box = document.querySelector('#plain .wide'); return box.scrollWidth - box.clientWidth"
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.execute_script(script) <= 0


def test_the_parts_of_a_bar_can_be_told_apart(browser: webdriver.Chrome, show: Show) -> None:
    show({"away": AWAY, "pc-1": result("fail", "pass", "pass"), "pc-2": single_result("unknown")})
    parts = browser.find_elements(By.CSS_SELECTOR, "header .bar")
    looks = {
        (part.value_of_css_property("fill"), part.value_of_css_property("fill-opacity"))
        for part in parts
    }
    assert len(parts) == len(looks) == 3


def test_what_is_known_of_a_run_is_not_squeezed_by_a_label(
    browser: webdriver.Chrome, show: Show
) -> None:
    show(mixed())
    labels = browser.find_element(By.CSS_SELECTOR, "#origin dt").size["width"]
    assert labels < browser.find_element(By.CSS_SELECTOR, "#origin dl").size["width"] / 3


def test_names_of_either_direction_keep_their_order(browser: webdriver.Chrome, show: Show) -> None:
    names = ["\u05d0", "\u05d1"]
    show({name: result("fail", "pass", "pass") for name in names})
    links = browser.find_elements(By.CSS_SELECTOR, "article small a")
    assert [link.text for link in links] == names
    places = [link.location["x"] for link in links]
    assert places == sorted(places)


def test_the_address_of_a_filter_leads_to_the_hosts(browser: webdriver.Chrome, show: Show) -> None:
    show({f"pc-{number}": result("fail", "fail", "fail") for number in range(9)})
    address = browser.current_url
    browser.get("about:blank")
    browser.get(f"{address}#control={CONTROLS[1]['id']}&status=open")
    script = "return document.getElementById('hosts').getBoundingClientRect().top"
    WebDriverWait(browser, 5).until(lambda _browser: browser.execute_script(script) < 450)


def test_nothing_is_wider_than_paper(browser: webdriver.Chrome, show: Show) -> None:
    hosts = pictured()
    line = " → ".join(f"stage-{number}.a-department.example.com:443" for number in range(7))
    ways = [{"outcome": "timed_out", "line": line}]
    hosts["pc-wrong"]["findings"][2]["evidence"] = {"ways": ways}
    reason = "It is on loan, and its owner is not here before the end of the year. "
    hosts["pc-waived"]["waivers"][0]["reason"] = reason * 3
    # A4 portrait without its margins, at the 96 pixels an inch of CSS.
    metrics = {"width": 717, "height": 1050, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    try:
        show(hosts)
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 717
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


BROKEN_WORDS = """
const broken = [];
for (const cell of document.querySelectorAll(arguments[0])) {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const match of walker.currentNode.data.matchAll(/\\w+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, match.index);
      range.setEnd(walker.currentNode, match.index + match[0].length);
      if (range.getClientRects().length > 1) {
        broken.push(match[0]);
      }
    }
  }
}
return broken;
"""
"""Returns the words of the cells that a selector names which stand on more than one line."""


def test_a_phone_breaks_no_words_in_tables(browser: webdriver.Chrome, show: Show) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        show(pictured(), **trends())
        for section in ("waivers", "drift", "scores"):
            cells = f"#{section} td, #{section} th"
            assert browser.execute_script(BROKEN_WORDS, cells) == [], section
        assert browser.execute_script(BROKEN_WORDS, "#wrong th") == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
