# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What ``-vvv`` prints of secrets, over each connection: a script's query, a proxy's login, and what came out of a vault."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.debian import find
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import play
from tests.lab.script import find_pwsh
from tests.lab.wsman import PASSWORD

SCRIPT = "Pac-4711-token"
"""The query of a script's address that a PC has."""
LOGIN = "Proxy-4712-password"
"""The login of a proxy that a PC has."""
NEW_SCRIPT = "Vault-4713-token"
"""The query of the script that is to be set. It comes out of a vault, by a template."""
REASON = "Vault-4714-reason"
"""The reason of a waiver, out of a vault. Reports are there to show it."""


def members(network: Network) -> list[fleet.Member]:
    there = {"winrm": True, "ssh": find("sshd") is not None, "psrp": find_pwsh() is not None}
    built = []
    for transport in (name for name, is_there in there.items() if is_there):
        script = fleet.drifted(f"pc-script-{transport}", network)
        script.pc.user_proxy(5, pac_url=f"http://127.0.0.1:1/x.pac?t={SCRIPT}")
        login = fleet.drifted(f"pc-login-{transport}", network)
        login.pc.user_proxy(3, f"http://jane:{LOGIN}@127.0.0.1:1")
        for member in (script, login):
            member.transport = transport
            built.append(member)
    return built


def unpacked(text: str) -> str:
    """Return the replies of PCs that are in a text, packed as windows_host sends them."""
    replies = []
    for packed in re.findall(r"H4sI[A-Za-z0-9+/=]{100,}", text):
        replies.append(gzip.decompress(base64.b64decode(packed)).decode())
    return "\n".join(replies)


def vaulted(secret: str, key: Path) -> str:
    program = Path(sys.executable).with_name("ansible-vault")
    words = [program, "encrypt_string", "--vault-password-file", key, secret]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.rstrip()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what a run with -vvv prints, and each file of its report."""
    key = tmp_path_factory.mktemp("vault") / "key"
    key.write_text("key\n")
    with Lab(members, scripts=False) as lab:
        (lab.inventory / "group_vars" / "pcs.yml").write_text(f"""---
script_key: {vaulted(NEW_SCRIPT, key)}
lab_password: {vaulted(PASSWORD, key)}
waiver_reason: {vaulted(REASON, key)}
ansible_password: "{{{{ lab_password }}}}"
ets6_network_proxy:
  mode: pac
  pac_url: "http://127.0.0.1:1/new.pac?key={{{{ script_key }}}}"
  scope: users
ets6_network_waivers:
  - control: firewall.rule.*
    hosts: [pc-nowhere]
    reason: "{{{{ waiver_reason }}}}"
    owner: jane
    expires: 2099-01-01
""")
        for file in (lab.inventory / "host_vars").glob("*.yml"):
            lines = file.read_text().splitlines()
            own = [line for line in lines if not line.startswith("ansible_password")]
            file.write_text("\n".join([*own, ""]))
        words = ("-vvv", "--diff", "--vault-password-file", str(key))
        played = play(lab, "playbooks/ets6-network.yml", *words)
        files = {file.name: file.read_text() for file in (lab.folder / "report").iterdir()}
        for member in lab.members.values():
            assert NEW_SCRIPT in json.dumps(member.pc.state), "it was set"
    output = played.output + played.errors
    assert played.statuses().keys() == lab.members.keys()
    return {"the output": output, "replies in the output": unpacked(output), **files}


@pytest.mark.parametrize("secret", [SCRIPT, LOGIN, NEW_SCRIPT, PASSWORD])
def test_no_secret_is_printed_or_reported(texts: dict[str, str], secret: str) -> None:
    assert [name for name, text in texts.items() if secret in text] == []


def test_the_output_is_that_of_three_times_verbose(texts: dict[str, str]) -> None:
    output = texts["the output"]
    assert "127.0.0.1:1/new.pac?…" in output, "what hides is seen"
    assert output.count("(via pipeline wrapper)") >= 4
    # What vault cannot hide: docs/security.md says so.
    assert REASON in texts["report.json"]
