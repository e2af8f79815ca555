# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""ets6_network_proxy: what is accepted, and what the error reports about anything else."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.policy.parsing import NotAcceptedError
from ansible_collections.ets6.network.plugins.plugin_utils.policy.proxy import (
    ProxySetting,
    parse_proxy,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "setting"),
    [
        ({}, ProxySetting()),
        (
            {"mode": "Direct", "server": None, "bypass": None, "pac_url": None},
            ProxySetting("direct"),
        ),
        (
            {"mode": "named", "server": "p.example.com:3128"},
            ProxySetting("named", "p.example.com:3128"),
        ),
        (
            {
                "mode": "named",
                "server": "http=a:1;https=b:2",
                "bypass": ["<local>", "*.x", "*.x"],
                "scope": "users",
            },
            ProxySetting("named", "http=a:1;https=b:2", ("<local>", "*.x"), scope="users"),
        ),
        (
            {"mode": "named", "server": "[2001:db8::1]:3128"},
            ProxySetting("named", "[2001:db8::1]:3128"),
        ),
        (
            {"mode": "named", "server": "p:1", "bypass": "a.b; 10.*;"},
            ProxySetting("named", "p:1", ("a.b", "10.*")),
        ),
        (
            {"mode": "pac", "pac_url": "http://p/x.pac"},
            ProxySetting("pac", pac_url="http://p/x.pac"),
        ),
        (
            {"mode": "autodetect", "replace_malformed": "yes"},
            ProxySetting("autodetect", replace_malformed=True),
        ),
    ],
)
def test_accepted(value: Any, setting: ProxySetting) -> None:
    assert parse_proxy(value) == setting


NAMED = {"mode": "named"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("direct", "'direct' is not accepted; a dictionary with mode"),
        ({"mode": "named", "sever": "p:1"}, "'sever' is not accepted; accepted are mode, server"),
        ({"mode": "manual"}, "mode: 'manual' is not accepted; accepted are unmanaged, direct, named, pac, autodetect"),
        (NAMED, "server is missing; mode named needs it"),
        ({"mode": "pac"}, "pac_url is missing; mode pac needs it"),
        ({"mode": "direct", "server": "p:1"}, "server is given, but mode is direct; server goes with mode named"),
        ({"mode": "pac", "pac_url": "http://p/x", "bypass": ["x"]}, "bypass is given, but mode is pac"),
        ({"mode": "direct", "scope": "user"}, "scope: 'user' is not accepted; accepted are machine, users"),
        ({"mode": "direct", "replace_malformed": "perhaps"}, "replace_malformed: 'perhaps' is not accepted"),
        *(
            ({**NAMED, "server": server}, "server: ")
            for server in (
                "p", "p:0", "p:65536", "p:٨٠", "p:80a", ":80", "p p:80", "p..q:80", "-p:80", "p_:", "999.1.1.1:80", "1.2.3:80",
                "socks=p:1080", "ftp=p:21;socks=p:1080",
                "[::g]:80", "[1.2.3.4]:80", "http://p:80", "p:80/", "gopher=p:70", "http=p:1;q:2", "p:1;q:2", "http=a:1;HTTP=b:2",
                "http=:80", "x" * 64 + ":80", "p:80\n", 8080, 0, False, ["p:80"],
            )
        ),
        *(
            ({"mode": "pac", "pac_url": url}, "pac_url: ")
            for url in (
                "p/x.pac", "file:///x.pac", "ftp://p/x", "http:///x", "http://p:0/x", "http://p:99999/x", "http://p x/y", "http://pä/x",
                "http://p/x\n", 5, ["http://p/x"],
            )
        ),
        *(
            ({**NAMED, "server": "p:1", "bypass": [entry]}, "bypass: ")
            for entry in ("", "a b", "<loca>", "a;b", "a:0", "a:65536", "10.0.0.0/8", "ftp://a", 5, None, "ä")
        ),
        ({**NAMED, "server": "p:1", "bypass": 5}, "bypass: 5 is not accepted; a list"),
    ],
)  # fmt: skip
def test_refused_with_what_is_accepted(value: Any, said: str) -> None:
    with pytest.raises(NotAcceptedError) as refused:
        parse_proxy(value)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "value",
    [
        {"mode": "named", "server": "knx:s3cret@p:8080"},
        {"mode": "named", "server": "http=knx:s3cret@p:8080;https=p:1"},
        {"mode": "named", "server": "http://knx:s3cret@p:8080"},
        {"mode": "pac", "pac_url": "http://knx:s3cret@p/x.pac"},
    ],
)
def test_a_login_is_refused_with_the_reason_and_not_repeated(value: Any) -> None:
    with pytest.raises(NotAcceptedError, match="PC user's own Windows login") as refused:
        parse_proxy(value)
    assert "s3cret" not in str(refused.value)
    assert "Negotiate, Kerberos or NTLM" in str(refused.value)


@pytest.mark.parametrize("key", ["mode", "scope", "replace_malformed", "bypass"])
def test_a_login_in_the_wrong_place_is_not_repeated_either(key: str) -> None:
    with pytest.raises(NotAcceptedError) as refused:
        parse_proxy(
            {
                "mode": "named",
                "server": "p:1",
                key: ["knx:s3cret@p"] if key == "bypass" else "knx:s3cret@p",
            }
        )
    assert "s3cret" not in str(refused.value)


@given(
    st.dictionaries(
        st.sampled_from(["mode", "server", "bypass", "pac_url", "scope"]),
        st.one_of(st.text(), st.integers(), st.none()),
    )
)
def test_anything_is_either_accepted_or_refused(value: dict[str, Any]) -> None:
    with contextlib.suppress(NotAcceptedError):
        assert isinstance(parse_proxy(value), ProxySetting)
