# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs that are not reached, each for a reason of its own, with real pywinrm, pypsrp and ssh: where they stand in the report."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ets6.network.plugins.plugin_utils.report import unreachable

from tests.integration.debian import need
from tests.lab import fleet
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.play import ROOT, Played
from tests.lab.play import run as lab_run
from tests.lab.wsman import PASSWORD

VERIFY = "playbooks/verify.yml"
WINRM = {
    "ansible_connection": "winrm",
    "ansible_winrm_scheme": "http",
    "ansible_winrm_transport": "ntlm",
}
WINRM_TLS = {**WINRM, "ansible_winrm_scheme": "https", "ansible_winrm_transport": "basic"}
PSRP = {
    "ansible_connection": "psrp",
    "ansible_psrp_protocol": "http",
    "ansible_psrp_auth": "ntlm",
}
PSRP_TLS = {**PSRP, "ansible_psrp_protocol": "https", "ansible_psrp_auth": "basic"}
SSH = {
    "ansible_connection": "ssh",
    "ansible_shell_type": "powershell",
    "ansible_password": None,
}
SHORT_TIMEOUTS: dict[str, dict[str, Any]] = {
    "winrm": {
        "ansible_winrm_connection_timeout": None,
        "ansible_winrm_operation_timeout_sec": 1,
        "ansible_winrm_read_timeout_sec": 3,
    },
    "psrp": {
        "ansible_psrp_connection_timeout": 3,
        "ansible_psrp_operation_timeout": 1,
        "ansible_psrp_read_timeout": 3,
    },
    "ssh": {"ansible_timeout": 3},
}
"""For hosts that never answer. The others keep the defaults: a busy machine makes them slow, too."""
KINDS = {"winrm": WINRM, "psrp": PSRP, "ssh": SSH}

