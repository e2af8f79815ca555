# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxies of one host, worked out once for all controls and probes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..formats import pe
from ..formats.wininet import ConnectionSettings
from ..policy.variables import Policy
from ..snapshot import Snapshot, State
from . import pac, routes
from .routes import Route
from .settings import (
    MACHINE_32,
    POLICY,
    DecidingLayer,
    Layer,
    either_layer,
    is_machine_wide,
    machine_layer,
    machine_layer_32,
    user_layer,
)
from .switches import dns_domain, in_force
from .users import name_of, relevant_users, users_with_hive
from .winhttp_settings import WinHttpLayer, winhttp_layers

_PROGRAM_FILES_32 = "ProgramFiles(x86)"
"""An environment variable that only 64-bit Windows has."""
_BITNESS_DOUBT = (
    "a 64-bit and a 32-bit program read different machine-wide settings ({first}; {second}), and "
    "which of them ETS6 reads could not be determined"
)
_SWITCH_DOUBT = "whose settings count could not be determined: {path} could not be read: {error}"


class ProxyContext:
    """The proxies of one host, and the policy."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self.snapshot = snapshot
        self.policy = policy

    @cached_property
    def machine_wide(self) -> bool:
        """Whether Windows takes the machine's settings for every user."""
        return is_machine_wide(self.snapshot.registry)

    @cached_property
    def machine_layers(self) -> list[Layer]:
        """The machine's settings, whether or not they are in force.

        On 64-bit Windows these are two: those of 64-bit and those of 32-bit programs.
        """
        registry = self.snapshot.registry
        first = machine_layer(registry)
        names = {name.lower() for name in self.snapshot.environment}
        is_64_bit = _PROGRAM_FILES_32.lower() in names
        if not is_64_bit and registry.key(MACHINE_32).state is State.MISSING:
            return [first]
        return [first, machine_layer_32(registry)]

    @cached_property
    def user_layers(self) -> dict[str, Layer]:
        """The settings of each user whose profile is on the PC, by SID, and the default profile's."""
        layers = {}
        for user in users_with_hive(self.snapshot):
            layers[user.sid] = user_layer(self.snapshot.registry, user)
        return layers

    @property
    def layers(self) -> list[Layer]:
        """All settings, the machine's first."""
        return [*self.machine_layers, *self.user_layers.values()]

    @cached_property
    def winhttp_layers(self) -> list[WinHttpLayer]:
        """WinHTTP's settings of 64-bit and of 32-bit programs."""
        return winhttp_layers(self.snapshot.registry)

    @cached_property
    def program_bitness(self) -> int | None:
        """Whether ETS6's programs run as 32-bit or 64-bit processes; None where that is not clear."""
        bitnesses = set()
        for file in self.snapshot.files.values():
            if file.state is State.PRESENT:
                bitnesses.add(pe.bitness_on_64_bit_windows(file.head))
        return bitnesses.pop() if len(bitnesses) == 1 else None

    @cached_property
    def machine_layer(self) -> Layer:
        """The machine's settings that ETS6 reads."""
        first, *more = self.machine_layers
        if not more or self.program_bitness == 64:
            return first
        if self.program_bitness == 32:
            return more[0]
        doubt = _BITNESS_DOUBT.format(first=first.describe(), second=more[0].describe())
        return either_layer(first, more[0], doubt)

    @cached_property
    def pc_layers(self) -> list[DecidingLayer]:
        """The layers of the PC that decide which proxy ETS6 uses. Empty where no user is known."""
        registry = self.snapshot.registry
        users = relevant_users(self.snapshot)
        if self.machine_wide:
            names = tuple(name_of(user) for user in users)
            layer = in_force(registry, self.machine_layer)
            return [DecidingLayer(layer, names or ("every user",))]
        layers = []
        policy_key = registry.key(POLICY)
        for user in users:
            layer = self.user_layers[user.sid]
            if policy_key.state is State.UNREADABLE:
                doubt = _SWITCH_DOUBT.format(path=POLICY, error=policy_key.error)
                layer = either_layer(layer, self.machine_layer, doubt)
            layers.append(DecidingLayer(in_force(registry, layer), (name_of(user),)))
        return layers

    @cached_property
    def deciding_layers(self) -> list[DecidingLayer]:
        """The layers that decide: the policy's own for a host that is not a Windows PC."""
        if not self.snapshot.vantage:
            return self.pc_layers
        setting = self.policy.proxy
        flags = 0 if setting.mode == "unmanaged" else setting.flags
        settings = ConnectionSettings(
            flags, setting.server, ";".join(setting.bypass), setting.pac_url
        )
        layer = Layer("policy", "the settings in ets6_network_proxy", "", (settings,))
        return [DecidingLayer(layer, ("ETS6 in this network",))]

    @cached_property
    def scripts(self) -> list[str]:
        """The addresses of the proxy scripts that decide for some user and can be fetched, each once."""
        urls: dict[str, None] = {}
        for deciding in self.deciding_layers:
            for meaning in deciding.layer.meanings:
                if pac.is_fetchable(meaning.pac_url):
                    urls[meaning.pac_url] = None
        return list(urls)

    @cached_property
    def script_answers(self) -> Mapping[str, routes.ScriptAnswers]:
        """What each script answers, by its address."""
        endpoints = self.policy.endpoints
        return {url: routes.ask_script(self.snapshot, url, endpoints) for url in self.scripts}

    @cached_property
    def failing_scripts(self) -> list[str]:
        """Why scripts name no proxy: the PC did not get them, or they do not work."""
        errors: dict[str, None] = {}
        for url, answers in self.script_answers.items():
            if isinstance(answers, pac.PacError):
                if answers.is_empty or answers.is_unfetched:
                    errors[str(answers)] = None
                continue
            for answer in answers.values():
                if answer.error:
                    errors[pac.failure(url, answer.error)] = None
        return list(errors)

    @cached_property
    def routes(self) -> Mapping[str, list[Route]]:
        """The distinct routes to each endpoint, by its name.

        Without any where no user's settings could be read.
        """
        domain = dns_domain(self.snapshot.registry)
        routes_by_name = {}
        for endpoint in self.policy.endpoints:
            request = routes.RouteRequest(endpoint, domain, self.script_answers, self.snapshot)
            routes_by_name[endpoint.name] = routes.routes_to(request, self.deciding_layers)
        return routes_by_name
