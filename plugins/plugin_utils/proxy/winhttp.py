# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether WinHTTP, whose settings services use, has the proxy of the policy."""

from __future__ import annotations

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..finding import Contact
from ..formats.winhttp import KEYS
from .changes import WINHTTP_RECORD, required_winhttp, set_winhttp
from .context import ProxyContext
from .meaning import Meaning
from .records import was_reset
from .winhttp_settings import WinHttpLayer, winhttp_evidence
from .wininet import REPLACE_ADVICE, RESET, RESET_ADVICE, UNMANAGED

MODES = ("named", "direct")
"""The modes that WinHTTP's setting can hold."""
_BITNESS = dict(zip(KEYS, ("64-bit", "32-bit"), strict=True))


def judge_winhttp(context: ProxyContext) -> Judgement:
    """Judge WinHTTP's settings."""
    setting = context.policy.proxy
    evidence = winhttp_evidence(context.winhttp_layers)
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
        return unknown(obstacle, evidence).advise(REPLACE_ADVICE, Contact.CONTROLLER)
    required = required_winhttp(setting)
    evidence["wanted"] = required.to_wire()
    differing = [layer for layer in context.winhttp_layers if _differs(layer, required)]
    if not differing:
        return passed(f"WinHTTP has {required.describe()}.", evidence)
    sentences = [_describe(layer) for layer in differing]
    sentences.append(f"Required is {required.describe()}.")
    registry = context.snapshot.registry
    current = differing[0].meaning
    further_advice = ""
    if was_reset(registry, WINHTTP_RECORD, required.to_wire(), current.to_wire()):
        sentences.append(RESET)
        further_advice = RESET_ADVICE
    remedy = [set_winhttp(registry, current, setting)]
    return failed(" ".join(sentences), evidence, remedy).advise(further_advice)


def _obstacle(context: ProxyContext) -> str:
    """Return why the settings cannot be judged; empty where they can, or may be replaced."""
    layers = context.winhttp_layers
    replace_malformed = context.policy.proxy.replace_malformed
    if not any(_is_obstacle(layer, replace_malformed) for layer in layers):
        return ""
    sentences = [f"{layer.error}." for layer in layers if layer.error]
    if any(layer.malformed for layer in layers):
        sentences.append("That is not overwritten.")
    return " ".join(sentences)


def _is_obstacle(layer: WinHttpLayer, replace_malformed: bool) -> bool:
    if layer.malformed and replace_malformed:
        return False
    return bool(layer.error)


def _differs(layer: WinHttpLayer, required: Meaning) -> bool:
    return bool(layer.error) or layer.meaning != required


def _describe(layer: WinHttpLayer) -> str:
    programs = f"WinHTTP of {_BITNESS[layer.path]} programs"
    if layer.error:
        return f"{programs}: {layer.error}."
    return f"{programs} has {layer.meaning.describe()}."
