# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Proxy scripts: what they answer, what is asked of the PC for them, and that a hostile one does no harm."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.proxy import pac
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.proxy.pc import (
    NOW,
    probe,
    script,
)

URL = "http://proxy.example.com/proxy.pac"
HOST = "update.knx.org"
KNOWN = {HOST: ["10.1.2.3", "2001:db8::1"]}


def holds(*probes: dict[str, object], addresses: Sequence[str] = ("192.0.2.7",)) -> Snapshot:
    wire = {
        "version": 1,
        "host": {"time": NOW},
        "probes": list(probes),
        "addresses": list(addresses),
    }
    return Snapshot.from_wire(wire)


def run(
    body: str,
    names: dict[str, list[str]] | None = None,
    addresses: Sequence[str] = ("192.0.2.7",),
    entry: str = "FindProxyForURL",
) -> pac.Answer:
    text = f"function {entry}(url, host) {{ {body} }}"
    known = KNOWN if names is None else names
    snapshot = holds(script(URL, text), addresses=addresses)
    (answer,) = pac.answers(snapshot, URL, [(f"https://{HOST}/", HOST)], known)
    return answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ('return "PROXY p:3128; DIRECT"', "PROXY p:3128; DIRECT"),
        ('return dnsDomainIs(host, ".knx.org") ? "PROXY p:1" : "DIRECT"', "PROXY p:1"),
        ('return shExpMatch(url, "https://*.knx.org/*") ? "PROXY p:1" : "DIRECT"', "PROXY p:1"),
        ('return isPlainHostName(host) ? "DIRECT" : "PROXY p:1"', "PROXY p:1"),
        ('return localHostOrDomainIs(host, "update.knx.org") ? "DIRECT" : "PROXY p:1"', "DIRECT"),
        ('return dnsDomainLevels(host) == 2 ? "PROXY p:2" : "DIRECT"', "PROXY p:2"),
        ('return isInNet(host, "10.1.0.0", "255.255.0.0") ? "DIRECT" : "PROXY p:1"', "DIRECT"),
        ('return isInNet(dnsResolve(host), "10.2.0.0", "255.255.0.0") ? "DIRECT" : "PROXY p:1"', "PROXY p:1"),
        ('return isResolvable(host) ? dnsResolve(host) : "no"', "10.1.2.3"),
        ('return isInNet(myIpAddress(), "192.0.2.0", "255.255.255.0") ? "PROXY here:1" : "DIRECT"', "PROXY here:1"),
        ('return weekdayRange("MON", "GMT") ? "PROXY monday:1" : "DIRECT"', "PROXY monday:1"),
        ('return timeRange(10, 11, "GMT") ? "PROXY ten:1" : "DIRECT"', "PROXY ten:1"),
        ("return null", ""),
    ],
)  # fmt: skip
def test_a_script_is_answered_with_what_the_pc_knows(body: str, answer: str) -> None:
    assert run(body) == pac.Answer(answer)


def test_the_extended_entry_replaces_the_other_one_and_brings_its_functions() -> None:
    both = """function FindProxyForURL() { return "PROXY old:1" }
        function FindProxyForURLEx(url, host) { return "PROXY " + dnsResolveEx(host) }"""
    (answer,) = pac.answers(holds(script(URL, both)), URL, [("https://a/", HOST)], KNOWN)
    assert answer == pac.Answer("PROXY 10.1.2.3;2001:db8::1")
    assert run("return myIpAddressEx()", entry="FindProxyForURLEx").text == "192.0.2.7"
    for name in ("dnsResolveEx", "myIpAddressEx", "isInNetEx", "sortIpAddressList"):
        assert run(f"return typeof {name}") == pac.Answer("undefined")


def outcome(ask: Callable[[], pac.Answer]) -> tuple[str, bool]:
    """Return what became of a script that does not work, and whether that is certain for Windows."""
    try:
        answer = ask()
    except pac.PacError as error:
        return str(error), error.is_unfetched or error.is_empty
    return answer.error + answer.doubt, bool(answer.error)


