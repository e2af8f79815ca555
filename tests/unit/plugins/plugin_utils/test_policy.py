# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Variables: what is accepted, and what the error says about anything else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.policy.endpoints import VENDOR_ENDPOINTS
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import (
    PARSERS,
    Policy,
    PolicyError,
)


def problems(**variables: Any) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        Policy.from_variables(variables)
    return caught.value.problems


def test_nothing_given_is_the_default() -> None:
    policy = Policy.from_variables({})
    assert policy == Policy()
    assert policy.profiles == ("domain", "private")
    assert [(endpoint.host, endpoint.port) for endpoint in policy.endpoints] == [
        ("update.knx.org", 443),
        ("api.knx.org", 443),
        ("api.knx.org", 80),
        ("openapi.knx.org", 443),
        ("update.knx.org", 80),
        ("onlinecatalog.knx.org", 80),
    ]


def test_every_problem_is_named_at_once() -> None:
    found = problems(state="here", profiles=["domain", "work"], outbond="auto")
    assert found == [
        "ets6_network_state: 'here' is not accepted; accepted are present, absent",
        "ets6_network_profiles: 'work' is not accepted; accepted are domain, private, public",
        "ets6_network_outbond: there is no such variable; did you mean ets6_network_outbound?",
    ]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("programs", "ETS6N", "'ETS6N' is not accepted"),
        ("programs", [], "the list is empty"),
        ("programs", [r"C:\ETS6\ETS6N.exe"], "folders go into ets6_network_paths"),
        ("programs", ["*.exe"], "'*.exe' is not accepted"),
        ("programs", [None], "None is not accepted"),
        ("paths", ["ETS6"], "an absolute Windows folder is expected"),
        ("paths", [r"\\server\share\ETS6"], "an absolute Windows folder is expected"),
        ("paths", [r"C:\a|b"], "an absolute Windows folder is expected"),
        ("profiles", [], "the list is empty"),
        ("profiles", "work", "'work' is not accepted; accepted are"),
        ("remote_addresses", ["10.0.0.0/33"], "10.0.0.0/33"),
        ("outbound", True, "accepted are auto, always, never"),
        ("probe_timeout", 0, "whole seconds from 1 to 60"),
        ("probe_timeout", True, "whole seconds from 1 to 60"),
        ("probe_timeout", "soon", "whole seconds from 1 to 60"),
        ("public_roots", 5, "path of a file on the controller"),
        ("endpoints", [], "a dictionary of endpoints by name"),
        ("endpoints", {"News": {"url": "http://x"}}, "'News' is not accepted; a name of"),
        ("endpoints", {"news": "http://x"}, "news: 'http://x' is not accepted; a dictionary with"),
        ("endpoints", {"news": {}}, "news.url: '' is not accepted"),
        (
            "endpoints",
            {"news": {"uri": "http://x"}},
            "news: 'uri' is not accepted; accepted are url, title, address, enabled",
        ),
        ("endpoints", {"news": {"url": "ftp://x"}}, "news.url: 'ftp://x' is not accepted"),
        ("endpoints", {"news": {"url": "http://x:99999"}}, "news.url"),
        (
            "endpoints",
            {"news": {"enabled": False}},
            "news: the vendor's table has no such endpoint; it has updates",
        ),
        (
            "endpoints",
            {"updates": {"enabled": "perhaps"}},
            "updates.enabled: 'perhaps' is not accepted",
        ),
        (
            "endpoints",
            {"updates": {"address": "127.0.0.1"}},
            "updates.address: '127.0.0.1' is not accepted",
        ),
        ("endpoints", {"updates": {"address": "127.0.0.1:0"}}, "updates.address"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_accepted(name: str, value: Any, told: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"ets6_network_{name}: ")
    assert told in problem


def test_a_login_in_a_url_is_refused_and_never_shown() -> None:
    (problem,) = problems(endpoints={"news": {"url": "https://me:hunter2@news.example"}})
    assert "news.url" in problem
    assert "hunter2" not in problem


def test_own_endpoints_are_merged_over_the_vendors_by_name() -> None:
    policy = Policy.from_variables(
        {
            "endpoints": {
                "cloud_licensing": {"enabled": "no"},
                "updates": {"address": "127.0.0.1:8443"},
                "news": {"url": "http://news.example:8080/de", "title": "News"},
            }
        }
    )
    by_name = {endpoint.name: endpoint for endpoint in policy.endpoints}
    assert "cloud_licensing" not in by_name
    assert (by_name["updates"].url, by_name["updates"].address) == (
        "https://update.knx.org",
        "127.0.0.1:8443",
    )
    assert (by_name["news"].host, by_name["news"].port, by_name["news"].scheme) == (
        "news.example",
        8080,
        "http",
    )
    assert len(by_name) == len(VENDOR_ENDPOINTS)


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Program Files (x86)\ETS6",
        r"%ProgramFiles(x86)%\ETS6",
        r"*:\KNX\ETS6",
        "D:\\",
        r"C:\Programme\Büro & Technik\ETS 6",
    ],
)
def test_folders_as_people_write_them(path: str) -> None:
    assert Policy.from_variables(
        {"paths": [path + "\\" if not path.endswith("\\") else path]}
    ).paths == (path,)


def test_no_two_controls_have_the_same_id() -> None:
    policy = Policy.from_variables(
        {
            "programs": ["ETS6N.exe", "ETS6C.exe", "ets6n.EXE"],
            "endpoints": {"news": {"url": "http://knx.example"}},
        }
    )
    assert policy.programs == ("ETS6N.exe", "ETS6C.exe")
    ids = [control.id for control in controls.catalogue(policy)]
    assert len(ids) == len(set(ids))
    others = {one.removeprefix("reach.") for one in ids if one.startswith("reach.")} - {
        one.name for one in policy.endpoints
    }
    for name in others:
        with pytest.raises(PolicyError, match=f"'{name}' is not accepted; the control reach."):
            Policy.from_variables({"endpoints": {name: {"url": "http://knx.example"}}})
    assert len(others) == 2


def test_letter_case_and_repetition_do_not_matter() -> None:
    policy = Policy.from_variables(
        {"profiles": ["Domain", "domain", "PUBLIC"], "state": "Absent", "probe_timeout": "20"}
    )
    assert (policy.profiles, policy.state, policy.probe_timeout) == (
        ("domain", "public"),
        "absent",
        20,
    )


@pytest.mark.parametrize("entry", [{}, {"enabled": True}])
@pytest.mark.parametrize(("name", "url"), [
    ("my_knx", "https://my.knx.org"),
    ("knx_login", "https://id.knx.org"),
])  # fmt: skip
def test_optional_servers_of_the_vendor_are_off_until_they_are_named(
    entry: dict[str, Any], name: str, url: str
) -> None:
    names = [endpoint.name for endpoint in Policy.from_variables({}).endpoints]
    assert name not in names
    policy = Policy.from_variables({"endpoints": {name: entry}})
    assert policy.endpoints[-1].url == url
    off = Policy.from_variables({"endpoints": {name: {"enabled": False}}})
    assert off.endpoints == Policy.from_variables({}).endpoints


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    "value",
    [LONG, [LONG], {LONG: LONG}, 16**5_000, "\x1b[31m\nok: [pc]"],
    ids=["text", "list", "dictionary", "number", "control characters"],
)
@pytest.mark.parametrize("name", sorted(PARSERS))
def test_an_error_does_not_repeat_all_of_a_long_value(name: str, value: Any) -> None:
    try:
        Policy.from_variables({name: value})
    except PolicyError as error:
        for problem in error.problems:
            assert len(problem) < 1_500
            assert problem.isprintable()
