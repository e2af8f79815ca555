# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a chain of certificates proves, with hierarchies made for the test."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.certificate import (
    CertificateError,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.chain import (
    ChainReport,
    Root,
    examine_chain,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.products import (
    PRODUCTS,
    find_product,
)
from ansible_collections.ets6.network.plugins.plugin_utils.reachability.roots import public_roots
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.reachability.build import (
    ISSUING,
    NAME,
    NOW,
    PUBLIC,
    ROOTS,
    der,
    leaf,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from tests.lab.certificates import Authority, certificate_of, stamps


def judged(
    chain: Sequence[x509.Certificate],
    built: Sequence[x509.Certificate] = (),
    host: str = NAME,
    now: datetime = NOW,
) -> ChainReport:
    return examine_chain(der(*chain), der(*built), host, now, ROOTS)


def test_the_vendors_own_chain_is_genuine() -> None:
    found = judged([leaf(logged=True), ISSUING.certificate])
    assert found.genuine
    assert (found.root, found.complete, found.verified, found.weak_signs) == (
        Root.PUBLIC,
        True,
        True,
        (),
    )
    assert found.timestamps == 2


def test_a_root_that_is_sent_along_and_the_wrong_order_do_no_harm() -> None:
    assert judged([leaf(), PUBLIC.certificate, ISSUING.certificate]).genuine


def test_a_chain_that_only_the_pc_could_complete_is_public_and_incomplete() -> None:
    found = judged([leaf(logged=True)], built=[leaf(), ISSUING.certificate, PUBLIC.certificate])
    assert (found.root, found.complete, found.genuine) == (Root.PUBLIC, False, True)


def test_a_private_root_that_only_the_pc_knows_is_proof() -> None:
    inspector = Authority.root("Company Inspection CA")
    alone = leaf(inspector)
    assert judged([alone]).root is Root.ABSENT
    found = judged([alone], built=[alone, inspector.certificate])
    assert (found.root, found.issuer) == (Root.PRIVATE, "CN=Company Inspection CA")


def test_a_root_of_a_public_ones_name_is_not_it() -> None:
    impostor = Authority.root("Public Root")
    found = judged([leaf(impostor), impostor.certificate])
    assert (found.root, found.genuine) == (Root.PRIVATE, False)


def test_who_owns_a_public_leaf_cannot_sign_for_the_vendor() -> None:
    own, key = certificate_of(ISSUING, ["shop.example"])
    false = Authority(own, key, (own, ISSUING.certificate))
    found = judged([leaf(false), own, ISSUING.certificate])
    assert found.root is Root.ABSENT
    assert not found.genuine


def test_an_issuer_that_has_run_out_is_public_but_breaks_the_rules() -> None:
    old = PUBLIC.intermediate("Old CA", days=30, started=60)
    found = judged([leaf(old), old.certificate])
    assert (found.root, found.verified, found.expired, found.genuine) == (
        Root.PUBLIC,
        False,
        False,
        False,
    )


def test_dates_hide_nothing_else() -> None:
    """A validator that looks at all at once would say expired and no more."""
    inspector = Authority.root("Company Inspection CA")
    found = judged([leaf(inspector, names=["other.example"], started=100), inspector.certificate])
    assert (found.root, found.expired, found.name_matches) == (Root.PRIVATE, True, False)
    ours = judged([leaf(started=100), ISSUING.certificate])
    assert (ours.root, ours.expired, ours.verified) == (Root.PUBLIC, True, True)


def test_a_certificate_of_the_last_second_that_there_is_is_not_yet_valid() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
    certificate = leaf()
    builder = x509.CertificateBuilder(
        issuer_name=certificate.issuer,
        subject_name=certificate.subject,
        public_key=certificate.public_key(),
        serial_number=1,
        not_valid_before=last,
        not_valid_after=last,
    )
    report = judged([builder.sign(ISSUING.key, hashes.SHA256()), ISSUING.certificate])
    assert (report.root, report.not_yet_valid) == (Root.PUBLIC, True)


@pytest.mark.parametrize(("name", "host", "matches"), [
    ("update.knx.org", "UPDATE.KNX.ORG.", True),
    ("*.knx.org", "update.knx.org", True),
    ("*.knx.org", "knx.org", False),
    ("*.knx.org", "a.update.knx.org", False),
    ("*.org", "knx.org", True),
    ("knx.org", "update.knx.org", False),
])  # fmt: skip
def test_a_wildcard_stands_for_one_label(name: str, host: str, matches: bool) -> None:
    assert judged([leaf(names=[name]), ISSUING.certificate], host=host).name_matches is matches


@pytest.mark.parametrize(("name", "host", "matches"), [
    ("192.0.2.7", "192.0.2.7", True),
    ("192.0.2.7", "192.0.2.8", False),
    ("2001:db8::7", "2001:0db8:0::7", True),
    ("*.0.2.7", "192.0.2.7", False),
])  # fmt: skip
def test_a_server_that_is_named_by_its_address_has_a_certificate_for_it(
    name: str, host: str, matches: bool
) -> None:
    found = judged([leaf(names=[name]), ISSUING.certificate], host=host)
    assert (found.name_matches, found.genuine) == (matches, matches)


@pytest.mark.parametrize(("made", "count"), [
    ([(b"one", -1), (b"two", -1)], 2),
    ([(b"one", -1), (b"one", -1)], 1),
    ([(b"one", -1), (b"two", -90)], 1),
    ([(b"one", -1), (b"two", 30)], 1),
    ([], 0),
])  # fmt: skip
def test_only_stamps_of_several_logs_at_the_time_of_issue_count(
    made: list[tuple[bytes, int]], count: int
) -> None:
    """Whoever copies a certificate's stamps into one of his own cannot copy their time."""
    stamped = stamps(*((log, NOW + timedelta(days=days)) for log, days in made))
    found = judged([certificate_of(ISSUING, [NAME], more=[stamped])[0], ISSUING.certificate])
    assert found.timestamps == count
    assert any("timestamps" in sign for sign in found.weak_signs) is (count < 2)


@pytest.mark.parametrize(("issued", "days", "too_long"), [
    ("2025-06-01", 398, False), ("2025-06-01", 399, True), ("2026-06-01", 200, False), ("2026-06-01", 201, True),
])  # fmt: skip
def test_a_life_longer_than_public_ones_is_a_weak_sign(
    issued: str, days: int, too_long: bool
) -> None:
    started = (NOW - datetime.fromisoformat(f"{issued}T00:00:00+00:00")).days
    assert (
        any("valid for" in sign for sign in judged([leaf(days=days, started=started)]).weak_signs)
        is too_long
    )


def test_issuers_are_told_apart_by_their_keys_and_not_by_their_names() -> None:
    one, other = Authority.root("Same Name"), Authority.root("Same Name")
    first, again, second = (judged([leaf(authority)]).issuer_ids for authority in (one, one, other))
    assert first == again != second


@pytest.mark.parametrize(("chain", "message"), [
    ([], "no certificate"),
    ([b""], "the server's certificate cannot be read"),
    ([b"\x30\x03\x02\x01\x01"], "the server's certificate cannot be read"),
    ([bytes(70_000)], "longer than 65536 bytes"),
])  # fmt: skip
def test_what_is_not_a_chain_is_refused_in_words(chain: list[bytes], message: str) -> None:
    with pytest.raises(CertificateError, match=message):
        examine_chain(chain, [], NAME, NOW, ROOTS)


def test_what_is_odd_above_the_servers_certificate_hides_nothing() -> None:
    chain = der(leaf(ISSUING), ISSUING.certificate)
    for more in ([b"!!"], [b"\0"] * 30, [b""]):
        assert examine_chain([*chain, *more], [], NAME, NOW, ROOTS).genuine


@pytest.mark.parametrize("moment", [10**15, 2**64 - 1])
def test_a_stamp_of_a_year_that_no_calendar_has_does_not_count(moment: int) -> None:
    stamp = struct.pack(">B32sQHBBH", 0, b"log".ljust(32), moment, 0, 4, 3, 0)
    listed = struct.pack(">H", len(stamp)) + stamp
    octets = struct.pack(">H", len(listed)) + listed
    extension = x509.UnrecognizedExtension(
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, b"\x04" + bytes([len(octets)]) + octets
    )
    private = Authority.root("Inspector")
    report = examine_chain(
        der(certificate_of(private, [NAME], more=[extension])[0]),
        der(private.certificate),
        NAME,
        NOW,
        ROOTS,
    )
    assert (report.root, report.timestamps) == (Root.PRIVATE, 0)


def test_a_circle_of_issuers_comes_to_an_end() -> None:
    a = Authority.root("A")
    b = Authority.root("B")
    by_b = certificate_of(b, [], authority=True, name="A", key=a.key)[0]
    by_a = certificate_of(a, [], authority=True, name="B", key=b.key)[0]
    assert judged([leaf(a), by_b, by_a]).root is Root.ABSENT


def test_control_characters_of_an_issuer_stay_out_of_reports() -> None:
    found = judged([leaf(Authority.root("Evil\x1b[2J\nCA"))])
    assert "\x1b" not in found.issuer
    assert "\n" not in found.issuer


def test_bundles_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"ets6_network_public_roots: .*nowhere"):
        public_roots(str(tmp_path / "nowhere.pem"))
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(CertificateError, match=r"no\.pem"):
        public_roots(str(tmp_path / "no.pem"))


def test_certifis_roots_are_the_default() -> None:
    assert len(public_roots("").certificates) > 50
    assert judged([leaf(), ISSUING.certificate]).root is Root.PUBLIC
    assert (
        examine_chain(
            der(leaf(), ISSUING.certificate), [], NAME, NOW, public_roots("").certificates
        ).root
        is Root.ABSENT
    )


@pytest.mark.parametrize(("issuer", "name"), [
    ("CN=FG3H1E5818900000,O=Fortinet,C=US", "Fortinet FortiGate"),
    ("CN=avast! Web/Mail Shield Root", "Avast"),
    ("CN=Zscaler Intermediate Root CA (zscalerthree.net),O=Zscaler Inc.", "Zscaler"),
    ("CN=ca.acme.goskope.com,O=Acme", "Netskope"),
    ("CN=mitmproxy,O=mitmproxy", "mitmproxy"),
    ("CN=Cisco Secure Access Secondary SubCA p-aps111-SG,O=Cisco", "Cisco Secure Access"),
    ("CN=Kaspersky Web Anti-Virus Certification Authority,O=AO Kaspersky Lab", "Kaspersky"),
    ("CN=Norton Web/Mail Shield Self-signed Root,O=Norton Web/Mail Shield", "Norton"),
    ("CN=Avast Web/Mail Shield Untrusted Root", "Avast"),
    ("CN=Cisco Root CA 2048,O=Cisco Systems", ""),
    ("CN=R11,O=Let's Encrypt,C=US", ""),
])  # fmt: skip
def test_products_are_known_by_their_names(issuer: str, name: str) -> None:
    product = find_product(issuer)
    assert (product.name if product else "") == name
    assert all(product.words == product.words.lower() for product in PRODUCTS)
