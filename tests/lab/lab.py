# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The lab as a whole: a network, a WinRM endpoint and an SSH server, PCs behind them, and an inventory for Ansible."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.lab import faults, fleet, model, psrp, reg, script
from tests.lab.network import Network
from tests.lab.program import Stoppable
from tests.lab.ssh import SshServer
from tests.lab.wsman import PASSWORD, Endpoint, module_arguments

MODULE = "ansible_collections.ets6.network.plugins.modules.windows_host.ps1"


class Lab(Stoppable):
    """A running lab. Its folder holds the inventory, the certificates and the PCs' states; it goes when the lab stops."""

    def __init__(
        self, build: Callable[[Network], list[fleet.Member]] = fleet.members, scripts: bool = True
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ets6-lab-"))
        self.network = Network(self.folder)
        self.members = {member.pc.name: member for member in build(self.network)}
        self.pwsh = script.find_pwsh() if scripts else None
        if self.pwsh:
            for name, dialect in fleet.ANSWERED_BY_SCRIPT.items():
                if name in self.members:
                    self.members[name].dialect = dialect or "7"
        for member in self.members.values():
            if member.transport == "psrp":
                member.dialect = member.dialect or "7"
        self._locks = {name: threading.Lock() for name in self.members}
        self._executions: Counter[str] = Counter()
        wrong = {name: member.fault for name, member in self.members.items()}
        self.endpoint = Endpoint(
            self._execute,
            psrp.Shells(self._engine),
            wrong,
            list(self.members),
            self.network.winrm_pem,
        )
        over_ssh = [name for name, member in self.members.items() if member.transport == "ssh"]
        self.ssh = (
            SshServer(self._execute, wrong, over_ssh, self.folder / "ssh") if over_ssh else None
        )
        self.inventory = self.folder / "inventory"
        self._write_inventory()
        self.save()

    def stop(self) -> None:
        """Stop everything and remove the folder."""
        self.endpoint.stop()
        if self.ssh:
            self.ssh.stop()
        self.network.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        """Write every PC's state into the folder, for readers of other processes."""
        (self.folder / "pcs").mkdir(exist_ok=True)
        for name, member in self.members.items():
            member.pc.save(self.folder / "pcs" / f"{name}.json")

    def registries(self) -> dict[str, str]:
        """Return every PC's registry as text, to be compared."""
        return {
            name: json.dumps(member.pc.state["registry"], sort_keys=True)
            for name, member in self.members.items()
        }

    def _execute(self, name: str, line: str, data: bytes) -> tuple[bytes, bytes, int]:
        member = self.members[name]
        with self._locks[name]:
            out, err, code = (
                script.run(member.pc, line, data, member.dialect, self.folder)
                if member.dialect
                else _model(member, line, data)
            )
            member.pc.save(self.folder / "pcs" / f"{name}.json")
            self._executions[name] += 1
        return faults.spoil(faults.at(member.fault, self._executions[name]), out), err, code

    def _engine(self, name: str) -> psrp.Engine:
        member = self.members[name]
        return psrp.Engine(
            member.pc,
            member.dialect,
            self.folder,
            lambda: member.pc.save(self.folder / "pcs" / f"{name}.json"),
        )

    def _write_inventory(self) -> None:
        (self.inventory / "host_vars").mkdir(parents=True)
        (self.inventory / "group_vars").mkdir()
        common = {"ansible_host": "127.0.0.1", "ets6_network_public_roots": str(self.network.roots)}
        _write(self.inventory / "group_vars" / "all.yml", common)
        hosts: dict[str, None] = {}
        for name, member in self.members.items():
            reached = {
                "ansible_user": name,
                "ansible_connection": member.transport,
                **self._connections[member.transport](member),
            }
            if member.away:
                reached["ansible_port"] = int(self.network.closed.rpartition(":")[2])
            _write(self.inventory / "host_vars" / f"{name}.yml", {**reached, **member.variables})
            hosts[name] = None
        _write(self.inventory / "hosts.yml", {"pcs": {"hosts": hosts}})

    @property
    def _connections(self) -> dict[str, Callable[[fleet.Member], dict[str, Any]]]:
        """The connection variables of a PC, by its transport."""
        return {"winrm": self._winrm, "psrp": self._psrp, "ssh": self._ssh}

    def _winrm(self, member: fleet.Member) -> dict[str, Any]:
        if member.https:
            reached: dict[str, Any] = {
                "ansible_host": "localhost",
                "ansible_port": self.endpoint.https.port,
                "ansible_winrm_scheme": "https",
                "ansible_winrm_transport": "basic",
                "ansible_winrm_ca_trust_path": str(self.network.winrm_ca),
            }
        else:
            reached = {
                "ansible_port": self.endpoint.http.port,
                "ansible_winrm_scheme": "http",
                "ansible_winrm_transport": "ntlm",
            }
        return {"ansible_password": PASSWORD, "ansible_winrm_connection_timeout": 20, **reached}

    def _psrp(self, member: fleet.Member) -> dict[str, Any]:
        if member.https:
            return {
                "ansible_password": PASSWORD,
                "ansible_host": "localhost",
                "ansible_port": self.endpoint.https.port,
                "ansible_psrp_protocol": "https",
                "ansible_psrp_auth": "basic",
                "ansible_psrp_ca_cert": str(self.network.winrm_ca),
            }
        return {
            "ansible_password": PASSWORD,
            "ansible_port": self.endpoint.http.port,
            "ansible_psrp_protocol": "http",
            "ansible_psrp_auth": "negotiate",
        }

    def _ssh(self, member: fleet.Member) -> dict[str, Any]:
        assert self.ssh, "the server is there where a PC wants it"
        return self.ssh.variables(member.pc.name)


def _model(member: fleet.Member, line: str, data: bytes) -> tuple[bytes, bytes, int]:
    queried = reg.run(member.pc.state["registry"], line)
    if queried is not None:
        return queried
    asked = module_arguments(data)
    if asked is None or not asked[0].endswith("windows_host.ps1"):
        reply: dict[str, Any] = {
            "failed": True,
            "msg": f"a model PC answers windows_host only, not {asked and asked[0]}",
        }
    else:
        try:
            reply = model.answer(member.pc, asked[1])
        except model.PowerLossError:
            return b"", b"", 1
    return json.dumps(reply).encode(), b"", 0


def _write(file: Path, content: Any) -> None:
    file.write_text("---\n" + yaml.safe_dump(content, sort_keys=True), encoding="utf-8")
