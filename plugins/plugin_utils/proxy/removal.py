# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether what this collection set is put back, where ets6_network_state is absent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..declaration import Judgement, failed, passed, unknown
from ..finding import Change
from ..formats import winhttp as winhttp_format
from ..snapshot import Registry, State
from ..text import join_words
from .changes import POLICY_RECORD, WINHTTP_RECORD
from .context import ProxyContext
from .records import (
    WINHTTP_UNIT,
    WININET_UNIT,
    ManagedSetting,
    is_recorded,
    layer_record,
    put_back,
)
from .settings import PER_USER, POLICY, Layer, read_layer
from .winhttp_settings import winhttp_layers


def wininet_removed(context: ProxyContext) -> Judgement:
    """Judge whether what was set of WinINET is put back."""
    settings = [_layer_setting(layer) for layer in context.layers]
    # Last, so that no user gets settings that are not put back yet.
    settings.append(
        ManagedSetting(PER_USER, WININET_UNIT, POLICY_RECORD, (POLICY,), _per_user_meaning)
    )
    return _judge(context.snapshot.registry, settings)


def winhttp_removed(context: ProxyContext) -> Judgement:
    """Judge whether what was set of WinHTTP is put back."""
    setting = ManagedSetting(
        "WinHTTP proxy", WINHTTP_UNIT, WINHTTP_RECORD, winhttp_format.KEYS, _winhttp_meaning
    )
    return _judge(context.snapshot.registry, [setting])


def _judge(registry: Registry, settings: Sequence[ManagedSetting]) -> Judgement:
    remedy: list[Change] = []
    unreadable: list[str] = []
    changed: list[str] = []
    for setting in settings:
        recorded = is_recorded(registry, setting.location)
        if recorded is False:
            continue
        change = put_back(registry, setting)
        if change is not None:
            remedy.append(change)
        elif recorded is None or setting.read(registry) is None:
            unreadable.append(setting.title)
        else:
            changed.append(setting.title)
    reason = _reason(remedy, unreadable, changed)
    if remedy:
        return failed(reason, remedy=remedy)
    if unreadable:
        return unknown(reason)
    return passed(reason)


def _reason(remedy: Sequence[Change], unreadable: Sequence[str], changed: Sequence[str]) -> str:
    sentences = []
    if remedy:
        subjects = join_words(change.subject for change in remedy)
        sentences.append(f"Still as this collection set it: {subjects}.")
    if unreadable:
        sentences.append(f"Not put back, since it cannot be read: {join_words(unreadable)}.")
    if changed:
        sentences.append(
            f"Changed since this collection set it, so it stays: {join_words(changed)}."
        )
    return " ".join(sentences) or "This collection set nothing."


def _layer_setting(layer: Layer) -> ManagedSetting:
    return ManagedSetting(
        f"WinINET proxy, {layer.title}",
        WININET_UNIT,
        layer_record(layer.id),
        (layer.path, layer.connections),
        partial(_layer_meaning, layer),
    )


def _layer_meaning(layer: Layer, registry: Registry) -> dict[str, Any] | None:
    current = read_layer(registry, layer.id, layer.title, layer.path)
    if current.error or layer.error:
        return None
    return current.meaning.to_wire()


def _per_user_meaning(registry: Registry) -> dict[str, Any] | None:
    if registry.key(POLICY).state is State.UNREADABLE:
        return None
    value = registry.value(POLICY, PER_USER)
    return {PER_USER: None if value is None else value.data}


def _winhttp_meaning(registry: Registry) -> dict[str, Any] | None:
    layer = winhttp_layers(registry)[0]
    return None if layer.error else layer.meaning.to_wire()