OWN = 'return isInNet(myIpAddress(), "10.0.0.0", "255.0.0.0") ? "PROXY p:1" : "DIRECT"'


@pytest.mark.parametrize(
    ("addresses", "answer"),
    [
        (("10.1.2.3",), "PROXY p:1"),
        (("10.1.2.3", "fe80::1%12", "127.0.0.1"), "PROXY p:1"),
        (("10.1.2.3", "10.9.9.9"), "PROXY p:1"),
        (("10.1.2.3", "192.0.2.7"), None),
        (("192.0.2.7", "198.51.100.9", "10.1.2.3"), None),
        ((), None),
        (("127.0.0.1",), None),
        (("2001:db8::7",), None),
    ],
)
def test_the_pcs_own_address_is_known_where_all_its_addresses_lead_to_one_answer(
    addresses: Sequence[str], answer: str | None
) -> None:
    found = run(OWN, addresses=addresses)
    if answer is None:
        assert found.unanswered
        assert all("the PC's own address" in question for question in found.unanswered)
    else:
        assert found == pac.Answer(answer)


def test_the_address_of_the_connection_is_not_taken_for_the_pcs_own() -> None:
    text = f"function FindProxyForURL() {{ {OWN} }}"
    raw = {"version": 1, "host": {"time": NOW}, "probes": [script(URL, text)]}
    (answer,) = pac.answers(Snapshot.from_wire(raw), URL, [("https://a/", HOST)], {})
    assert answer.unanswered == ("the PC's own address",)
    place = Snapshot.from_wire(raw, vantage=True)
    (answer,) = pac.answers(place, URL, [("https://a/", HOST)], {})
    assert answer == pac.Answer("DIRECT"), "a host that only probes stands for the PCs' network"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('return host ?? "DIRECT"', "the operator ??"),
        ('return host?.length ? "PROXY p:1" : "DIRECT"', "the operator ?."),
        ('let p = "p"; return p', "let, const or class"),
        ('const p = "p"; return p', "let, const or class"),
        ('var f = () => "p"; return f()', "arrow functions"),
        ("return `p`", "template literals"),
        ("return Math.max(...[1, 2])", "the spread operator"),
        ("return 2 ** 2", "the operator **"),
        ("for (var a of [1]) return a", "for … of"),
        ("for (let a of [1]) return a", "for … of"),
        ("return (function (a = 1) { return a })()", "default parameters"),
        ("var [a, b] = [1, 2]; return a", "destructuring"),
        ("var {a} = {a: 1}; return a", "destructuring"),
        ("async function f() {}", "async functions or generators"),
        ("function* f() {}", "async functions or generators"),
        ("return /(?<=a)b/.test(url)", "lookbehind or named groups"),
        ("return /(?<year>x)/.test(url)", "lookbehind or named groups"),
        ("return /a(?:b)(?=c)(?!d)/.test(url)", ""),
        ("for (var offset in {a: 1}) return offset", ""),
        ("if (isInNet(host, '10.0.0.0', '255.0.0.0') == (1 == 2)) return 1 /* a ** b */", ""),
        ('return host ?.5 : "p"', ""),
        ('return "?? => ` let x" // ?? and =>', ""),
        ("/* a ?? b */ return 'it\\'s => p'", ""),
        ("var lets = 1; return lets", ""),
    ],
)
def test_syntax_that_is_newer_than_windows_engine_is_named(body: str, name: str) -> None:
    assert pac.newer_syntax(f"function FindProxyForURL(url, host) {{ {body} }}") == name


@pytest.mark.parametrize(
    "part", ["/* ", "function ", "function(", "for (var ", "'", '"', '\\"', "var ["]
)
def test_no_script_makes_the_search_for_newer_syntax_long(part: str) -> None:
    text = part * (1_000_000 // len(part))
    began = time.process_time()
    pac.newer_syntax(text)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("size", [70_000, 363_000, 1_000_000])
def test_a_long_script_is_run(size: int) -> None:
    text = f'function FindProxyForURL() {{ return "PROXY p:1" }} // {"x" * size}'
    answers = pac.answers(holds(script(URL, text)), URL, [("https://a/", HOST)], {})
    assert answers == [pac.Answer("PROXY p:1")]
    assert pac.probe(URL)["max_body"] > size


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "behind a login"), (301, "was moved"), (307, "was moved")]
)
def test_a_script_behind_a_login_or_elsewhere_is_neither_there_nor_missing(
    status: int, reason: str
) -> None:
    with pytest.raises(pac.PacError, match=reason) as failed:
        pac.answers(holds(script(URL, "", status)), URL, [], {})
    assert (failed.value.is_unfetched, failed.value.is_empty) == (False, False)


@pytest.mark.parametrize(
    ("body", "is_error"),
    [
        ("return missing()", True),
        ('throw "no"', True),
        ("return url.split('#')[1].length", True),
        ("function f() { return f() + 1 } return f()", False),
    ],
)
def test_what_a_script_throws_is_its_error_unless_the_engine_here_gave_up(
    body: str, is_error: bool
) -> None:
    answer = run(body)
    assert (bool(answer.error), bool(answer.doubt)) == (is_error, not is_error)


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ('return isResolvable("intranet") ? "DIRECT" : "PROXY p:1"', "the address of intranet"),
        (
            'return isInNet("intranet", "10.0.0.0", "255.0.0.0") ? "DIRECT" : "PROXY p:1"',
            "the address of intranet",
        ),
        ('return timeRange(8, 18) ? "DIRECT" : "PROXY p:1"', "the PC's local time"),
    ],
)
def test_an_answer_that_rests_on_something_unknown_says_so(body: str, missing: str) -> None:
    assert run(body).unanswered == (missing,)


def test_the_pc_is_asked_for_the_endpoints_address_only_where_the_script_wants_it() -> None:
    assert run("return dnsResolve(host)", {}).unanswered == (f"the address of {HOST}",)
    assert run("return host", {}).unanswered == ()


@pytest.mark.parametrize(
    "body",
    [
        # blackgear/mono_pac 11: the engine of Windows has no reduce.
        'return [1, 2].reduce(function (a, b) { return a + b }) == 3 ? "PROXY p:1" : "DIRECT"',
        'return url.startsWith("https") ? "PROXY p:1" : "DIRECT"',
        'return ["update.knx.org"].indexOf(host) >= 0 ? "PROXY p:1" : "DIRECT"',
        'return Object.keys({a: 1}).length ? "PROXY p:1" : "DIRECT"',
        'return " p:1".trim() == "p:1" ? "PROXY p:1" : "DIRECT"',
        'console.log("x"); return "PROXY p:1"',
        'return new Map() ? "PROXY p:1" : "DIRECT"',
        'if (!Date.now) throw "too old"; return "PROXY p:1"',
    ],
)
def test_an_answer_that_rests_on_newer_functions_is_in_doubt(body: str) -> None:
    assert "which the engine of Windows may not know" in run(body).doubt


def test_what_fails_in_the_newer_engine_fails_in_any() -> None:
    answer = run("[1].forEach(function () { throw 1 })")
    assert (answer.error, answer.doubt) == ("JSRuntimeError: 1", "")


@pytest.mark.parametrize(
    "body",
    [
        'return url.indexOf("https") == 0 ? "PROXY p:1" : "DIRECT"',
        'if (false) [].forEach(alert); return "PROXY p:1"',
        'var f = String.prototype.startsWith ? "PROXY p:1" : "PROXY p:1"; return f',
        "Array.prototype.has = function (x) { return this[0] == x; };"
        ' return ["update.knx.org"].has(host) ? "PROXY p:1" : "DIRECT"',
        'return /^https/.test(url) ? "PROXY p:1".replace(/x/g, "y") : "DIRECT"',
        'return eval("(" + "{\'a\': 1}" + ")").a ? "PROXY " + ["p", 1].join(":") : "DIRECT"',
        'return "PROXY p:1;DIRECT".split(";").slice(0, 1).concat().sort().reverse()[0]',
        'alert("a", "b"); alert(); return "PROXY p:1"',
        'return new Date(2020, 0, 1).getYear() ? "PROXY " + unescape("p%3A1") : "DIRECT"',
        'return (parseInt("1") + Math.max(0, 1)).toString(16) == "2" ? "PROXY p:1" : "DIRECT"',
    ],
)
def test_an_answer_that_any_engine_gives_is_not_in_doubt(body: str) -> None:
    answer = run(body)
    assert (answer.text, answer.doubt, answer.error) == ("PROXY p:1", "", "")


@pytest.mark.parametrize(
    "body",
    [
        'return Math.random() < 0.5 ? "PROXY a:1; PROXY b:1" : "PROXY b:1; PROXY a:1"',
        'return "PROXY p" + Math.floor(3 * Math.random()) + ":1"',
        'this.calls = (this.calls || 0) + 1; return "PROXY p" + this.calls % 2 + ":1"',
    ],
)
def test_an_answer_that_chance_decides_is_not_known(body: str) -> None:
    answer = run(body)
    assert (answer.unanswered, answer.doubt) == (
        ("a value that is random or changes from call to call",),
        "",
    )


def test_chance_that_decides_nothing_does_not_matter() -> None:
    assert run('var a = Math.random(); return "PROXY p:1"') == pac.Answer("PROXY p:1")


def test_what_a_probe_resolved_is_known_and_a_name_that_is_not_there_is_known_too() -> None:
    probes = holds(
        probe("a"),
        probe("b", addresses=[], error={"kind": "not_found"}),
        probe("c", addresses=[], error={"kind": "timeout"}),
        probe("d", "p:1"),
    )
    hosts = [
        ("a", "A.example"),
        ("b", "b.example"),
        ("c", "c.example"),
        ("d", "d.example"),
        ("e", "e.example"),
    ]
    assert pac.resolved(probes, hosts) == {"a.example": ["192.0.2.80"], "b.example": []}


def test_no_name_service_is_asked_and_no_file_opened() -> None:
    assert run('return dnsResolve("localhost")').unanswered == ("the address of localhost",)
    assert (
        "Too many open files"
        in run('return String(require("../../../../../../etc/passwd"))').error
        + run('return String(require("../../../../../../etc/passwd"))').doubt
    )
    assert run("return JSON.stringify(process.env)").text == "{}", (
        "the controller's environment is none of a script's business"
    )


@pytest.mark.parametrize(
    "body",
    [
        "while (true) {}",
        'var a = []; while (true) a.push(new Array(1000000).join("x"))',
        'return new Array(200000000).join("x")',
        "function f() { return f() + 1 } return f()",
        'throw "x".repeat(10000000)',
        'console.error("x".repeat(10000000)); while (true) {}',
    ],
)
def test_a_hostile_script_is_ended(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "SECONDS", 1)
    began = time.monotonic()
    message, is_certain = outcome(lambda: run(body))
    assert not is_certain or "throw" in body
    assert time.monotonic() - began < pac.SECONDS + pac.START_SECONDS
    assert 0 < len(message) < 500


def test_an_answer_without_end_is_cut_off() -> None:
    assert len(run('return "PROXY a:1;".repeat(100000)').text) <= 2000
    assert "\n" not in run(r'return "PROXY a:1\n\x1b[31m"').text


@pytest.mark.parametrize(
    "text", ["", "var x = 1;", "function FindProxyForURL(", "<html>not found</html>"]
)
def test_what_is_no_script_is_reported(text: str) -> None:
    def ask() -> pac.Answer:
        return pac.answers(holds(script(URL, text)), URL, [(f"https://{HOST}/", HOST)], {})[0]

    message, is_certain = outcome(ask)
    assert is_certain
    assert "FindProxyForURL" in message or f"the script {URL} fails" in message


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (script(URL, "", 404), "HTTP 404"),
        (script(URL, "", error={"kind": "refused"}, stage="tcp", http=None), "refused at tcp"),
        (script(URL, "", http=None), "closed at done"),
        (
            script(
                URL, "", tls={"presented": [], "policy_errors": ["RemoteCertificateChainErrors"]}
            ),
            "does not trust the server's certificate",
        ),
    ],
)
def test_a_script_that_the_pc_does_not_get(found: dict[str, object], said: str) -> None:
    with pytest.raises(pac.PacError, match=said) as failed:
        pac.answers(holds(found), URL, [], {})
    assert failed.value.is_unfetched


def test_a_script_that_was_cut_off_is_not_run() -> None:
    with pytest.raises(pac.PacError, match="bytes or more"):
        pac.answers(holds(script(URL, "//" + "x" * pac.MAX_SCRIPT)), URL, [], {})


@pytest.mark.parametrize(
    "http",
    [
        {"status": 200, "headers": [], "body": "?"},
        {"status": "x"},
        {"headers": 5, "status": 200},
        7,
    ],
)
def test_a_reply_that_is_none_is_reported(http: object) -> None:
    with pytest.raises(pac.PacError):
        pac.answers(holds(script(URL, "", http=http)), URL, [], {})


def test_a_script_in_chunks_with_a_byte_order_mark() -> None:
    text = '\ufefffunction FindProxyForURL(u, h) { return "DIRECT" }'.encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
    http = {
        "status": 200,
        "headers": [["Transfer-Encoding", "chunked"]],
        "body": base64.b64encode(body).decode(),
    }
    assert pac.answers(holds(script(URL, "", http=http)), URL, [("http://a/", "a")], {}) == [
        pac.Answer("DIRECT")
    ]


def test_a_script_that_nobody_came_to_fetch_is_not_taken_for_one_that_is_not_there() -> None:
    waiting = script(URL, "", stage="queue", http=None, error={"kind": "timeout", "code": None})
    with pytest.raises(pac.PacError, match="over before its turn") as failed:
        pac.answers(holds(waiting), URL, [], {})
    assert not failed.value.is_unfetched


def test_nobody_is_told_the_login_in_a_scripts_address() -> None:
    url = "http://knx:s3cret@proxy.example.com/x.pac"
    with pytest.raises(pac.NotFetchedError) as failed:
        pac.answers(holds(), url, [], {})
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    ("answer", "ways"),
    [
        ("DIRECT", [""]),
        ("", [""]),
        (" ; direct ", [""]),
        ("DIRECT; PROXY p:1", [""]),
        ("PROXY P.example:3128; DIRECT", ["p.example:3128"]),
        ("PROXY a:1; PROXY b:2; DIRECT; PROXY c:3", ["a:1", "b:2"]),
        ("PROXY a:1 PROXY b", ["a:1", "b:80"]),
        ("proxy p", ["p:80"]),
        ("HTTP p:1", ["p:1"]),
        ("PROXY [2001:db8::1]:3128", ["[2001:db8::1]:3128"]),
        ("PROXY [2001:db8::1]", ["[2001:db8::1]:80"]),
        ("SOCKS s:1080; PROXY p:1", ["p:1"]),
        ("SOCKS s:1080; DIRECT", []),
        ("PROXY a:1; HTTPS p:443; PROXY b:2", ["a:1"]),
        ("SOCKS s:1080", []),
        ("HTTPS p:443", []),
        ("p:3128", []),
        ("PROXY u:s3cret@p:1", []),
        ("PROXY p:1/x", []),
        ("PROXY", []),
    ],
)
def test_a_script_names_ways_in_order(answer: str, ways: list[str]) -> None:
    assert pac.parse_answer(answer) == tuple(ways)


def test_scripts_of_one_host_share_their_seconds_and_what_fails_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pac, "SECONDS", 1)
    urls = [f"{URL}?{number}" for number in range(40)]
    loop = "function FindProxyForURL() { for (;;); }"
    since = time.monotonic()
    messages = set()
    with pac.budget(2):
        for url in [*urls, *urls]:
            with pytest.raises(pac.PacError) as caught:
                pac.answers(holds(script(url, loop)), url, [(f"https://{HOST}/", HOST)], KNOWN)
            messages.add(str(caught.value).replace(url, "URL"))
    assert time.monotonic() - since < 2 + 1 + pac.START_SECONDS
    assert any("took more than 15 seconds" in message for message in messages)
