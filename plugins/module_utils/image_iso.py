# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""An ISO with a Windows setup in it, read by pycdlib: its install.wim or install.esd is taken out.

Microsoft's ISOs hold their files in a UDF file system; others have ISO 9660 with Joliet.
"""

from __future__ import annotations

import os

from . import bounds
from .bounds import BoundsError
from .image_source import ImageError

try:
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException
except ImportError:
    HAS_PYCDLIB = False
else:
    HAS_PYCDLIB = True

FOLDER = "sources"
NAMES = ("install.wim", "install.esd")
SECONDS = 1800
"""Time to take out a file of some gigabytes."""


def extract(path: str, folder: str) -> str:
    """Put the WIM or ESD of an ISO into a folder. Return its path. Raises ImageError and OSError."""
    if not HAS_PYCDLIB:
        raise ImageError(
            f"{path} is an ISO, which is read with the Python package pycdlib. Install it, or take "
            f"{FOLDER}/install.wim out: 7z x IMAGE {FOLDER}/install.wim"
        )
    target = os.path.join(folder, "install.wim")
    if os.path.exists(target):
        return target
    try:
        found = bounds.call(lambda: _extract(path, target), seconds=SECONDS)
    except BoundsError as error:
        raise ImageError(
            f"{path} cannot be read: {error}. Copy the ISO again from where it comes from, or take "
            f"{FOLDER}/install.wim out with another program: 7z x IMAGE {FOLDER}/install.wim"
        ) from None
    if not found:
        raise ImageError(
            f"{path} is an ISO without {' or '.join(f'{FOLDER}/{name}' for name in NAMES)}"
        )
    return target


def _extract(path: str, target: str) -> bool:
    """Take the file out. Return whether there is one."""
    iso = pycdlib.PyCdlib()
    iso.open(path)
    for name in NAMES:
        spelling = f"/{FOLDER}/{name}"
        parameter = {"iso_path": f"{spelling};1".upper()}
        if iso.has_udf():
            parameter = {"udf_path": spelling}
        elif iso.has_joliet():
            parameter = {"joliet_path": spelling}
        try:
            iso.get_record(**parameter)
        except PyCdlibException:
            continue
        partial = f"{target}.part"
        with open(partial, "wb") as file:
            iso.get_file_from_iso_fp(file, **parameter)
        os.rename(partial, target)
        return True
    return False
