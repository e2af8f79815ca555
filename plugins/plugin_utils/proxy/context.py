# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The proxies of one host, worked out once for all controls and probes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..formats.wininet import ConnectionSettings
from ..policy.variables import Policy
from ..snapshot import Snapshot
from . import pac, routes
from .routes import Route
from .settings import (
    DecidingLayer,
    Layer,
    WinHttpLayer,
    is_machine_wide,
    machine_layer,
    user_layer,
    winhttp_layers,
)
from .users import name_of, relevant_users


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
    def machine_layer(self) -> Layer:
        """The machine's WinINET settings, whether or not they are in force."""
        return machine_layer(self.snapshot)

    @cached_property
    def user_layers(self) -> dict[str, Layer]:
        """Each user's WinINET settings by SID, and the default profile's."""
        registry = self.snapshot.registry
        return {user.sid: user_layer(registry, user) for user in self.snapshot.users or ()}

    @property
    def layers(self) -> list[Layer]:
        """All WinINET settings, the machine's first."""
        return [self.machine_layer, *self.user_layers.values()]

    @cached_property
    def winhttp_layers(self) -> list[WinHttpLayer]:
        """WinHTTP's settings of 64-bit and of 32-bit programs."""
        return winhttp_layers(self.snapshot.registry)

    @cached_property
    def pc_layers(self) -> list[DecidingLayer]:
        """The layers of the PC that decide which proxy ETS6 uses. Empty where no user is known."""
        users = relevant_users(self.snapshot)
        if self.machine_wide:
            names = tuple(name_of(user) for user in users)
            return [DecidingLayer(self.machine_layer, names or ("every user",))]
        return [DecidingLayer(self.user_layers[user.sid], (name_of(user),)) for user in users]

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
        layer = Layer("policy", "the settings in ets6_network_proxy", "", settings)
        return [DecidingLayer(layer, ("ETS6 in this network",))]

    @cached_property
    def scripts(self) -> list[str]:
        """The addresses of the proxy scripts that decide for some user, each once."""
        urls = [deciding.layer.meaning.pac_url for deciding in self.deciding_layers]
        return list(dict.fromkeys(filter(None, urls)))

    @cached_property
    def script_answers(self) -> Mapping[str, routes.ScriptAnswers]:
        """What each script answers, by its address."""
        endpoints = self.policy.endpoints
        return {url: routes.ask_script(self.snapshot, url, endpoints) for url in self.scripts}

    @cached_property
    def unfetched_scripts(self) -> list[pac.PacError]:
        """The errors of the scripts that the PC tried to fetch and did not get."""
        results = self.script_answers.values()
        errors = [result for result in results if isinstance(result, pac.PacError)]
        return [error for error in errors if error.unfetched]

    @cached_property
    def routes(self) -> Mapping[str, list[Route]]:
        """The distinct routes to each endpoint, by its name.

        Without any where no user's settings could be read.
        """
        return {
            endpoint.name: routes.routes_to(
                endpoint, self.deciding_layers, self.script_answers, self.snapshot
            )
            for endpoint in self.policy.endpoints
        }