NAME = "the name is not resolved"
CERTIFICATE = "the certificate is not trusted"
LOGIN = "user or password is wrong"
REFUSED = "the connection is refused"
SILENT = "it accepts the connection and does not answer"
AWAY = "switched off, or not in this network"
ENDED = "the connection ended half-way"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    def build(network: Network) -> list[fleet.Member]:
        members = [fleet.compliant(f"pc-{name}", network) for name in ("right", "denies", "drops")]
        members[1].fault, members[2].fault = "denies access", "drops half-way"
        return members

    with Lab(build, scripts=False) as running:
        yield running


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports that refuse, take no connection any more, say nothing, and hang up; and one of a real SSH server that refuses every login."""
    with contextlib.ExitStack() as stack:
        full, silent, hangs_up = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _number in range(3)
        )
        silent.listen(64)
        hangs_up.listen(64)
        # Linux lets one more wait than the backlog says.
        for _number in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(full.getsockname())
        threading.Thread(target=_hang_up, args=(hangs_up,), daemon=True).start()
        # Bound, so that no other program takes it; but it does not listen.
        closed = stack.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))
        named = {"closed": closed, "full": full, "silent": silent, "hangs up": hangs_up}
        yield {
            "sshd": stack.enter_context(_sshd(tmp_path_factory.mktemp("sshd"))),
            **{name: one.getsockname()[1] for name, one in named.items()},
        }


def _hang_up(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _address = listener.accept()
            connection.recv(1)
            connection.close()


@contextlib.contextmanager
def _sshd(folder: Path) -> Iterator[int]:
    sshd = need("sshd", "openssh-server")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'key.pub').read_text()}")
    words = ["ListenAddress=127.0.0.1", f"Port={port}", f"HostKey={folder / 'key'}", "PidFile=none", "AuthorizedKeysFile=none",
             "PasswordAuthentication=no", "KbdInteractiveAuthentication=no"]  # fmt: skip
    options = [part for word in words for part in ("-o", word)]
    server = subprocess.Popen(
        [sshd, "-D", "-e", "-f", os.devnull, *options], stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        assert "listening" in server.stderr.readline()
        SSH["ansible_ssh_common_args"] = (
            f"-o UserKnownHostsFile={folder / 'known_hosts'} -o GlobalKnownHostsFile=none"
        )
        yield port
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def hosts(lab: Lab, ports: dict[str, int]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each host's heading in the report, and its variables."""
    http, https = lab.endpoint.http.port, lab.endpoint.https.port
    wrong = {"ansible_user": "pc-right", "ansible_password": "wrong"}
    trusted = {
        "ansible_winrm_ca_trust_path": str(lab.network.winrm_ca), "ansible_psrp_ca_cert": str(lab.network.winrm_ca), "ansible_host": "localhost"
    }  # fmt: skip
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for kind, variables in KINDS.items():
        found[f"{kind}-closed"] = (REFUSED, {**variables, "ansible_port": ports["closed"]})
        found[f"{kind}-hangs-up"] = (ENDED, {**variables, "ansible_port": ports["hangs up"]})
        impatient = {**variables, **SHORT_TIMEOUTS[kind]}
        found[f"{kind}-full"] = (AWAY, {**impatient, "ansible_port": ports["full"]})
        found[f"{kind}-silent"] = (SILENT, {**impatient, "ansible_port": ports["silent"]})
        found[f"{kind}-nowhere"] = (
            NAME,
            {**variables, "ansible_port": http, "ansible_host": "no-such-host.invalid"},
        )
    for kind, variables, over_tls in (("winrm", WINRM, WINRM_TLS), ("psrp", PSRP, PSRP_TLS)):
        found[f"{kind}-wrong-ntlm"] = (LOGIN, {**variables, **wrong, "ansible_port": http})
        found[f"{kind}-wrong-basic"] = (
            LOGIN,
            {**over_tls, **wrong, **trusted, "ansible_port": https},
        )
        found[f"{kind}-issuer"] = (
            CERTIFICATE,
            {**over_tls, "ansible_host": "localhost", "ansible_port": https},
        )
        found[f"{kind}-name"] = (
            CERTIFICATE,
            {**over_tls, **trusted, "ansible_host": "127.0.0.1", "ansible_port": https},
        )
        found[f"{kind}-tls"] = ("TLS fails", {**over_tls, "ansible_port": http})
        found[f"{kind}-denied"] = (
            "the user may not log on",
            {**variables, "ansible_user": "pc-denies", "ansible_port": http},
        )
        found[f"{kind}-drops"] = (
            ENDED,
            {**variables, "ansible_user": "pc-drops", "ansible_port": http},
        )
    found["ssh-wrong"] = (LOGIN, {**SSH, "ansible_port": ports["sshd"]})
    host_key = "the SSH host key is not known, or has changed"
    strangers = {
        "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=none"
    }
    found["ssh-stranger"] = (host_key, {**SSH, **strangers, "ansible_port": ports["sshd"]})
    found["no-user"] = (
        "ansible_user is empty",
        {**WINRM, "ansible_user": "{{ lookup('ansible.builtin.env', 'NO_SUCH_USER') }}"},
    )
    login = {"ansible_user": "pc-right", "ansible_password": PASSWORD}
    return {name: (heading, {**login, **variables}) for name, (heading, variables) in found.items()}


def run(
    lab: Lab,
    folder: Path,
    variables: dict[str, dict[str, Any]],
    *words: str,
    playbook: str = VERIFY,
) -> Played:
    """Run a playbook on these hosts, which are in an inventory of their own."""
    hosts = {name: {"ansible_host": "127.0.0.1", **host} for name, host in variables.items()}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    words = (
        "-i",
        str(folder / "hosts.yml"),
        "-e",
        '{"ets6_network_formats": ["html", "markdown"]}',
        *words,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".ansible/collections"))
        return lab_run(str(ROOT / playbook), *words, reports=folder / "report")


