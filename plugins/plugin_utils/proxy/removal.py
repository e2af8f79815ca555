# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether what this collection set is put back, where ets6_network_state is absent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..declaration import Judgement, failed, passed, unknown
from ..finding import Change
from ..formats import winhttp
from ..snapshot import Registry, State
from ..text import join_words
from .context import ProxyContext
from .records import (
    RECORDS,
    WINHTTP_UNIT,
    WININET_UNIT,
    ManagedSetting,
    forget,
    put_back,
)
from .settings import PER_USER, POLICY, Layer, read_layer, winhttp_layers


def wininet_removed(context: ProxyContext) -> Judgement:
    """Judge whether what was set of WinINET is put back."""
    settings = [_layer_setting(layer) for layer in context.layers]
    # Last, so that no user gets settings that are not put back yet.
    settings.append(ManagedSetting("policy", PER_USER, WININET_UNIT, (POLICY,), _per_user_meaning))
    return _judge(context, settings, _obsolete_records(context, settings))


def winhttp_removed(context: ProxyContext) -> Judgement:
    """Judge whether what was set of WinHTTP is put back."""
    setting = ManagedSetting(
        "winhttp", "WinHTTP proxy", WINHTTP_UNIT, winhttp.KEYS, _winhttp_meaning
    )
    return _judge(context, [setting], [])


def _obsolete_records(context: ProxyContext, settings: Sequence[ManagedSetting]) -> list[Change]:
    """Return the changes that delete the records of users whose profile is gone."""
    if context.snapshot.users is None:
        return []
    current = {setting.id.lower() for setting in settings} | {"winhttp"}
    recorded = context.snapshot.registry.key(RECORDS).values
    return [forget(name) for name in recorded if name.lower() not in current]


def _judge(
    context: ProxyContext, settings: Sequence[ManagedSetting], obsolete: Sequence[Change]
) -> Judgement:
    registry = context.snapshot.registry
    records = registry.key(RECORDS)
    if records.state is State.UNREADABLE:
        return unknown(
            "What was there before could not be determined: "
            f"{RECORDS} could not be read: {records.error}."
        )
    remedy: list[Change] = []
    unreadable: list[str] = []
    changed: list[str] = []
    for setting in settings:
        if setting.id not in records.values:
            continue
        change = put_back(registry, setting)
        if change is not None:
            remedy.append(change)
        elif setting.read(registry) is None:
            unreadable.append(setting.title)
        else:
            changed.append(setting.title)
    remedy.extend(obsolete)
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
    keys = (layer.path, layer.connections)
    title = f"WinINET proxy, {layer.title}"
    return ManagedSetting(layer.id, title, WININET_UNIT, keys, partial(_layer_meaning, layer))


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
