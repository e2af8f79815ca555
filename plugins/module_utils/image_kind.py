# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an image is: told by its content, never by its name."""

from __future__ import annotations

import os
import stat

from . import image_disk, image_wim
from .image_folder import Folder
from .image_source import ImageError, Source

ACCEPTED = "a folder (mounted image or hives), a WIM or ESD file, a disk image (VHD, VHDX, QCOW2, raw)"
SECTOR = 512


def recognise(path: str) -> str:
    """Return ``folder``, ``wim``, ``vhd``, ``vhdx``, ``qcow2`` or ``raw``. Raises ImageError for anything else, saying what it is."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return "folder"
        if not stat.S_ISREG(mode):
            # Opening a pipe could wait for ever, and a device would be replaced by a file.
            raise ImageError(f"{path} is neither a file nor a folder. Accepted are {ACCEPTED}; copy a device to a file first.")
        with open(path, "rb") as file:
            head = file.read(64 * 1024)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - SECTOR))
            foot = file.read(8)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None
    kind = _of(head, foot)
    if kind:
        return kind
    hint = next((text for magic, at, text in KNOWN if head[at : at + len(magic)] == magic), "")
    raise ImageError(f"{path} is no Windows image: {hint or 'its content is of no kind that is known'}. Accepted are {ACCEPTED}.")


KNOWN = (
    (b"regf", 0, "it is a single registry hive; give the folder in which it is, beside the others"),
    (b"KDMV", 0, "it is a VMDK; convert it with qemu-img convert -O qcow2"),
    (b"\x7f\x10\xda\xbe", 0x40, "it is a VDI; convert it with qemu-img convert -O qcow2"),
    (b"CD001", 0x8001, "it is an ISO; take sources/install.wim or install.esd out of it"),
    (b"PK\x03\x04", 0, "it is a ZIP archive; unpack it"),
)
"""What people also have: its first bytes, where they stand, and the way that works."""


def _of(head: bytes, foot: bytes) -> str:
    if head[:8] in (b"MSWIM\0\0\0", b"WLPWM\0\0\0"):
        return "wim"
    if head[:4] == b"QFI\xfb":
        return "qcow2"
    if head[:8] == b"vhdxfile":
        return "vhdx"
    if b"conectix" in (head[:8], foot):
        return "vhd"
    table = head[510:512] == b"\x55\xaa" or head[512:520] == b"EFI PART" or head[4096:4104] == b"EFI PART"
    return "raw" if table or head[3:11] in (image_disk.NTFS_ID, image_disk.BITLOCKER) else ""


def images(path: str, index: str) -> list[dict[str, str]]:
    """Return number (``index``) and name of the images of a file, or of the one with this number or name.

    A folder or disk image is one, both are empty. Raises ImageError.
    """
    if recognise(path) != "wim":
        if index:
            raise ImageError(f"{path} is one image, so there is no image {index} to choose in it")
        return [{"index": "", "name": ""}]
    with open(path, "rb") as file:
        found = image_wim.images(path, file.read(512))
    chosen = [one for one in found if index in ("", one["index"], one["name"])]
    if not chosen:
        there = ", ".join(f"{one['index']} ({one['name']})" for one in found)
        raise ImageError(f"{path} holds no image {index}; it holds {there}")
    return chosen


def open_image(path: str, index: str, work: str) -> Source:
    """Open an image. index (number or name) is for files that hold several; work is a folder for what has to be unpacked.

    Raises ImageError, and OSError where the folder for the work or the image's own cannot be used.
    """
    kind, chosen = recognise(path), images(path, index)
    if len(chosen) > 1:
        there = ", ".join(f"{one['index']} ({one['name']})" for one in chosen)
        raise ImageError(f"{path} holds several images, so index has to say which of them is meant: {there}")
    if kind == "folder":
        return Folder(path)
    return image_wim.Wim(path, chosen[0]["index"], work) if kind == "wim" else image_disk.Disk(path, kind, work)
