# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""PCs that answer with the real script: PowerShell runs what Ansible sent, with stand-ins for Windows around it."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.network import PUBLIC_ROOTS
from tests.lab.pc import Pc

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).parent / "windows" / "stand-ins.ps1"
SECONDS = 120
PARAMETERS = re.compile(r"\s*param\s*\([^()]*\)\s*", re.IGNORECASE)
"""Parameters of a script: nothing may stand before them."""
KEPT = ("PATH", "HOME", "LANG", "DOTNET_ROOT", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT")
"""What the engine itself needs of this machine's environment. Everything else is the PC's."""


def find_pwsh() -> Path | None:
    """Return the PowerShell on the PATH, or the one of a shared checkout beside this one; None where there is neither."""
    found = shutil.which("pwsh")
    beside = ROOT.parent / "shared" / "pwsh" / "pwsh"
    return Path(found) if found else beside if beside.exists() else None


def need_pwsh() -> Path:
    """Return the PowerShell. Raises FileNotFoundError where there is none."""
    pwsh = find_pwsh()
    if pwsh is None:
        raise FileNotFoundError("no PowerShell: neither pwsh on the PATH nor ../shared/pwsh/pwsh")
    return pwsh


def environment(pc: Pc, state: Path, dialect: str, folder: Path) -> dict[str, str]:
    """Return the environment of a PowerShell that is a PC's: state is the file of the PC's state, in the folder for temporary files."""
    found = {name: os.environ[name] for name in KEPT if name in os.environ}
    # What .NET takes for the machine's roots: the PC trusts the lab's public one, as Windows trusts the public ones.
    found["SSL_CERT_FILE"] = str(folder / PUBLIC_ROOTS)
    found |= pc.state["environment"]
    programs = state.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "powershell").symlink_to(_engine(need_pwsh()))
    found["PATH"] = f"{programs}{os.pathsep}{found['PATH']}"
    return found | {"ETS6_LAB_PC": str(state), "PWSH_DIALECT": dialect, "TMPDIR": str(state.parent)}


def run(
    pc: Pc, line: str, data: bytes, dialect: str, folder: Path, measured: Path | None = None
) -> tuple[bytes, bytes, int]:
    """Run a command line as Ansible sends it, on a PC's state, and load the state that it leaves.

    dialect is "5.1" or "7". measured is the source whose breakpoints count in runspaces of its own, too. Returns standard output,
    standard error and the exit code.
    """
    pwsh = need_pwsh()
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{pc.name}-") as place:
        state = Path(place) / "state.json"
        pc.save(state)
        surroundings = environment(pc, state, dialect, folder)
        if measured:
            surroundings["ETS6_LAB_MEASURED"] = str(measured)
        done = subprocess.run(
            [str(pwsh), *_words(line)],
            input=data,
            env=surroundings,
            cwd=place,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        pc.state = json.loads(state.read_text(encoding="utf-8"))
    return done.stdout, done.stderr, done.returncode


@functools.cache
def _engine(pwsh: Path) -> Path:
    """Return the program in PowerShell's own folder ($PSHOME), where pwsh may be a link or a script elsewhere.

    Since ansible-core 2.21, a module looks for the program "powershell" and starts it unless its folder is the one of the PowerShell
    that runs already. On Windows it is, so that there is one process.
    """
    asked = [str(pwsh), "-NoProfile", "-NonInteractive", "-Command", "$PSHOME"]
    home = subprocess.run(
        asked, capture_output=True, text=True, timeout=SECONDS, check=True
    ).stdout.strip()
    return Path(home) / "pwsh"


def _words(line: str) -> list[str]:
    """Return the words after the program's name, with the stand-ins in the encoded command, in front of its first statement."""
    words = line.split()[1:]
    at = (
        next(
            number
            for number, word in enumerate(words)
            if re.fullmatch("-EncodedCommand", word, re.IGNORECASE)
        )
        + 1
    )
    command = base64.b64decode(words[at]).decode("utf-16-le")
    parameters = PARAMETERS.match(command)
    start = parameters.end() if parameters else 0
    command = f"{command[:start]}\n. '{STAND_INS}'\n{command[start:]}"
    words[at] = base64.b64encode(command.encode("utf-16-le")).decode()
    return words
