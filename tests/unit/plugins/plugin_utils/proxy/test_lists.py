# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Bypass lists and server lists, as .NET Framework reads them."""

from __future__ import annotations

import contextlib
import time

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.lists import (
    ListError,
    bypass_entry,
    server_for,
    without_logins,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("entries", "entry"),
    [
        ("*.knx.org", "*.knx.org"),
        ("a.b;UPDATE.knx.ORG", "UPDATE.knx.ORG"),
        ("a.b update.knx.org", ""),
        ("a.b; update.knx.org ;", "update.knx.org"),
        ("*", "*"),
        ("up*.org", "up*.org"),
        ("https://update.knx.org", "https://update.knx.org"),
        ("HTTPS://*.knx.org", "HTTPS://*.knx.org"),
        ("*://update.knx.org", "*://update.knx.org"),
        ("h*.org", "h*.org"),
        ("update.knx.org:443", ""),
        ("https://*.knx.org:443", ""),
        ("http://update.knx.org", ""),
        ("update.knx.org:80", ""),
        ("knx.org", ""),
        ("*.org.*", ""),
        ("update.knx.org.", ""),
        ("<local>", ""),
        (".knx.org", ""),
        ("update?knx.org", ""),
        ("[tuv]pdate.knx.org", ""),
        ("", ""),
        (" ; ;", ""),
    ],
)
def test_an_entry_matches_the_whole_name(entries: str, entry: str) -> None:
    assert bypass_entry(entries, "https", "update.knx.org", 443) == entry


def test_only_a_port_that_is_not_the_protocols_own_counts() -> None:
    assert (
        bypass_entry("update.knx.org:8443", "https", "update.knx.org", 8443)
        == "update.knx.org:8443"
    )
    assert bypass_entry("update.knx.org:443", "http", "update.knx.org", 443) == "update.knx.org:443"
    assert bypass_entry("update.knx.org:80", "http", "update.knx.org", 80) == ""
    assert bypass_entry("update.knx.org", "https", "update.knx.org", 8443) == "update.knx.org"
    assert bypass_entry("update.*", "https", "update.knx.org", 8443) == "update.*"


def test_local_is_every_name_without_a_dot() -> None:
    assert bypass_entry("<LOCAL>", "http", "intranet", 80) == "<LOCAL>"
    assert bypass_entry("<local>", "http", "intranet.example.com", 80) == ""
    assert bypass_entry("<local>", "http", "2001:db8::1", 80) == ""


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("intranet", "<local>"),
        ("intranet.example.com", "<local>"),
        ("INTRANET.Example.COM", "<local>"),
        ("a.intranet.example.com", ""),
        ("example.com", ""),
        ("intranet.example.org", ""),
    ],
)
def test_local_covers_one_label_below_the_pcs_own_domain(host: str, entry: str) -> None:
    assert bypass_entry("<local>", "http", host, 80, "example.com") == entry


def test_addresses_are_matched_as_text() -> None:
    assert bypass_entry("10.*", "http", "10.1.2.3", 80) == "10.*"
    assert bypass_entry("10.0.0.0/8", "http", "10.1.2.3", 80) == ""
    assert bypass_entry("[2001:db8::1]:8080", "http", "2001:db8::1", 8080) == "[2001:db8::1]:8080"
    assert bypass_entry("[2001:db8::1]:8080", "http", "2001:db8::1", 80) == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_the_pc_itself_is_never_reached_through_a_proxy(host: str) -> None:
    assert bypass_entry("", "http", host, 80) == "loopback"


@given(st.text(max_size=80))
def test_any_list_can_be_read(entries: str) -> None:
    found = bypass_entry(entries, "https", "update.knx.org", 443)
    assert found == "" or found in entries
    with contextlib.suppress(ListError):
        assert isinstance(server_for(entries, "https"), str)
    without_logins(entries)


def test_many_wildcards_cost_no_time() -> None:
    assert (
        bypass_entry("*a" * 2000 + ";" + "*.knx.org", "https", "update.knx.org", 443) == "*.knx.org"
    )


