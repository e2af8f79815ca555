# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Makes the collection importable (ansible-test does that itself, plain pytest needs the link that ``make`` laid), and the lab."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import hypothesis
import pytest

pytest.register_assert_rewrite("tests.integration.windows_host_questions")

ROOT = Path(__file__).resolve().parents[1]

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # for tests.lab
try:
    importlib.import_module("ansible_collections.ets6.network")
except ImportError:
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(ROOT / ".ansible" / "collections")])

if not os.environ.get("CI"):
    # In CI hypothesis takes its profile "ci" by itself: no bound on the milliseconds of an example, which tell how busy the machine
    # is, and always the same examples. Elsewhere they may be others each time.
    hypothesis.settings.register_profile(
        "tests", hypothesis.settings.get_profile("ci"), derandomize=False
    )
    hypothesis.settings.load_profile("tests")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured: pytest keeps to itself what a test prints that passes."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(value))
