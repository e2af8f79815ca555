# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a proxy says to the PC's user: the real PowerShell with a simulated task scheduler, real requests, real proxies on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.probes import Probe
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import session
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import User

from tests.integration import odd_servers, remote
from tests.integration.debian import need
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import LOGIN, Network
from tests.lab.pc import USER, Pc
from tests.lab.play import play
from tests.lab.script import find_pwsh

DIALECTS = ("5.1", "7")
LEAST_COVERAGE = 100.0
KNX = User(USER, "knx", logged_on=True)
PLAIN, SECURE = (
    "http://update.knx.org/data/XML/project-23/knx_master.xml",
    "https://update.knx.org/",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, Path]]:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    folder = tmp_path_factory.mktemp("session")
    network = Network(folder)
    yield network, folder
    network.stop()


def session_pc(network: Network, folder: Path, proxy: str, login: str = "") -> Pc:
    """Return a PC on which a user is logged on, whose Windows has a proxy."""
    pc = Pc("pc-session", rule_count=0)
    pc.state["environment"]["ProgramData"] = str(folder / "ProgramData")
    (folder / "ProgramData").mkdir(parents=True, exist_ok=True)
    pc.state["session"] = {
        "proxy": proxy,
        "login": login,
        "certificate": str(folder / "vendor.pem"),
    }
    return pc


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_session_returns(place: tuple[Network, Path], dialect: str) -> None:
    network, folder = place

    def probed(proxy: str, *urls: str) -> list[Probe]:
        pc = session_pc(network, folder, proxy)
        probes = [{"name": url.partition(":")[0], "url": url} for url in urls]
        asked = {"sid": USER, "probes": probes}
        reply = remote.ask(pc, dialect, asked, folder, folder / "hits", "windows_session_probe")
        assert not reply.get("failed"), reply
        assert (pc.state["tasks_left"], list((folder / "ProgramData").iterdir())) == (0, [])
        assert f";{USER})" in pc.state["acl"]
        return session.read_results(
            reply["lines"],
            KNX,
            [{**probe, "proxy": proxy, "first": proxy} for probe in probes],
        )[0]

    plain, secure = probed(network.proxy.address, PLAIN, SECURE)
    for found in (plain, secure):
        assert (found.route, found.user, found.stage, found.error) == (
            network.proxy.address,
            "knx",
            "done",
            None,
        )
        assert found.http is not None
        assert found.http.status == 200
    assert plain.http is not None
    assert b"<KNX" in plain.http.body
    assert ("Via", "1.1 lab") in plain.http.headers
    assert secure.tls is not None
    assert secure.tls.presented[0] == secure.tls.built[0]
    (refused,) = probed(network.negotiate_proxy.address, PLAIN)
    assert refused.connect is not None
    assert (refused.stage, refused.connect.status, refused.http) == ("connect", 407, None)
    assert ("Proxy-Authenticate", "Negotiate") in refused.connect.headers
    (gone,) = probed(network.closed, PLAIN)
    assert gone.error is not None
    assert gone.http is None
    (direct,) = probed("", f"http://{network.http.address}/")
    assert direct.http is not None
    assert (direct.route, direct.http.status) == ("", 200)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("fault", "asked", "said"),
    [
        ("", {"sid": "S-1-5-21-1-1-1-1"}, "S-1-5-21-1-1-1-1 is not logged on"),
        (
            "",
            {"probe": []},
            "windows_session_probe has no option probe. It has sid, probes, timeout.",
        ),
        (
            "",
            {"probes": [{"name": "a\tb", "url": PLAIN}]},
            "name and url of a\tb must not contain a tab or a line break.",
        ),
        ("register_task", {}, "Zugriff verweigert"),
        ("start_task", {"timeout": 1}, r"the task of LAB\knx did not end in time (state 267011)"),
        ("end_task", {}, r"the task of LAB\knx ended without a result (exit code 1)"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_stays(
    place: tuple[Network, Path], dialect: str, fault: str, asked: dict[str, Any], said: str
) -> None:
    network, folder = place
    pc = session_pc(network, folder, network.proxy.address)
    pc.state["faults"] = {fault: "0x80070005"}
    arguments = {"sid": USER, "probes": [{"name": "updates", "url": PLAIN}], **asked}
    reply = remote.ask(pc, dialect, arguments, folder, folder / "hits", "windows_session_probe")
    assert (reply["failed"], said in reply["msg"]) == (True, True), reply
    assert (pc.state.get("tasks_left", 0), list((folder / "ProgramData").iterdir())) == (0, [])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_file_that_is_there_before_the_folder_is_restricted_is_not_read(
    place: tuple[Network, Path], dialect: str
) -> None:
    network, folder = place
    own = folder / f"quick-{dialect}"
    own.mkdir()
    pc = session_pc(network, own, network.proxy.address)
    pc.state["faults"] = {"set_acl": "results.txt"}
    asked = {"sid": USER, "probes": [{"name": "updates", "url": PLAIN}]}
    reply = remote.ask(pc, dialect, asked, folder, folder / "hits", "windows_session_probe")
    assert (reply["failed"], "another process put a file into" in reply["msg"]) == (True, True), (
        reply
    )
    assert list((own / "ProgramData").iterdir()) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_slow_servers_are_asked_side_by_side_and_one_that_never_answers_hides_no_other(
    place: tuple[Network, Path], dialect: str
) -> None:
    network, folder = place
    with ExitStack() as stack:
        odd = odd_servers.start(stack)
        pc = session_pc(network, folder, "")
        probes = [
            {"name": f"silent {number}", "url": f"http://{odd['silent']}/"} for number in range(3)
        ]
        probes += [
            {"name": "cut", "url": f"http://{odd['cut']}/"},
            {"name": "fine", "url": f"http://{network.http.address}/"},
        ]
        since = time.monotonic()
        asked = {"sid": USER, "timeout": 3, "probes": probes}
        reply = remote.ask(pc, dialect, asked, folder, folder / "hits", "windows_session_probe")
        took = time.monotonic() - since
    found, why = session.read_results(
        reply["lines"], KNX, [{**probe, "proxy": "", "first": ""} for probe in probes]
    )
    assert (why, took < 9) == ("", True)
    assert [(probe.name, probe.error and probe.error.kind) for probe in found] == [
        *((f"silent {number}", "timeout") for number in range(3)),
        ("cut", None),
        ("fine", None),
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_files_of_other_processes_stay_with_a_warning(
    place: tuple[Network, Path], dialect: str
) -> None:
    network, folder = place
    own = folder / f"own-{dialect}"
    own.mkdir()
    pc = session_pc(network, own, network.proxy.address)
    pc.state["faults"] = {"stop_task": "other.txt"}
    asked = {"sid": USER, "probes": [{"name": "updates", "url": PLAIN}]}
    reply = remote.ask(pc, dialect, asked, folder, folder / "hits", "windows_session_probe")
    assert len(reply["lines"]) == 1
    assert "could not be removed" in reply["remaining"][0]
    assert [file.name for left in (own / "ProgramData").iterdir() for file in left.iterdir()] == [
        "other.txt"
    ]


def test_every_line_of_it_runs_in_both_dialects(
    place: tuple[Network, Path], record_property: Callable[[str, object], None]
) -> None:
    _network, folder = place
    for version, sources in remote.covered(folder / "hits").items():
        lines = {
            (source, line): count
            for source, counted in sources.items()
            for line, count in counted.items()
        }
        missed = sorted(place for place, count in lines.items() if not count)
        share = 100 * (1 - len(missed) / len(lines))
        record_property(
            "told",
            f"PowerShell {version}, session: {share:.1f} % of {len(lines)} lines with commands ran",
        )
        assert share >= LEAST_COVERAGE, missed


def test_a_playbook_proves_a_login_where_the_user_asks_for_it(tmp_path: Path) -> None:
    """PCs whose proxy takes the user's login or not, one without a user, one that must not ask."""
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")

    def build(network: Network) -> list[fleet.Member]:
        made = []
        proxy, other = network.negotiate_proxy.address, network.proxy.address
        for name, chosen, login, here, probe_as in (
            ("pc-taken", proxy, f"Negotiate {LOGIN}", True, "user"),
            ("pc-refused", proxy, "", True, "user"),
            ("pc-other-way", other, "", True, "user"),
            ("pc-logged-off", proxy, "", False, "user"),
            ("pc-not-asked", proxy, f"Negotiate {LOGIN}", True, "connection"),
        ):
            pc = session_pc(network, tmp_path / name, chosen, login)
            pc.name = pc.state["host"]["name"] = name
            pc.allow_all()
            pc.state["users"][0]["logged_on"] = here
            pc.user_proxy(3, proxy)
            pc.state["faults"] = {"stop_task": "other.txt"} if name == "pc-taken" else {}
            variables = {
                "ets6_network_probe_as": probe_as,
                # .NET here has no login of Windows for a tunnel.
                "ets6_network_endpoints": {
                    **network.endpoints(),
                    **{
                        name: {"enabled": False}
                        for name in ("updates", "app_updates", "cloud_licensing")
                    },
                },
            }
            made.append(fleet.Member(pc, "", "", "", ("", ""), variables, dialect="5.1"))
        return made

    with Lab(build) as lab:
        played = play(lab, "playbooks/verify.yml", reports=tmp_path)
    logins = {name: played.finding(name, "proxy.login") for name in lab.members}
    reached = {name: played.finding(name, "reach.online_catalog") for name in lab.members}
    outcomes = {
        name: (logins[name]["status"], reached[name]["evidence"]["outcome"]) for name in lab.members
    }
    assert outcomes == {
        "pc-taken": ("pass", "fine"),
        "pc-refused": ("fail", "proxy_does_not_take_the_users_login"),
        "pc-other-way": ("pass", "proxy_wants_login"),
        "pc-logged-off": ("pass", "proxy_wants_login"),
        "pc-not-asked": ("pass", "proxy_wants_login"),
    }, logins
    told = " ".join((played.output + played.errors).split())
    assert "pc-taken:" in told, told
    assert "could not be removed" in told, told
    assert "takes the Windows login of knx" in logins["pc-taken"]["reason"]
    assert reached["pc-taken"]["evidence"]["ways"][0]["user"] == "knx"
    assert "does not take the Windows login of knx" in logins["pc-refused"]["reason"]
    assert "and not what the settings name" in logins["pc-other-way"]["reason"]
    assert logins["pc-logged-off"]["reason"].endswith(
        "so that was not proven: none or several of the users who have this proxy are logged on."
    )
    assert "with ets6_network_probe_as user it is" in logins["pc-not-asked"]["reason"]