@pytest.mark.parametrize(
    ("servers", "https", "http"),
    [
        ("p:8080", "p:8080", "p:8080"),
        ("P.Example.COM:8080", "p.example.com:8080", "p.example.com:8080"),
        ("p", "p:80", "p:80"),
        ("http=a:1;https=b:2", "b:2", "a:1"),
        (" http = a:1 ; https = b:2; ", "b:2", "a:1"),
        ("http=a:1;http=b:2", "", "b:2"),
        ("HTTPS=b:2", "b:2", ""),
        ("http=a:1", "", "a:1"),
        ("socks=s:1080", "", ""),
        ("http=a:1;socks=socks5://s:1080;https=b:2", "b:2", "a:1"),
        ("ftp=ftp://f:21/;https=b:2", "b:2", ""),
        ("http=a:1;socks=s", "", "a:1"),
        ("http://p:8080/", "p:8080", "p:8080"),
        ("https=http://b:2", "b:2", ""),
        ("[2001:db8::1]:3128", "[2001:db8::1]:3128", "[2001:db8::1]:3128"),
        ("[2001:db8::1]", "[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("user:s3cret@p:8080", "p:8080", "p:8080"),
        ("http=user:s3cret@p:8080", "", "p:8080"),
        ("user:a=b@p:8080", "", ""),
        ("", "", ""),
    ],
)
def test_the_server_of_a_protocol(servers: str, https: str, http: str) -> None:
    assert (server_for(servers, "https"), server_for(servers, "http")) == (https, http)


@pytest.mark.parametrize("servers", [
    "http=:;https=:", "http=a:1 https=b:2", "http=a:1;p:3", "p:1;q:2", "p:1 q:2", "https=user:a=b@p:8080", "http=;https=b:2", "=b:2", "p:80800", "https://p:1",
    "https=https://p:1", "https=b:2;ftp=f:99999", "https=b:2;socks=s s:1", "https=b:2;gopher", ";;", "p:x", "user:s3/cret@p:1",
])  # fmt: skip
def test_a_list_that_net_framework_does_not_read_is_refused(servers: str) -> None:
    with pytest.raises(ListError, match=r"\.NET Framework, and so ETS6, does not read") as refused:
        server_for(servers, "https")
    assert "s3" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p:8080", "p:8080"),
        ("u:s3cret@p:8080", "…@p:8080"),
        ("http=u:s3cret@p:1;https=q:2", "http=…@p:1;https=q:2"),
        ("http=http://u:s3/cret@p:1", "http=http://…@p:1"),
        ("http://u:s3cret@p/x.pac", "http://…@p/x.pac"),
        ("PROXY u:s3cret@p:1; DIRECT", "PROXY …@p:1; DIRECT"),
        ("http://p/x.pac", "http://p/x.pac"),
        ("u:s3 cret@p:1", "…@p:1"),
        ("http=u:s3;cret@p:1", "http=…@p:1"),
        ("http=u:s3@ cr;et@p:1;https=q:2", "http=…@p:1;https=q:2"),
        ("http=a:1;https=u:s3cret@q:2", "http=…@q:2"),
        ("http://u:s3 cret;@p/x.pac", "http://…@p/x.pac"),
    ],
)
def test_a_login_is_never_shown(text: str, shown: str) -> None:
    assert without_logins(text) == shown


@pytest.mark.parametrize("entry", ["*.host{}*x*y*.example.com", "*a" * 30 + "b{}"])
def test_a_list_of_ten_thousand_entries_takes_no_time(entry: str) -> None:
    entries = ";".join(entry.format(number) for number in range(10_000))
    since = time.monotonic()
    for host in ("update.knx.org", "a" * 60 + ".org"):
        assert bypass_entry(entries, "https", host, 443) == ""
    assert time.monotonic() - since < 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://p/x.pac?token=s3cret", "http://p/x.pac?…"),
        ("http://u:pw@p/x.pac?a=b&c=d#e", "http://…@p/x.pac?…"),
        ("http=p:1;https=q:2?x", "http=p:1;https=q:2?…"),
        ("http://p/x.pac", "http://p/x.pac"),
        ("http://p/x.pac?", "http://p/x.pac?"),
    ],
)
def test_neither_login_nor_query_is_shown(text: str, shown: str) -> None:
    assert without_logins(text) == shown
