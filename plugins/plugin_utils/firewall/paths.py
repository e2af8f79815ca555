# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether two paths of a PC mean the same file: letter case, environment strings, 8.3 names, and other spellings."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"%([^%]+)%")
_SHORT = re.compile(r"([^~.]{1,6})~(\d{1,2})(?:\.([^.]{0,3}))?")


class Paths:
    """Paths as the firewall's service sees them, a 64-bit process with the machine's environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name.lower(): value for name, value in environment.items()}
        native = self._environment.get("programw6432")
        if native:
            # windows_host may be a 32-bit process, whose ProgramFiles is the folder for 32-bit programs.
            self._environment["programfiles"] = native
        self._short_folders = {
            short: ntpath.basename(self._environment[name]).lower()
            for short, name in (("progra~1", "programfiles"), ("progra~2", "programfiles(x86)"))
            if name in self._environment and "programfiles(x86)" in self._environment
        }
        self._known: dict[str, str] = {}

    def expand(self, path: str) -> str:
        """Return the path with environment strings replaced; one that the machine does not know stays, as Windows leaves it."""
        return _VARIABLE.sub(lambda match: self._environment.get(match[1].lower(), match[0]), path)

    def canonical(self, path: str) -> str:
        """Return the spelling under which paths are compared."""
        known = self._known.get(path)
        if known is None:
            text = self.expand(path.strip().strip('"'))
            if text.startswith(("\\\\?\\", "\\??\\")):
                text = text[4:]
            known = self._known[path] = ntpath.normpath(text).lower()
        return known

    def same(self, one: str, other: str) -> bool:
        """Tell whether two paths mean the same file."""
        first, second = self.canonical(one), self.canonical(other)
        if first == second or "~" not in first + second:
            return first == second
        parts, others = first.split("\\"), second.split("\\")
        return len(parts) == len(others) and all(self._same_part(part, match) for part, match in zip(parts, others, strict=True))

    def below(self, path: str, folder: str) -> bool:
        """Tell whether a path stands below a folder."""
        return self.canonical(path).startswith(self.canonical(folder).rstrip("\\") + "\\")

    def _same_part(self, one: str, other: str) -> bool:
        return one == other or self._abbreviates(one, other) or self._abbreviates(other, one)

    def _abbreviates(self, short: str, name: str) -> bool:
        """Tell whether an 8.3 name can stand for a long one.

        How Windows makes them: GetShortPathName and "How Windows generates 8.3 file names" (KB 142982): blanks and dots go, six
        characters stay, from the fifth collision on two and a checksum. Which of two alike folders was first cannot be
        read from the name; for Program Files and Program Files (x86) it is the order in which Windows makes them.
        """
        if short in self._short_folders:
            return self._short_folders[short] == name
        match = _SHORT.fullmatch(short)
        if match is None or "~" in name:
            return False
        stem, dot, suffix = name.rpartition(".")
        stem, suffix = (stem, suffix) if dot and stem else (name, "")
        clean = re.sub(r"[+,;=\[\]]", "_", re.sub(r"[ .]", "", stem))
        begin = match[1]
        by_checksum = len(begin) == 6 and clean[:2] == begin[:2] and re.fullmatch(r"[0-9a-f]{4}", begin[2:]) is not None
        return (clean[:6] == begin or by_checksum) and suffix[:3] == (match[3] or "")
