# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The real PowerShell through Ansible's real wrapper, in both dialects, and beside it the model: the same questions, the same answers."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.finding import remedies
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.integration import odd_servers, remote
from tests.integration.debian import need
from tests.integration.windows_host_questions import QUESTIONS, REFUSED, Answer, rule, seeded
from tests.lab import fleet, model
from tests.lab.network import VENDOR, Network, Server, Vendor, server_context
from tests.lab.pc import RULES, Pc
from tests.lab.script import ROOT, find_pwsh
from tests.lab.wsman import wrapper_bytes

DIALECTS = {"5.1": "5.1", "7": "7.6"}
"""The dialects, and what PowerShell calls itself there."""
LEAST_COVERAGE = 100.0
MOST_BYTES = 75_000
"""Of an execution, beside Ansible's wrapper."""


class Street:
    """The lab's network, odd servers, and the answers that are still to come."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.hits = folder, folder / "hits"
        self.network = Network(folder)
        stack.callback(self.network.stop)
        self.odd = odd_servers.start(stack)
        where = x509.UniformResourceIdentifier(f"http://{self.odd['silent']}/issuing.crt")
        access = x509.AuthorityInformationAccess(
            [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]
        )
        issuing = self.network.public.intermediate("Lab Absent CA")
        leaf = issuing.issue(
            folder / "without_issuer.pem", list(VENDOR), chain="alone", more=[access]
        )
        server = Server(Vendor, server_context(leaf))
        stack.callback(server.stop)
        self.without_issuer = server.address
        pool = stack.enter_context(ThreadPoolExecutor(2))
        self.answers: dict[tuple[str, str], Future[tuple[dict[str, Any], Pc]]] = {
            (name, dialect): pool.submit(self._ask, name, dialect)
            for name in QUESTIONS
            for dialect in DIALECTS
        }

    def asked(self, name: str) -> Mapping[str, Any]:
        asked = QUESTIONS[name].asked
        return asked(self.network, self.odd) if callable(asked) else asked

    def answer(self, name: str, dialect: str) -> Answer:
        return read(*self.answers[name, dialect].result())

    def _ask(self, name: str, dialect: str) -> tuple[dict[str, Any], Pc]:
        pc = seeded(name)
        QUESTIONS[name].pc(pc)
        return remote.ask(pc, dialect, self.asked(name), self.folder, self.hits), pc


def read(reply: Mapping[str, Any], pc: Pc) -> Answer:
    """Return what is in a reply, and the state of the PC that gave it."""
    assert not reply.get("failed"), reply["msg"]
    snapshot = json.loads(gzip.decompress(base64.b64decode(reply["snapshot"])))
    return Answer(reply["changed"], reply["operations"], snapshot, pc.state)


def comparable(answer: Answer) -> dict[str, Any]:
    """Return an answer without what differs from one time, process, language or TLS library to the other."""
    snapshot, state = json.loads(
        re.sub(
            r'"[0-9T:-]+Z (\d+)"',
            r'"TIME \1"',
            re.sub(r"ETS6-\d+-", "ETS6-PID-", json.dumps([answer.snapshot, answer.state])),
        )
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", snapshot["host"].pop("time"))
    del snapshot["host"]["powershell"]
    for found in snapshot["probes"] or ():
        assert all(isinstance(elapsed, int) for elapsed in found.pop("elapsed").values())
        if found["error"]:
            found["error"] = found["error"]["kind"]
        if found["tls"]:
            found["tls"] = {key: found["tls"][key] for key in ("protocol", "presented")}
    told = [{**one, "error": bool(one["error"])} for one in answer.operations]
    # Keys that only stand above others are in the state once they were asked for.
    keys = state["registry"].items()
    registry = {path: key for path, key in keys if key["values"] or "access" in key}
    return {
        "changed": answer.changed,
        "operations": told,
        "snapshot": snapshot,
        "registry": registry,
    }


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Say where two answers differ: pytest would print them whole."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(
                one.get(key, "nothing"), other.get(key, "nothing"), f"{place}/{key}"
            )
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{place}/{at}")
    elif one != other:
        yield f"{place}: {one} is not {other}"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    if find_pwsh() is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    with ExitStack() as stack:
        yield Street(tmp_path_factory.mktemp("street"), stack)


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_dialects_and_the_model_answer_alike(street: Street, name: str) -> None:
    asked = QUESTIONS[name]
    answers = {dialect: street.answer(name, dialect) for dialect in DIALECTS}
    if asked.model:
        pc = seeded(name)
        asked.pc(pc)
        answers["model"] = read(model.answer(pc, street.asked(name)), pc)
    wanted = comparable(answers["7"])
    for dialect, answer in answers.items():
        try:
            asked.check(answer)
        except AssertionError as error:
            error.add_note(f"answered by {dialect}")
            raise
        assert list(differences(comparable(answer), wanted)) == [], dialect


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_is_refused_before_anything_is_done(
    street: Street, dialect: str, name: str
) -> None:
    asked, said = REFUSED[name]
    pc = seeded(name)
    before = json.dumps(pc.state)
    reply = remote.ask(
        pc,
        dialect,
        {**asked, "operations": [{"do": "remove_firewall_rule", "id": "x"}]},
        street.folder,
        street.hits,
    )
    assert (reply["failed"], reply["msg"].startswith(said)) == (True, True), reply
    assert json.dumps(pc.state) == before


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_process_ends_though_something_never_does(street: Street, dialect: str) -> None:
    """A name server, or whoever has the issuer's certificate that Windows looks for. Without coverage, so that probes run in the pool
    that they run in on a PC."""
    pc = seeded("pool")
    pc.state["names"] = {"hanging.example": "hang"}
    asked = {
        "probe_timeout": 3,
        "probes": [
            {"name": "hanging", "url": "https://hanging.example", "address": None, "proxies": [""]},
            {
                "name": "silent",
                "url": "https://update.knx.org",
                "address": street.odd["silent"],
                "proxies": [""],
            },
            {
                "name": "looking",
                "url": "https://update.knx.org",
                "address": street.without_issuer,
                "proxies": [""],
            },
            {
                "name": "fine",
                "url": "https://update.knx.org",
                "address": street.network.https.address,
                "proxies": [""],
            },
        ],
    }
    since = time.monotonic()
    answer = read(remote.ask(pc, dialect, asked, street.folder), pc)
    assert time.monotonic() - since < 10
    kinds = [
        (one["stage"], one["error"] and one["error"]["kind"]) for one in answer.snapshot["probes"]
    ]
    assert kinds == [("dns", "timeout"), ("tls", "timeout"), ("tls", "timeout"), ("done", None)]


@pytest.mark.parametrize("who", [*DIALECTS, "model"])
def test_a_probe_whose_turn_does_not_come_says_so(street: Street, who: str) -> None:
    pc = seeded("pool")
    probes = [
        {
            "name": str(number),
            "url": "http://update.knx.org",
            "address": street.odd["silent"],
            "proxies": [""],
        }
        for number in range(20)
    ]
    # Enough for 16 runspaces to start on a busy machine, and less than the 8 seconds of the stage.
    asked = {"probe_timeout": 7, "probes": probes}
    answer = read(
        model.answer(pc, asked) if who == "model" else remote.ask(pc, who, asked, street.folder), pc
    )
    told = sorted((one["stage"], one["error"]["kind"]) for one in answer.snapshot["probes"])
    assert told == [("http", "timeout")] * 16 + [("queue", "timeout")] * 4


def test_every_line_runs_in_both_dialects(
    street: Street, record_property: Callable[[str, object], None]
) -> None:
    for answer in street.answers.values():
        answer.result()
    hits = remote.covered(street.hits)
    assert set(hits) == set(DIALECTS.values())
    for version, sources in hits.items():
        lines = {
            (source, line): count
            for source, counted in sources.items()
            for line, count in counted.items()
        }
        assert {source for source, _line in lines} == {
            Path(source).name for source in remote.MODULES["windows_host"]
        }
        missed = sorted(place for place, count in lines.items() if not count)
        share = 100 * (1 - len(missed) / len(lines))
        record_property(
            "told", f"PowerShell {version}: {share:.1f} % of {len(lines)} lines with commands ran"
        )
        assert share >= LEAST_COVERAGE, missed


@pytest.mark.parametrize("scope", ["machine", "users"])
def test_what_ansible_sends_is_small_also_where_nothing_on_the_pc_is_right(
    street: Street, scope: str
) -> None:
    """All rules missing, the prompt's four in the way, and the proxy another one everywhere."""
    member = fleet.nothing_right("pc-nothing-right", street.network)
    proxy = {
        **member.variables["ets6_network_proxy"],
        "server": "proxy.example.com:3128",
        "scope": scope,
    }
    policy = Policy.from_variables({"proxy": proxy})
    asked: dict[str, Any] = dict(controls.request(policy))
    seen = Snapshot.unpack(model.answer(member.pc, {**asked, "probes": []})["snapshot"])
    steps = [
        step.to_wire()
        for change in remedies(controls.Assessment(seen, policy).findings)
        for step in change.operations
    ]
    assert len(steps) >= 15
    probes = [{**probe, "proxies": ["proxy.example.com:3128"]} for probe in asked["probes"]]
    _line, data = remote.sent({**asked, "probes": probes, "operations": steps})
    assert len(data) - wrapper_bytes(data) <= MOST_BYTES


