# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether WinHTTP, whose settings services use, has the proxy of the policy."""

from __future__ import annotations

from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..formats.winhttp import KEYS
from .certainty import winhttp_evidence
from .changes import required_winhttp, set_winhttp
from .context import ProxyContext
from .settings import WinHttpLayer, winhttp_errors
from .wininet import REPLACE, UNMANAGED

MODES = ("named", "direct")
"""The modes that WinHTTP's setting can hold."""
_BITNESS = dict(zip(KEYS, ("64-bit", "32-bit"), strict=True))


def judge_winhttp(context: ProxyContext) -> Judgement:
    """Judge WinHTTP's settings."""
    setting = context.policy.proxy
    layers = context.winhttp_layers
    evidence: dict[str, Any] = winhttp_evidence(context)
    if setting.mode == "unmanaged":
        return not_applicable(UNMANAGED, evidence)
    if setting.mode not in MODES:
        return not_applicable(
            "WinHTTP's setting holds a named proxy or none, so it does not apply to mode "
            f"{setting.mode}.",
            evidence,
        )
    obstacle = _obstacle(context)
    if obstacle:
        return unknown(obstacle, evidence)
    required = required_winhttp(setting)
    evidence["wanted"] = required.to_wire()
    differing = [layer for layer in layers if layer.error or layer.meaning != required]
    if not differing:
        return passed(f"WinHTTP has {required.describe()}.", evidence)
    sentences = [_describe(layer) for layer in differing]
    return failed(
        f"{' '.join(sentences)} Required is {required.describe()}.",
        evidence,
        [set_winhttp(context.snapshot.registry, differing[0].meaning, setting)],
    )


def _obstacle(context: ProxyContext) -> str:
    """Return why the settings cannot be judged; empty where they can, or may be replaced."""
    layers = context.winhttp_layers
    replace_malformed = context.policy.proxy.replace_malformed
    if not any(_is_obstacle(layer, replace_malformed) for layer in layers):
        return ""
    reason = winhttp_errors(layers)
    if any(layer.malformed for layer in layers):
        reason += f" That is not overwritten. {REPLACE}"
    return reason


def _is_obstacle(layer: WinHttpLayer, replace_malformed: bool) -> bool:
    if layer.malformed and replace_malformed:
        return False
    return bool(layer.error)


def _describe(layer: WinHttpLayer) -> str:
    programs = f"WinHTTP of {_BITNESS[layer.path]} programs"
    if layer.error:
        return f"{programs}: {layer.error}."
    return f"{programs} has {layer.meaning.describe()}."
