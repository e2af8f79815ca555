# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What is fuzzed: a parser, valid input for it, and the errors that it may raise.

Anything else that a parser raises, and a run that takes too long, is a finding.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import ssl
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

import certifi
import pycdlib
from ansible_collections.ets6.network.plugins.module_utils import hive_edit
from ansible_collections.ets6.network.plugins.module_utils.errors import ModuleError
from ansible_collections.ets6.network.plugins.module_utils.hive import Hive, HiveValue, check
from ansible_collections.ets6.network.plugins.module_utils.hive_log import replay
from ansible_collections.ets6.network.plugins.modules import windows_image
from ansible_collections.ets6.network.plugins.plugin_utils.controls import (
    Assessment,
    catalogue,
    request,
)
from ansible_collections.ets6.network.plugins.plugin_utils.errors import ETS6Error
from ansible_collections.ets6.network.plugins.plugin_utils.expression import compile_expression
from ansible_collections.ets6.network.plugins.plugin_utils.formats import (
    firewall_accounts,
    firewall_address,
    firewall_connection,
    firewall_rule,
    pe,
    winhttp,
    wininet,
)
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy import lists, pac
from ansible_collections.ets6.network.plugins.plugin_utils.reachability import chain
from ansible_collections.ets6.network.plugins.plugin_utils.report import document, reading
from ansible_collections.ets6.network.plugins.plugin_utils.report.formats import report_json
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.lab import hive, image, model
from tests.lab.pc import Pc

ERRORS = (ModuleError, ETS6Error)


@dataclass(frozen=True)
class Target:
    """parse raises nothing but ERRORS; valid returns input that it accepts."""

    name: str
    parse: Callable[[bytes], object]
    valid: Callable[[], bytes]


def _hive(data: bytes) -> None:
    found = Hive(data, "fuzz")
    check(found)


def _hive_edit(data: bytes) -> None:
    """Change two keys of a hive; whatever hivex makes of a damaged one, it is compared."""
    edits = [hive_edit.Edit("key 1\\new", "v", HiveValue("v", 1, b"v\0\0\0"))]
    edits.append(hive_edit.Edit("key 2", "x", None))
    hive_edit.edit(Hive(data, "fuzz"), edits, stored=data)


def _log(data: bytes) -> None:
    check(replay(hive.dirtied(_small_hive()), {"LOG1": data}, "fuzz"))


@cache
def _small_hive() -> bytes:
    keys = {
        f"key {number}": {"x": hive.dword(number), "t": hive.sz("ü" * number)}
        for number in range(20)
    }
    return hive.build(keys, name="SYSTEM")


def _valid_log() -> bytes:
    before = _small_hive()
    after = hive.build({"other": {"x": hive.dword(1)}}, name="SYSTEM")
    return hive.log(before, [hive.entry(7, before, after)], 7)


def _image(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "image")
        Path(path).write_bytes(data)
        windows_image.run(_options(path), False, work)


def _options(path: str) -> dict[str, Any]:
    """Return options of windows_image that read an image."""
    options: dict[str, Any] = {"path": path, "index": "", "operations": [], "restore": False}
    options |= {"registry": [{"path": "HKLM\\SYSTEM\\Select", "depth": 1}], "user_registry": []}
    return {**options, "files": ["*:\\ETS6\\ETS6N.exe"], "named_files": [], "programs": []}


@cache
def _disk(kind: str) -> bytes:
    """Return a small Windows image of a kind."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = image.folder(Pc("fuzz"), place / "folder")
        if kind in ("wim", "esd"):
            return image.wim({"Windows": folder}, place / kind, esd=kind == "esd").read_bytes()
        if kind == "iso":
            return _iso(image.wim({"Windows": folder}, place / "wim").read_bytes())
        volume = image.volume(folder, place / "volume", 8)
        if kind == "ntfs":
            return volume.read_bytes()
        form, options, gpt = _FORMS.get(kind, (kind, "", True))
        return image.disk(volume, place / "disk", form, options=options, gpt=gpt).read_bytes()


_FORMS = {
    "gpt": ("raw", "", True),
    "mbr": ("raw", "", False),
    "vmdk-stream": ("vmdk", "subformat=streamOptimized", True),
}
"""Kinds of disks: qemu's format, its options, and whether the partition table is GPT."""


def _iso(content: bytes) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, udf="2.60")
    iso.add_directory("/SOURCES", udf_path="/sources")
    name = "/sources/install.wim"
    iso.add_fp(io.BytesIO(content), len(content), "/SOURCES/INSTALL.WIM;1", udf_path=name)
    written = io.BytesIO()
    iso.write_fp(written)
    iso.close()
    return written.getvalue()


def _rule(data: bytes) -> None:
    firewall_rule.Rule.parse("fuzz", data.decode("utf-16-le", "replace"))


def _wininet(data: bytes) -> None:
    wininet.ConnectionSettings.parse(data)


def _winhttp(data: bytes) -> None:
    winhttp.WinHttpSettings.parse(data)


def _connection_rule(data: bytes) -> None:
    firewall_connection.ConnectionRule.parse("fuzz", data.decode("utf-16-le", "replace"))


def _accounts(data: bytes) -> None:
    firewall_accounts.account_words(data.decode("utf-8", "replace"))


