# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Descriptors of files and folders as Windows sets them, from published output of Get-Acl and icacls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
BOB = "S-1-5-21-1004336348-1177238915-682003330-1002"
DRIVE_C = (
    f"O:{INSTALLER}D:PAI(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    "(A;OICI;0x1200a9;;;BU)"
)
"""C:\\ since Windows 10: users may create folders, and change what is created below."""
DRIVE_D = (
    "O:BAD:(A;OICIIO;SDGXGWGR;;;AU)(A;;0x1301bf;;;AU)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;;FA;;;BA)"
    "(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)"
)
"""The root of another disk: users may change it."""
PROGRAM_FILES = (
    f"O:{INSTALLER}D:PAI(A;;FA;;;{INSTALLER})(A;CIIO;GA;;;{INSTALLER})(A;;0x1301bf;;;SY)"
    "(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)"
    "(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)(A;OICIIO;GXGR;;;AC)"
)
BELOW_C = (
    "O:BAD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)"
    "(A;OICIIOID;SDGXGWGR;;;AU)"
)
"""A folder that an administrator created in C:\\, as it inherits: users may change it."""
OF_BOB = f"O:{BOB}D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)"
ONLY_ADMINISTRATORS = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
"""The same with inheritance switched off."""


def access(paths: Iterable[str], **sddl: str) -> Mapping[str, Any]:
    """Return what the PC reports of these paths; sddl has other descriptors, by the drive's letter or the last name."""
    known = {"C": DRIVE_C, "D": DRIVE_D, "Program Files": PROGRAM_FILES, **sddl}
    reported = {}
    for path in paths:
        names = path[3:].split("\\")
        for number in range(len(names) + 1):
            part = path[:3] + "\\".join(names[:number])
            name = names[number - 1] if number else path[0]
            reported[part] = {"sddl": known.get(name, ONLY_ADMINISTRATORS), "attributes": 16}
    return reported
