# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Where PowerShell is constrained, as by AppLocker, the module says so before it tries anything."""

from __future__ import annotations

import subprocess

from tests.integration.debian import need
from tests.lab.script import ROOT, find_pwsh


def test_the_module_says_so_before_it_tries_anything() -> None:
    pwsh = find_pwsh()
    if pwsh is None:
        need("pwsh", "powershell, or ../shared/pwsh beside the project")
    source = ROOT / "plugins" / "module_utils" / "_ETS6Host.psm1"
    script = (
        f"$text = Get-Content -Raw -LiteralPath '{source}'; "
        "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; "
        'try { Invoke-Expression $text } catch { "refused: $_" }'
    )
    reply = subprocess.run(
        [str(pwsh), "-NoProfile", "-Command", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert reply.stdout.strip() == "refused: PowerShell runs in ConstrainedLanguage mode"
