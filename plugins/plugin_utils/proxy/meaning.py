# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What proxy settings come to, whatever the form in which Windows keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..formats.winhttp import WinHttpSettings
from ..formats.wininet import AUTODETECT, PAC, PROXY, ConnectionSettings
from .lists import split_list, without_logins


@dataclass(frozen=True)
class Meaning:
    """What settings come to, so that two can be compared.

    Counter, tail, and the values of a mode that is off do not count. flags has PROXY, PAC and
    AUTODETECT; server and bypass are in lower case.
    """

    flags: int = 0
    server: str = ""
    bypass: tuple[str, ...] = ()
    pac_url: str = ""

    @classmethod
    def of_texts(cls, flags: int, server: str, bypass: str, pac_url: str) -> Meaning:
        """Return the meaning of flags and texts. A mode without its text is off."""
        server = server.strip().lower() if flags & PROXY else ""
        pac_url = pac_url.strip() if flags & PAC else ""
        active = flags & AUTODETECT
        entries: tuple[str, ...] = ()
        if server:
            active |= PROXY
            entries = tuple(sorted(set(split_list(bypass.lower()))))
        if pac_url:
            active |= PAC
        return cls(active, server, entries, pac_url)

    @classmethod
    def of_blob(cls, blob: ConnectionSettings) -> Meaning:
        """Return the meaning of WinINET's blob."""
        return cls.of_texts(blob.flags, blob.proxy, blob.bypass, blob.pac_url)

    @classmethod
    def of_winhttp(cls, blob: WinHttpSettings) -> Meaning:
        """Return the meaning of WinHTTP's blob, which has no script and no automatic detection."""
        return cls.of_texts(blob.flags & PROXY, blob.server, blob.bypass, "")

    def describe(self) -> str:
        """Return it in words, for a sentence, without any login."""
        parts = []
        if self.flags & AUTODETECT:
            parts.append("automatic detection")
        if self.flags & PAC:
            parts.append(f"the script {without_logins(self.pac_url)}")
        if self.flags & PROXY:
            server = f"the proxy {without_logins(self.server)}"
            if self.bypass:
                server += f" (not for {'; '.join(self.bypass)})"
            parts.append(server)
        return ", then ".join(parts) or "no proxy"

    def to_wire(self) -> dict[str, Any]:
        """Return it as evidence, and as both sides of a diff, without any login."""
        return {
            "autodetect": bool(self.flags & AUTODETECT),
            "pac_url": without_logins(self.pac_url) or None,
            "server": without_logins(self.server) or None,
            "bypass": ";".join(self.bypass) or None,
        }


def describe_all(meanings: Iterable[Meaning]) -> str:
    """Return several meanings in words, with ``or`` between them."""
    return " or ".join(meaning.describe() for meaning in meanings)
