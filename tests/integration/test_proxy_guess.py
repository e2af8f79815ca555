# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxies of ETS6: the controller, windows_host's guess in both dialects, and the model agree on every case."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils import controls
from ansible_collections.ets6.network.plugins.plugin_utils.policy.variables import Policy
from ansible_collections.ets6.network.plugins.plugin_utils.proxy.context import ProxyContext
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot

from tests.integration.debian import need
from tests.integration.proxy_cases import CASES, Case
from tests.lab import model
from tests.lab.pc import Pc
from tests.lab.script import ROOT, find_pwsh

SOURCE = ROOT / "plugins" / "module_utils" / "_ETS6Host.psm1"
SCRIPT = Path(__file__).with_name("proxy_guess.ps1")
EXPECTED = {case.name: case.proxies for case in CASES}


def _policy(case: Case) -> Policy:
    vendor = {endpoint.name: {"enabled": False} for endpoint in Policy.from_variables({}).endpoints}
    return Policy.from_variables({"endpoints": {**vendor, "asked": {"url": case.url}}})


def _answer(case: Case) -> str:
    pc = Pc("pc-proxies", rule_count=0)
    case.pc(pc)
    request = {**controls.request(_policy(case)), "probes": []}
    return str(model.answer(pc, request)["snapshot"])


def _unpacked(packed: str) -> Mapping[str, Any]:
    return dict(json.loads(gzip.decompress(base64.b64decode(packed))))


def test_the_controller_decides_so() -> None:
    decided = {}
    for case in CASES:
        context = ProxyContext(Snapshot.unpack(_answer(case)), _policy(case))
        decided[case.name] = tuple(
            route.proxy for route in context.routes["asked"] if route.proxy is not None
        )
    assert decided == EXPECTED


def test_the_model_guesses_so() -> None:
    guessed = {}
    for case in CASES:
        read = _unpacked(_answer(case))
        guessed[case.name] = tuple(model.guess_proxies(read["registry"], read["users"], case.url))
    assert guessed == EXPECTED


@pytest.mark.parametrize("dialect", ["5.1", "7"])
def test_windows_host_guesses_so(tmp_path: Path, dialect: str) -> None:
    pwsh = find_pwsh()
    if pwsh is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    file = tmp_path / "cases.json"
    cases = [{"url": case.url, "snapshot": _unpacked(_answer(case))} for case in CASES]
    file.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    command = [
        str(pwsh),
        "-NoProfile",
        "-NonInteractive",
        "-File",
        str(SCRIPT),
        "-Source",
        str(SOURCE),
        "-File",
        str(file),
    ]
    environment = {**os.environ, "PWSH_DIALECT": dialect}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lists = [tuple(proxies) for proxies in json.loads(done.stdout)]
    assert dict(zip(EXPECTED, lists, strict=True)) == EXPECTED