def test_every_pc_stands_under_the_reason_why_it_was_not_reached(
    lab: Lab, hosts: dict[str, tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    played = run(lab, tmp_path, {name: variables for name, (_heading, variables) in hosts.items()})
    grouped = {group.title: set(group.hosts) for group in unreachable.groups(played.report)}
    wanted: dict[str, set[str]] = {}
    for name, (heading, _variables) in hosts.items():
        # A race of Ansible with ssh, which is quick to end where a port is closed.
        lost = name.startswith("ssh-") and "[Errno 32] Broken pipe" in played.host(name)["reason"]
        wanted.setdefault(unreachable.SSH_GONE if lost else heading, set()).add(name)
    assert grouped == wanted, {host["name"]: host["reason"] for host in played.report["hosts"]}
    headings = {title for title, _remedy, _pattern in unreachable.TABLE}
    assert headings - {unreachable.SSH_GONE} <= set(grouped), "every row of the table was met"
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert f"<h3>{len(hosts)} hosts not reached</h3>" in page
    assert "Set the environment variable NO_SUCH_USER, which ansible_user is read from." in page
    assert all(page.count(f"{title[:1].upper()}{title[1:]}") == 1 for title in grouped)
    lines = played.output.splitlines()
    first = lines.index(next(line for line in lines if line.startswith("ets6.network: ")))
    closing = lines[
        first : next(at for at, line in enumerate(lines) if line.startswith("report: ")) + 1
    ]
    assert len(closing) <= 12
    assert len([line for line in closing if line.startswith("not reached, ")]) == 4


def test_where_no_pc_can_be_connected_to_nothing_is_begun(lab: Lab, tmp_path: Path) -> None:
    user = {"ansible_user": "{{ lookup('ansible.builtin.env', 'NO_SUCH_USER') }}"}
    variables = {
        **WINRM,
        **user,
        "ansible_password": PASSWORD,
        "ansible_port": lab.endpoint.http.port,
    }
    played = run(lab, tmp_path, {f"pc-{number}": variables for number in range(5)})
    said = "ansible_user is empty. Set the environment variable NO_SUCH_USER, which ansible_user is read from. (pc-0, pc-1, pc-2, pc-3, pc-4)"
    assert played.code == 2
    assert played.report["run"]["fails_because"] == [
        "Not run: no host can be connected to.",
        said,
    ]
    assert played.report["run"]["verdict"] == "no host was judged"
    assert "do not comply" not in played.output
    assert "UNREACHABLE" not in played.output


def test_what_a_connection_lacks_is_said_once_for_the_pc_and_once_for_the_run(
    lab: Lab, tmp_path: Path
) -> None:
    hosts = {"pc-lacks": {**complete(lab), "ansible_user": ""}, "pc-away": {**complete(lab)}}
    hosts["pc-away"].update(ansible_user="pc-right", ansible_port=9)
    played = run(lab, tmp_path, hosts, "-e", "ansible_password=lab")
    assert played.statuses() == {"pc-away": "unreachable", "pc-lacks": "unreachable"}
    text = " ".join(played.output.split())
    assert text.count("ansible_user is empty") == 2, text
    assert text.count("Connection refused") == 1, text
    assert "pc-lacks: Not reached: no connection was tried" in text


def complete(lab: Lab) -> dict[str, Any]:
    """Return the variables of a PC that complies, but for the login."""
    roots = {"ets6_network_public_roots": str(lab.network.roots)}
    return {
        **WINRM,
        **lab.members["pc-right"].variables,
        **roots,
        "ansible_port": lab.endpoint.http.port,
    }


@pytest.mark.parametrize(
    "words",
    [("-u", "pc-right"), ("-e", "ansible_user=pc-right"), ("-e", "ansible_winrm_user=pc-right")],
)
def test_a_user_of_the_command_line_is_enough(
    lab: Lab, tmp_path: Path, words: tuple[str, ...]
) -> None:
    played = run(lab, tmp_path, {"pc": {**complete(lab), "ansible_password": PASSWORD}}, *words)
    assert (played.code, played.statuses()) == (0, {"pc": "pass"}), played.output


def test_a_users_own_play_may_say_the_login(lab: Lab, tmp_path: Path) -> None:
    login = {"ansible_user": "pc-right", "ansible_password": PASSWORD}
    (tmp_path / "site.yml").write_text(
        yaml.safe_dump([{"ansible.builtin.import_playbook": "ets6.network.verify", "vars": login}])
    )
    played = run(lab, tmp_path, {"pc": complete(lab)}, playbook=str(tmp_path / "site.yml"))
    assert (played.code, played.statuses()) == (0, {"pc": "pass"}), played.output
