# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""``make compat``: the collection with every release of ansible-core that is promised and that this Python can have.

Exit status 0 only where all parts passed with all of these releases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from ansible.release import __version__ as installed
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PARTS = {
    "demo": ("python", "-m", "tests.lab.demo", "--report-dir", ".lab/compat"),
    "package": ("tests/package.sh",),
    "actions": ("python", "-m", "pytest", "-q", "tests/unit/plugins/action"),
}
"""What is run with each release, by the name that the table has for it."""


def main() -> int:
    """Run everything and print a table of it."""
    releases = promised()
    if releases[-1] != installed:
        print(
            f"requirements-dev.txt pins ansible-core {installed} for this Python; the newest of requirements-compat.txt is "
            f"{releases[-1]}. Have them name the same release.",
            file=sys.stderr,
        )
        return 1
    rows = []
    failed = False
    for release in releases:
        environment = prepare(release)
        cells = []
        for name, command in PARTS.items():
            print(f"ansible-core {release}: {name} …", flush=True)
            since = time.monotonic()
            passed = run(command, environment)
            failed = failed or not passed
            cells.append(f"{'ok' if passed else 'failed'} {time.monotonic() - since:.0f} s")
        rows.append([f"ansible-core {release}", *cells])
    print(f"\nPython {sys.version.split()[0]}")
    for row in [["", *PARTS], *rows]:
        print("".join(f"{cell:<24}" for cell in row).rstrip())
    return int(failed)


def promised() -> list[str]:
    """Return the releases of requirements-compat.txt that this Python can have, the newest last."""
    lines = (ROOT / "requirements-compat.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    possible = [one for one in requirements if one.marker is None or one.marker.evaluate()]
    return sorted((str(one.specifier).removeprefix("==") for one in possible), key=Version)


def prepare(release: str) -> Path:
    """Return the folder with the programs of a release's environment, which is made where requirements changed or it is missing.

    Everything else in it is what requirements-dev.txt pins.
    """
    version = Version(release)
    folder = ROOT / f".venv-compat-{version.major}.{version.minor}"
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    wanted = "\n".join(
        [
            f"ansible-core=={release}",
            *(line for line in lines if not line.startswith("ansible-core==")),
        ]
    )
    ready = folder / "ready"
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        print(f"Installing ansible-core {release} and the rest into {folder.name} …", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(wanted)
            file.flush()
            pip = [
                str(folder / "bin" / "pip"),
                "install",
                "--disable-pip-version-check",
                "--quiet",
                "--requirement",
                file.name,
            ]
            subprocess.run(pip, check=True)
        ready.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def run(command: Sequence[str], programs: Path) -> bool:
    """Run a part with the programs of an environment, and return whether it passed. Its output is printed where it did not."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
