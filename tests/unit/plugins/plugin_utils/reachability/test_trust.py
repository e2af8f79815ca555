# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Lists of roots that are clean, poisoned or old, and every chain: no wrong pass, no blame without proof.

The reference knows who made the certificate, which no judge of a chain can know.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.probes import DIRECT, parse_probe
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.routes import Route
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import roots as module
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.certificate import (
    thumbprint,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.chain import (
    Root,
    examine_chain,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.fleet import compare
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.interception import (
    judge_interception,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.observer import (
    LOCAL_KEYS,
    PROGRAMME_KEY,
    Observer,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.outcomes import Outcome
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.roots import (
    Origin,
    RootList,
    public_roots,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.verdict import judge_probe
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Key, Registry, State
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.reachability.build import (
    NAME,
    NOW,
    UPDATES,
    der,
    encoded,
    http,
    probe,
    tls,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.lab.certificates import Authority, certificate_of, stamps

REAL = Path(__file__).resolve().parents[6] / "shared" / "certificates"
PUBLIC = Authority.root("Public Root")
ISSUING = PUBLIC.intermediate("Issuing CA")
INSPECTOR = Authority.root("Company Inspection CA")
NAMED = Authority.root("FortiGate CA")
OLDER = Authority.root("Older Root")
YOUNG = Authority.root("Young Root")
YOUNG_BY_PUBLIC = certificate_of(PUBLIC, [], authority=True, name="Young Root", key=YOUNG.key)[0]
YOUNG_ISSUING = YOUNG.intermediate("Young Issuing CA")
MAKERS = {
    "vendor": (ISSUING, [ISSUING.certificate], [PUBLIC.certificate]),
    "vendor signed twice": (
        YOUNG_ISSUING,
        [YOUNG_ISSUING.certificate, YOUNG_BY_PUBLIC],
        [YOUNG.certificate],
    ),
    "inspector": (INSPECTOR, [], [INSPECTOR.certificate]),
    "FortiGate": (NAMED, [], [NAMED.certificate]),
}
"""By who made a certificate: its authority, what usually comes with it, and the root above."""
LISTS = {
    "clean": RootList((PUBLIC.certificate,), Origin.MOZILLA, "certifi 2026.10.18"),
    "poisoned": RootList(
        (PUBLIC.certificate, INSPECTOR.certificate, NAMED.certificate),
        Origin.CHANGED,
        "certifi 2026.10.18",
        problem="certifi's list was changed after its installation",
    ),
    "user's": RootList((PUBLIC.certificate, INSPECTOR.certificate, NAMED.certificate), Origin.USER),
    "lacking": RootList((OLDER.certificate,), Origin.MOZILLA, "certifi 2026.10.18"),
    "old": RootList(
        (OLDER.certificate,),
        Origin.MOZILLA,
        "certifi 2020.4.5",
        released=date(2020, 4, 5),
    ),
}
CLOCKS = {"right": timedelta(), "ahead": timedelta(days=800), "behind": timedelta(hours=-30)}


@dataclass(frozen=True)
class Case:
    """One connection. is_genuine is what a judge cannot know: the vendor's server answered itself.

    sent is what came beside the server's certificate; built means that only Windows had the root.
    has_stores: a live PC showed its stores, with the public root in Microsoft's and the others as
    its own.
    """

    roots: str
    maker: str
    sent: str
    has_timestamps: bool
    has_address: bool
    is_reversed: bool
    clock: str
    has_stores: bool

    @property
    def is_genuine(self) -> bool:
        return self.maker.startswith("vendor")

    @property
    def is_listed(self) -> bool:
        """Whether the list says that the root above is public."""
        if self.roots in ("old", "lacking"):
            return False
        return self.is_genuine or self.roots != "clean"

    @property
    def is_witnessed(self) -> bool:
        """Whether anything but the connection and a list that may be poisoned speaks for the root."""
        return self.roots == "clean" or self.has_stores

    @property
    def is_perfect_forgery(self) -> bool:
        """Whether an inspector made up all that a public authority's has, and a user lists its root.

        Without a PC's stores that is the user's word, and docs/assumptions.md says so.
        """
        forged = self.has_timestamps and self.has_address and self.maker == "inspector"
        return forged and self.roots == "user's" and not self.has_stores

    @property
    def is_unheard_of(self) -> bool:
        """Whether a public authority issues what browsers refuse, below a root that Mozilla does not have.

        Then nothing in the world speaks for it; docs/assumptions.md has that genuine ones differ.
        """
        has_signs = self.has_timestamps or self.has_address
        return self.is_genuine and self.roots == "lacking" and not (has_signs or self.has_stores)

    @property
    def may_pass(self) -> bool:
        if self.is_perfect_forgery:
            return True
        return self.is_genuine and self.is_listed and (self.is_witnessed or self.roots == "user's")

    @property
    def must_pass(self) -> bool:
        is_usual = self.has_timestamps and self.has_address and self.clock == "right"
        is_led = self.sent in ("whole", "usual", "built")
        return self.may_pass and self.is_genuine and is_led and is_usual

    @property
    def must_blame(self) -> bool:
        """Whether there is proof: a private root was seen, and nothing speaks for a public one."""
        is_made_up = not (self.has_timestamps or self.has_address)
        is_private = not self.is_genuine and self.roots in ("clean", "lacking")
        return is_private and self.sent in ("whole", "built") and is_made_up

    def record(self) -> dict[str, Any]:
        authority, above, root = MAKERS[self.maker]
        server = _leaf(authority, self.has_timestamps, self.has_address)
        beside = {"leaf": [], "usual": above, "whole": [*above, *root], "built": above}[self.sent]
        chain = [server, *(reversed(beside) if self.is_reversed else beside)]
        built = encoded(server, *above, *root) if self.sent == "built" else []
        answer = http(Date=NOW.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        return probe(tls=tls(*chain, built=built), http=answer)


def _leaf(authority: Authority, has_timestamps: bool, has_address: bool) -> x509.Certificate:
    key = (authority.certificate.serial_number, has_timestamps, has_address)
    if key not in LEAVES:
        extensions: list[x509.ExtensionType] = []
        if has_timestamps:
            extensions.append(stamps((b"one", NOW), (b"two", NOW)))
        if has_address:
            location = x509.UniformResourceIdentifier("http://ca.example/ca.crt")
            method = x509.AuthorityInformationAccessOID.CA_ISSUERS
            access = x509.AccessDescription(method, location)
            extensions.append(x509.AuthorityInformationAccess([access]))
        LEAVES[key] = certificate_of(authority, [NAME], more=extensions)[0]
    return LEAVES[key]


LEAVES: dict[tuple[int, bool, bool], x509.Certificate] = {}


def cases() -> Iterator[Case]:
    flags = (False, True)
    dimensions = (
        LISTS,
        MAKERS,
        ("leaf", "usual", "whole", "built"),
        flags,
        flags,
        flags,
        CLOCKS,
        flags,
    )
    for values in itertools.product(*dimensions):
        yield Case(*values)


def observer(roots: str, clock: str = "right", **stores: tuple[Authority, ...]) -> Observer:
    keys = {}
    paths = {"programme": PROGRAMME_KEY, "local": LOCAL_KEYS[0]}
    for store, authorities in stores.items():
        names = tuple(thumbprint(authority.certificate) for authority in authorities)
        keys[paths[store]] = Key(State.PRESENT, subkeys=names)
    return Observer(LISTS[roots], NOW + CLOCKS[clock], Registry(keys))


STORES = {"programme": (PUBLIC, YOUNG), "local": (INSPECTOR, NAMED)}


@pytest.mark.parametrize("roots", LISTS)
def test_no_wrong_pass_and_no_blame_without_proof(roots: str) -> None:
    wrong, blamed, missed = [], [], []
    for case in cases():
        if case.roots != roots or case.is_unheard_of:
            continue
        watcher = observer(roots, case.clock, **(STORES if case.has_stores else {}))
        verdict = judge_probe(parse_probe(case.record(), "probe"), UPDATES, watcher)
        route = Route(DIRECT, (), "")
        judgement = judge_interception({"updates": [(route, verdict)]}, [UPDATES], LISTS[roots])
        passes = verdict.status is Status.PASS or judgement.status is Status.PASS
        blames = verdict.outcome is Outcome.INTERCEPTED or judgement.status is Status.FAIL
        if passes and not case.may_pass:
            wrong.append(case)
        if blames and case.is_genuine:
            blamed.append(case)
        if case.must_pass and not (verdict.status is Status.PASS and passes):
            missed.append(case)
        if case.must_blame and not blames:
            missed.append(case)
    assert (wrong, blamed, missed) == ([], [], [])


@pytest.mark.parametrize(("store", "roots", "outcome", "words"), [
    ("programme", "poisoned", Outcome.FINE, "is reached"),
    ("local", "poisoned", Outcome.UNTRUSTED, "changed after its installation"),
    ("programme", "old", Outcome.UNTRUSTED, "among those of Microsoft's programme"),
])  # fmt: skip
def test_a_pc_is_a_second_witness_of_where_a_root_stands(
    store: str, roots: str, outcome: Outcome, words: str
) -> None:
    case = Case(roots, "vendor", "whole", True, True, False, "right", True)
    watcher = observer(roots, **{store: (PUBLIC,)})
    verdict = judge_probe(parse_probe(case.record(), "probe"), UPDATES, watcher)
    assert (verdict.outcome, words in verdict.sentence) == (outcome, True), verdict.sentence
    if store == "programme":
        assert "Microsoft's programme" in verdict.sentence
        assert "was not tried on a real PC" in verdict.sentence


def test_a_users_list_is_doubted_where_the_pc_has_the_root_only_as_its_own() -> None:
    users = RootList((PUBLIC.certificate,), Origin.USER, "ets6_network_public_roots")
    keys = {
        PROGRAMME_KEY: Key(State.PRESENT),
        LOCAL_KEYS[1]: Key(State.PRESENT, subkeys=(thumbprint(PUBLIC.certificate).lower(),)),
    }
    case = Case("clean", "vendor", "whole", True, True, False, "right", True)
    record = parse_probe(case.record(), "probe")
    verdict = judge_probe(record, UPDATES, Observer(users, NOW, Registry(keys)))
    assert verdict.outcome is Outcome.UNTRUSTED
    assert "only where administrators and programs install roots" in verdict.sentence
    assert judge_probe(record, UPDATES, Observer(users, NOW)).outcome is Outcome.FINE


def _der(name: str) -> bytes:
    pem = (REAL / name).read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/certificates beside the project")
@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_real_root_that_is_signed_twice_is_public_in_any_order(order: tuple[int, ...]) -> None:
    """Root YR is not in certifi, and the root that signs it is: one of two paths is public."""
    above = [_der("root-yr.pem"), _der("root-yr-by-x1.pem")]
    chain = [_der("int-yr1.pem"), *(above[position] for position in order)]
    moment = x509.load_der_x509_certificate(chain[0]).not_valid_before_utc + timedelta(days=1)
    report = examine_chain(chain, (), NAME, moment, public_roots("").certificates)
    assert report.root is Root.PUBLIC


@pytest.fixture
def list_of_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Make certifi a package in a folder of the test, with a RECORD of its own."""
    bundle = tmp_path / "cacert.pem"
    bundle.write_bytes(PUBLIC.pem())
    digest = base64.urlsafe_b64encode(hashlib.sha256(PUBLIC.pem()).digest()).rstrip(b"=")
    hashed = SimpleNamespace(mode="sha256", value=digest.decode())
    record = SimpleNamespace(files=[SimpleNamespace(name="cacert.pem", hash=hashed)])
    monkeypatch.setattr(certifi, "where", lambda: str(bundle))
    monkeypatch.setattr(certifi, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(module.metadata, "distribution", lambda name: record)
    public_roots.cache_clear()
    yield bundle
    public_roots.cache_clear()


def test_certifis_list_is_compared_with_the_packages_record(list_of_roots: Path) -> None:
    unchanged = public_roots("")
    assert (unchanged.origin, unchanged.problem) == (Origin.MOZILLA, "")
    assert unchanged.to_wire()["title"] == f"certifi {certifi.__version__}"
    with list_of_roots.open("ab") as bundle:
        bundle.write(INSPECTOR.pem())
    public_roots.cache_clear()
    changed = public_roots("")
    assert (changed.origin, len(changed.certificates)) == (Origin.CHANGED, 2)
    assert changed.problem == "certifi's list was changed after its installation"


def test_a_list_that_lies_elsewhere_is_not_certifis(
    list_of_roots: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system = tmp_path / "system.pem"
    system.write_bytes(list_of_roots.read_bytes())
    monkeypatch.setattr(certifi, "where", lambda: str(system))
    assert "not a file of the package" in public_roots("").problem


def test_without_a_record_a_list_cannot_be_checked(
    list_of_roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = SimpleNamespace(files=None)
    monkeypatch.setattr(module.metadata, "distribution", lambda name: empty)
    assert "no record of its files" in public_roots("").problem


def test_the_installed_list_is_mozillas_and_its_version_is_its_day() -> None:
    public_roots.cache_clear()
    roots = public_roots("")
    assert roots.origin is Origin.MOZILLA
    assert roots.released is not None
    assert f"certifi {roots.released:%Y}.{roots.released.month:02}" in roots.title


def test_one_unreadable_block_costs_that_block(tmp_path: Path) -> None:
    bundle = tmp_path / "roots.pem"
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    cut = b"-----BEGIN CERTIFICATE-----\nMIIB\n"
    bundle.write_bytes(PUBLIC.pem() + bad + cut + INSPECTOR.pem())
    roots = public_roots(str(bundle))
    assert [certificate.subject for certificate in roots.certificates] == [
        PUBLIC.certificate.subject,
        INSPECTOR.certificate.subject,
    ]
    assert roots.unreadable == 2


@pytest.mark.parametrize(
    "names",
    [
        ["_acme.knx.org", NAME],
        [f"{NAME}."],
        [f"{NAME}.", "a.example"],
        ["-a.knx.org", NAME],
        ["*.*.knx.org", NAME],
        ["a name", "*.knx.org"],
    ],
)
def test_an_odd_first_name_costs_nothing(names: list[str]) -> None:
    server = certificate_of(ISSUING, names, logged=True)[0]
    chain = der(server, ISSUING.certificate)
    report = examine_chain(chain, (), NAME, NOW, (PUBLIC.certificate,))
    assert report.genuine


def test_keys_of_every_issuer_are_compared_and_not_names() -> None:
    """Intermediates that live for days differ from PC to PC below one root."""
    first = INSPECTOR.intermediate("CN of the day (t)")
    second = INSPECTOR.intermediate("CN of the day (t)")
    reports = []
    for issuing in (first, second):
        server = certificate_of(issuing, [NAME])[0]
        chain = der(server, issuing.certificate)
        reports.append(examine_chain(chain, (), NAME, NOW, (PUBLIC.certificate,)))
    assert set(reports[0].issuer_ids) & set(reports[1].issuer_ids)
    assert reports[0].issuer_ids[0] == reports[1].issuer_ids[0]


@pytest.mark.parametrize("moment", [NOW, NOW.replace(year=NOW.year + 1)])
def test_the_clock_is_wrong_only_where_the_servers_time_says_so(moment: datetime) -> None:
    date = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    server = certificate_of(ISSUING, [NAME], days=30, logged=True)[0]
    record = probe(tls=tls(server, ISSUING.certificate), http=http(Date=date))
    watcher = Observer(LISTS["clean"], NOW + timedelta(days=365))
    verdict = judge_probe(parse_probe(record, "probe"), UPDATES, watcher)
    expected = Outcome.WRONG_CLOCK if moment == NOW else Outcome.EXPIRED
    assert verdict.outcome is expected


def intercepted(*issuers: Authority) -> dict[str, Any]:
    """Return the finding about interception of a PC whose TLS these authorities intercept."""
    server = certificate_of(issuers[0], [NAME])[0]
    chain = [server, *(issuer.certificate for issuer in issuers)]
    verdict = judge_probe(
        parse_probe(probe(tls=tls(*chain)), "probe"), UPDATES, Observer(LISTS["clean"], NOW)
    )
    route = Route(DIRECT, (), "")
    judgement = judge_interception({"updates": [(route, verdict)]}, [UPDATES], LISTS["clean"])
    return {
        "control": "reach.interception",
        "status": judgement.status.value,
        "reason": judgement.reason,
        "evidence": judgement.evidence,
    }


def test_short_lived_intermediates_below_one_root_are_one_device() -> None:
    """Zscaler's differ from PC to PC; on one the root is seen, on the other only below it."""
    root = Authority.root("Zscaler Root CA")
    above = root.intermediate("Zscaler Intermediate Root CA")
    first, second = above.intermediate("Zscaler (t)", days=14), above.intermediate("Zscaler (t)")
    hosts = {"a": [intercepted(first, above, root)], "b": [intercepted(second, above)]}
    (compared,) = compare(hosts)["b"]
    assert compared["evidence"]["elsewhere"]["same_issuer"] == ["a"]
    assert "cloud service" in compared["reason"]
    assert "and not of a single PC" in compared["reason"]


def test_scanners_with_a_key_of_their_own_are_looked_for_on_each_pc() -> None:
    hosts = {
        name: [intercepted(Authority.root("Avast Web/Mail Shield Root"))] for name in ("a", "b")
    }
    (compared,) = compare(hosts)["a"]
    assert compared["evidence"]["elsewhere"]["same_issuer"] == []
    assert "which may have a key of its own for each" in compared["reason"]
    assert "device of the network" not in compared["reason"]