@pytest.mark.parametrize("who", [*DIALECTS, "model"])
def test_a_pc_that_goes_off_in_the_middle_keeps_a_record_of_it(street: Street, who: str) -> None:
    pc = seeded("power loss")
    steps = [rule(), {**rule(), "rule": {**rule()["rule"], "id": "ETS6-second"}}]
    pc.state["faults"]["new_firewall_rule:ETS6-second"] = "power loss"
    asked = {"operations": steps}
    if who == "model":
        with pytest.raises(model.PowerLossError):
            model.answer(pc, asked)
    else:
        with pytest.raises(AssertionError):
            remote.ask(pc, who, asked, street.folder)
    assert re.fullmatch(
        r"[0-9T:-]+Z 2", pc.state["registry"][model.RECORD]["values"][model.BEGUN][1]
    )
    assert steps[0]["rule"]["id"] in pc.state["registry"][RULES]["values"], "the first was made"


def test_nobody_is_made_to_compile_anything() -> None:
    sources = "".join(
        (ROOT / source).read_text(encoding="utf-8")
        for sources in remote.MODULES.values()
        for source in sources
    )
    assert not re.search(
        r"Add-Type|CSharpUtil|DllImport|Reflection\.Emit|FromBase64String\(.*Invoke", sources
    )


@pytest.mark.parametrize("check", ["check51", "lint"])
def test_windows_powershell_would_run_it_and_it_has_no_bad_habits(check: str) -> None:
    program = ROOT.parent / "shared" / "pwsh" / check
    need(str(program), "../shared/pwsh beside the project")
    sources = [source for sources in remote.MODULES.values() for source in sources]
    checked = subprocess.run(
        [program, *sources], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr
