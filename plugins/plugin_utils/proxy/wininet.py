# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether WinINET, whose settings ETS6 uses, has the proxy of the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..declaration import Judgement, failed, not_applicable, passed, unknown
from ..finding import Change, Contact
from ..snapshot import State
from ..text import sentence
from .changes import (
    POLICY_RECORD,
    agrees_with_plain_values,
    required_meaning,
    set_layer,
    set_per_user,
)
from .context import ProxyContext
from .records import layer_record, was_reset
from .settings import PER_USER, POLICY, Layer
from .switches import switched_off
from .users import users_without_hive

UNMANAGED = "ets6_network_proxy leaves the proxy as it is (mode unmanaged)."
REPLACE_ADVICE = (
    "Correct the settings that cannot be read on the PC; or set ets6_network_proxy.replace_malformed "
    "and run ets6.network.enforce, which replaces them; removal puts the old bytes back."
)
SWITCHED_OFF_ADVICE = (
    "Set ets6_network_proxy to a mode that works on this PC: named or direct, and pac where only "
    "automatic detection is switched off. Or have it switched on again on the PC."
)

RESET = (
    "This collection set it before, and something has changed it since: for example Group Policy, a "
    "script, or a user."
)
RESET_ADVICE = "Change it there, too, where it comes from; else it comes back."


def judge_wininet(context: ProxyContext) -> Judgement:
    """Judge WinINET's settings, of the machine and of its users."""
    setting = context.policy.proxy
    evidence = _evidence(context)
    if setting.mode == "unmanaged":
        return not_applicable(UNMANAGED, evidence)
    required = required_meaning(setting)
    evidence["wanted"] = required.to_wire()
    obstacle = _obstacle(context)
    if obstacle:
        return unknown(obstacle, evidence)
    review = _Review(context)
    layers = context.machine_layers if review.for_machine else context.user_layers.values()
    for layer in layers:
        review.add_layer(layer)
    review.add_switch()
    if review.unreplaced or review.remedy:
        return review.judgement(evidence)
    extent = "for every user of the PC" if review.for_machine else "user by user"
    cause = switched_off(context.snapshot.registry, required.flags)
    if cause:
        return failed(
            f"ETS6 has {required.describe()}, {extent}, but that has no effect: {cause}.", evidence
        ).advise(SWITCHED_OFF_ADVICE, Contact.CONTROLLER)
    return passed(f"ETS6 gets {required.describe()}, {extent}.", evidence)


@dataclass
class _Review:
    """What is wrong with the settings, and the changes that correct it.

    unreplaced are sentences about settings that cannot be read and are not overwritten.
    """

    context: ProxyContext
    sentences: list[str] = field(default_factory=list)
    remedy: list[Change] = field(default_factory=list)
    unreplaced: list[str] = field(default_factory=list)

    @property
    def for_machine(self) -> bool:
        """Whether the policy is for the machine, not user by user."""
        return self.context.policy.proxy.scope == "machine"

    def judgement(self, evidence: dict[str, Any]) -> Judgement:
        """Judge settings of which something is wrong or cannot be read."""
        reason = " ".join([*self.sentences, *self.unreplaced])
        # Switching to settings that cannot be read would give every user an unknown proxy.
        is_switch_uncertain = self.for_machine and bool(self.unreplaced)
        if self.remedy and not is_switch_uncertain:
            return failed(reason, evidence, self.remedy).advise(self._further_advice())
        return unknown(reason, evidence).advise(REPLACE_ADVICE, Contact.CONTROLLER)

    def _further_advice(self) -> str:
        """Return what to do beside the changes that the playbook makes."""
        steps = []
        if RESET in self.sentences:
            steps.append(RESET_ADVICE)
        if self.unreplaced:
            steps.append(REPLACE_ADVICE)
        return " ".join(steps)

    def add_layer(self, layer: Layer) -> None:
        """Compare a layer with the policy."""
        setting = self.context.policy.proxy
        title = sentence(layer.title)
        if layer.malformed and not setting.replace_malformed:
            self.unreplaced.append(f"{title}: {layer.malformed}; that is not overwritten.")
            return
        if layer.error and not layer.malformed:
            self.unreplaced.append(f"{title}: {layer.error}; that is not overwritten.")
            return
        problem = self._problem(layer)
        if not problem:
            return
        registry = self.context.snapshot.registry
        self.sentences.append(f"{title}{problem}.")
        required = required_meaning(setting).to_wire()
        current = layer.meaning.to_wire()
        if was_reset(registry, layer_record(layer.id), required, current):
            self.sentences.append(RESET)
        self.remedy.append(set_layer(registry, layer, setting))

    def add_switch(self) -> None:
        """Compare whose settings count.

        It comes last: no user gets settings that are not the required ones yet.
        """
        if self.context.machine_wide == self.for_machine:
            return
        registry = self.context.snapshot.registry
        change = set_per_user(registry, per_user=not self.for_machine)
        self.remedy.append(change)
        if self.for_machine:
            self.sentences.append(f"{PER_USER} is not 0, so each user's own settings count.")
        else:
            self.sentences.append(
                f"{PER_USER} is 0, so the machine's settings count for every user."
            )
        if was_reset(registry, POLICY_RECORD, change.after, change.before):
            self.sentences.append(RESET)

    def _problem(self, layer: Layer) -> str:
        """Return what differs from the policy, to follow the layer's title."""
        required = required_meaning(self.context.policy.proxy)
        if layer.malformed:
            return f": {layer.malformed}; they are replaced"
        if layer.blob is None:
            return f" have no DefaultConnectionSettings; required is {required.describe()}"
        if layer.meanings != (required,):
            return f" say {layer.describe()}; required is {required.describe()}"
        if not agrees_with_plain_values(self.context.snapshot.registry, layer):
            return " are inconsistent: blobs and plain values differ"
        return ""


def _evidence(context: ProxyContext) -> dict[str, Any]:
    return {
        "machine_wide": context.machine_wide,
        "machine": _layer_evidence(context.machine_layers[0]),
        **{layer.id: _layer_evidence(layer) for layer in context.machine_layers[1:]},
        "users": {sid: _layer_evidence(layer) for sid, layer in context.user_layers.items()},
        "profiles_without_hive": users_without_hive(context.snapshot),
    }


def _layer_evidence(layer: Layer) -> Any:
    return layer.error or layer.malformed or layer.meaning.to_wire()


def _obstacle(context: ProxyContext) -> str:
    """Return why the settings cannot be judged at all; empty where they can."""
    policy_key = context.snapshot.registry.key(POLICY)
    if policy_key.state is State.UNREADABLE:
        return (
            "Whose settings count could not be determined: "
            f"{POLICY} could not be read: {policy_key.error}."
        )
    if context.policy.proxy.scope == "users" and context.snapshot.users is None:
        cause = context.snapshot.errors.get("users", "no reason given")
        return f"The PC's users could not be determined: {cause}."
    return ""