def _address(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        firewall_address.span(data.decode("utf-8", "replace"))


def _proxy_lists(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    lists.bypass_entry(text, "https", "update.knx.org", 443, "example.org")
    lists.without_logins(text)
    lists.server_for(text, "https")


def _pac_answer(data: bytes) -> None:
    pac.parse_answer(data.decode("utf-8", "replace"))


def _certificate(data: bytes) -> None:
    chain.examine_chain([data, _valid_certificate()], [data], "update.knx.org", _NOW, ())


_NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@cache
def _valid_certificate() -> bytes:
    """Return a root of the public ones."""
    bundle = Path(certifi.where()).read_text(encoding="utf-8")
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(start + bundle.partition(start)[2].partition(end)[0] + end)


def _snapshot(data: bytes) -> None:
    try:
        raw = json.loads(data)
    except (UnicodeError, ValueError, RecursionError):
        return
    Snapshot.from_wire(raw)


@cache
def _valid_snapshot() -> bytes:
    """Return what windows_image reads of an image, as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = image.folder(Pc("fuzz"), Path(name) / "folder")
        packed = windows_image.run(_options(str(folder)), False, name)["snapshot"]
    return gzip.decompress(base64.b64decode(packed))


def _judged(data: bytes) -> None:
    """Judge a PC that sends this: whatever it holds, each control has a finding."""
    try:
        raw = json.loads(data)
    except (UnicodeError, ValueError, RecursionError):
        return
    policy = Policy()
    findings = Assessment(Snapshot.from_wire(raw), policy).findings
    assert len(findings) == len(catalogue(policy))


@cache
def _valid_reply() -> bytes:
    pc = Pc("fuzz")
    pc.allow_all()
    pc.user_proxy(3, "proxy.example:8080", "<local>")
    asked = {**request(Policy()), "probes": []}
    return gzip.decompress(base64.b64decode(model.answer(pc, asked)["snapshot"]))


def _report(data: bytes) -> None:
    reading.check(data.decode("utf-8", "replace"), "fuzz")


@cache
def _valid_report() -> bytes:
    run: Any = {
        "ended": "2026-01-01T00:00:00Z",
        "mode": "verify",
        "pending": ["pc"],
        "variables": {},
    }
    run |= dict.fromkeys(("user", "controller", "job", "playbook", "limit"), "x")
    run |= dict.fromkeys(("collection", "ansible", "python"), "1.0.0")
    built = document.build(run, (), (), (), ("low",))
    return report_json.render(built).encode()


def _expression(data: bytes) -> None:
    expression = compile_expression(data.decode("utf-8", "replace"), "fuzz")
    expression.decide(json.loads(_valid_reply()), "it")


EXPRESSION = (
    "!(files[?size > `1`] | length(@) == `0`) && contains(host.name, 'f') || "
    "version_cmp(host.os, '10.0.19045') >= `0`"
)


def _program() -> bytes:
    """Return the head of a .NET program: PE32, with a section for its CLI header."""
    head = bytearray(1024)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 128)
    struct.pack_into("<4sHH12xHH", head, 128, b"PE\0\0", 0x14C, 1, 224, 0x102)
    struct.pack_into("<H", head, 152, 0x10B)
    struct.pack_into("<II", head, 152 + 96 + 8 * 14, 0x2008, 72)
    struct.pack_into("<8sIIII", head, 152 + 224, b".text", 0x1000, 0x2000, 0x1000, 0x200)
    struct.pack_into("<I", head, 0x200 + 8 + 16, 1)
    return bytes(head)


CONNECTION_RULE = (
    "v2.30|Action=SecureServer|Active=TRUE|Protocol=6|Profile=Domain|Name=ETS6|"
    "Auth1Set={E5A5D32D-4BCE-4D7D-B07F-4AB1BA7E5FE3}|"
)
ACCOUNTS = "O:LSD:(A;;CC;;;S-1-5-21-1-2-3-1001)(D;;CC;;;BA)"
RULE = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|App=C:\\ETS6\\ETS6N.exe|Name=ETS6|"
"""A valid rule (MS-GPFAS 2.2.2)."""

KINDS = (
    "wim",
    "esd",
    "iso",
    "ntfs",
    "gpt",
    "mbr",
    "qcow2",
    "vhdx",
    "vpc",
    "vmdk",
    "vmdk-stream",
    "vdi",
)
TARGETS = [
    Target("hive", _hive, _small_hive),
    Target("hive-edit", _hive_edit, _small_hive),
    Target("hive-log", _log, _valid_log),
    *(Target(kind, _image, partial(_disk, kind)) for kind in KINDS),
    Target("firewall-rule", _rule, lambda: RULE.encode("utf-16-le")),
    Target("firewall-connection", _connection_rule, lambda: CONNECTION_RULE.encode("utf-16-le")),
    Target("firewall-accounts", _accounts, ACCOUNTS.encode),
    Target("firewall-address", _address, lambda: b"fe80::1-fe80::ffff"),
    Target("proxy-lists", _proxy_lists, lambda: b"http=a.example:80;https=user:secret@[::1]:8080"),
    Target("pac-answer", _pac_answer, lambda: b"PROXY a.example:8080; SOCKS b:1; DIRECT"),
    Target("certificate", _certificate, _valid_certificate),
    Target("program", pe.bitness_on_64_bit_windows, _program),
    Target("snapshot", _snapshot, _valid_snapshot),
    Target("reply", _judged, _valid_reply),
    Target("report", _report, _valid_report),
    Target("expression", _expression, EXPRESSION.encode),
    Target("wininet", _wininet, lambda: struct.pack("<IIIIII", 70, 1, 3, 0, 0, 0) + bytes(32)),
    Target("winhttp", _winhttp, lambda: struct.pack("<IIIII", 24, 0, 1, 0, 0) + bytes(4)),
]
