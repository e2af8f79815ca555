# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Whether two paths of a PC mean the same file.

They may differ in letter case, environment strings, 8.3 names and other spellings.
"""

from __future__ import annotations

import ntpath
import re
from collections.abc import Mapping

from ...module_utils.names import fold

_VARIABLE = re.compile(r"%([^%]+)%")
_SHORT_NAME = re.compile(r"([^~.]{1,6})~(\d{1,2})(?:\.([^.]{0,3}))?")
_SHORT_FOLDERS = (("PROGRA~1", "programfiles"), ("PROGRA~2", "programfiles(x86)"))


def odd_file_name(path: str) -> str:
    """Return the file name of a path in quotes or with slashes; empty for other paths."""
    if '"' not in path and "/" not in path:
        return ""
    return ntpath.basename(path.replace('"', "").strip())


class Paths:
    """Paths as the firewall's service sees them, a 64-bit process with the machine's environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name.lower(): value for name, value in environment.items()}
        native = self._environment.get("programw6432")
        if native:
            # windows_host may be a 32-bit process, whose ProgramFiles is that of 32-bit programs.
            self._environment["programfiles"] = native
        self._short_folders: dict[str, str] = {}
        if "programfiles(x86)" in self._environment:
            for short, variable in _SHORT_FOLDERS:
                if variable in self._environment:
                    folder = self._environment[variable]
                    self._short_folders[short] = fold(ntpath.basename(folder))
        self._canonical: dict[str, str] = {}

    def expand(self, path: str) -> str:
        """Return the path with environment strings replaced.

        One that the machine does not have stays, as Windows leaves it.
        """
        return _VARIABLE.sub(self._value, path)

    def _value(self, match: re.Match[str]) -> str:
        return self._environment.get(match[1].lower(), match[0])

    def canonical(self, path: str) -> str:
        """Return the spelling under which paths are compared."""
        canonical = self._canonical.get(path)
        if canonical is None:
            canonical = self._spelling(path)
            self._canonical[path] = canonical
        return canonical

    def _spelling(self, path: str) -> str:
        text = self.expand(path.strip())
        if '"' in text or "/" in text:
            # Whether the firewall reads such a path is not documented: it matches nothing.
            return fold(text)
        if text.startswith(("\\\\?\\", "\\??\\")):
            text = text[4:]
        return fold(ntpath.normpath(text))

    def same(self, path: str, candidate: str) -> bool:
        """Return whether two paths mean the same file."""
        first, second = self.canonical(path), self.canonical(candidate)
        if first == second or "~" not in first + second:
            return first == second
        parts, candidate_parts = first.split("\\"), second.split("\\")
        if len(parts) != len(candidate_parts):
            return False
        return all(map(self._same_part, parts, candidate_parts))

    def below(self, path: str, folder: str) -> bool:
        """Return whether a path is below a folder; one in an odd spelling is not known to be."""
        if odd_file_name(path):
            return False
        return self.canonical(path).startswith(self.canonical(folder).rstrip("\\") + "\\")

    def _same_part(self, part: str, candidate: str) -> bool:
        return (
            part == candidate
            or self._abbreviates(part, candidate)
            or self._abbreviates(candidate, part)
        )

    def _abbreviates(self, short: str, name: str) -> bool:
        """Return whether an 8.3 name can stand for a long one.

        How Windows makes them: GetShortPathName and "How Windows generates 8.3 file names"
        (KB 142982). Blanks and dots are dropped and six characters stay; from the fifth collision
        on it is two characters and a checksum. Which of two similar folders was first cannot be
        read from the name; for Program Files and Program Files (x86) it is the order in which
        Windows makes them.
        """
        if short in self._short_folders:
            return self._short_folders[short] == name
        match = _SHORT_NAME.fullmatch(short)
        if match is None or "~" in name:
            return False
        stem, suffix = ntpath.splitext(name)
        if suffix[1:4] != (match[3] or ""):
            return False
        return _can_begin(match[1], stem)


def _can_begin(beginning: str, stem: str) -> bool:
    """Return whether the part of an 8.3 name before the tilde can be made from a long name."""
    clean = re.sub(r"[+,;=\[\]]", "_", re.sub(r"[ .]", "", stem))
    if clean[:6] == beginning:
        return True
    has_checksum = re.fullmatch(r"..[0-9A-F]{4}", beginning) is not None
    return has_checksum and clean[:2] == beginning[:2]
