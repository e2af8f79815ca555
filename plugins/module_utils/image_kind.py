# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What an image is, according to its content and never to its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from . import image_files, image_iso, image_wim
from .image_disk import Disk
from .image_folder import Folder
from .image_source import ImageError, Source, open_file
from .image_volume import BITLOCKER, CAPTURE, NTFS_ID
from .image_wim import Wim, WimImage

ACCEPTED = (
    "a folder (mounted image or hives), a WIM or ESD file, a disk image (VHD, VHDX, QCOW2, VMDK, VDI, "
    "raw), and an ISO for verification"
)
SECTOR = 512
HEAD = 64 * 1024
FOOT = 1024


@dataclass(frozen=True)
class _Mark:
    """The first bytes of a kind of file, where they are, and what to do with it or its kind's name."""

    magic: bytes
    offset: int
    text: str


_KINDS = (
    *(_Mark(magic, 0, "wim") for magic in image_wim.MARKS),
    _Mark(b"QFI\xfb", 0, "qcow2"),
    _Mark(b"vhdxfile", 0, "vhdx"),
    _Mark(b"conectix", 0, "vhd"),
    _Mark(b"KDMV", 0, "vmdk"),
    _Mark(b"# Disk DescriptorFile", 0, "vmdk"),
    _Mark(b"\x7f\x10\xda\xbe", 0x40, "vdi"),
    # A hybrid ISO has a partition table, too, which is for sticks; it comes first.
    _Mark(b"CD001", 0x8001, "iso"),
    _Mark(b"BEA01", 0x8001, "iso"),
)
_CONVERT = "convert it: qemu-img convert -O qcow2 IMAGE NEW"
_REFUSED = (
    _Mark(
        b"regf", 0, "it is a single registry hive; specify the folder with it and the other hives"
    ),
    _Mark(b"QED\0", 0, f"it is a disk image of QEMU's older format QED; {_CONVERT}"),
    _Mark(b"COWD", 0, f"it is an extent of an old VMware ESX disk (COWD); {_CONVERT}"),
    _Mark(
        b"\xbe\xba\xfe\xca\0\0\0\0",
        0,
        "it is an extent of a VMware snapshot (SESparse); consolidate the snapshots in VMware "
        "(vmkfstools -i IMAGE NEW)",
    ),
    _Mark(
        b"SignedImage ",
        4,
        "it is a Full Flash Update (FFU); apply it to a disk in Windows (DISM /Apply-FFU) and capture "
        "that (DISM /Capture-Image)",
    ),
    _Mark(b"PK\x03\x04", 0, "it is a ZIP archive; unpack it: unzip IMAGE"),
    _Mark(b"7z\xbc\xaf\x27\x1c", 0, "it is a 7-Zip archive; unpack it: 7z x IMAGE"),
    _Mark(b"Rar!", 0, "it is a RAR archive; unpack it: unrar x IMAGE"),
    _Mark(b"\x1f\x8b", 0, "it is compressed with gzip; unpack it: gunzip IMAGE"),
    _Mark(b"\xfd7zXZ\0", 0, "it is compressed with xz; unpack it: unxz IMAGE"),
    _Mark(b"\x28\xb5\x2f\xfd", 0, "it is compressed with zstd; unpack it: unzstd IMAGE"),
    _Mark(b"BZh", 0, "it is compressed with bzip2; unpack it: bunzip2 IMAGE"),
    _Mark(b"\x04\x22\x4d\x18", 0, "it is compressed with lz4; unpack it: unlz4 IMAGE"),
    _Mark(b"MSCF", 0, "it is a cabinet; unpack it: cabextract IMAGE"),
    _Mark(
        b"ustar",
        257,
        "it is an archive (OVA or TAR); unpack it (tar -xf IMAGE) and use the disk image in it",
    ),
    _Mark(b"WithoutFreeSpace", 0, f"it is a Parallels disk; {_CONVERT}"),
    _Mark(b"WithouFreSpacExt", 0, f"it is a Parallels disk; {_CONVERT}"),
    _Mark(b"ReFS", 3, f"it is a volume with ReFS, which is not supported; {CAPTURE}"),
    _Mark(b"EXFAT   ", 3, "it is a volume with exFAT, from which Windows does not start"),
    _Mark(b"FAT32   ", 82, "it is a volume with FAT32, from which Windows does not start"),
    _Mark(b"\x53\xef", 1080, "it is a Linux file system without Windows"),
)
"""What people also have, and what to do with it."""


@dataclass(frozen=True)
class ImageFile:
    """A file or folder with images of Windows. kind: folder, iso, wim, or a disk image's.

    path is where it is read, title what errors call it. An ISO is read where a part of its WIM was
    copied. wim_images are the images of a WIM, with those that hold no Windows.
    """

    path: str
    kind: str
    title: str
    wim_images: Sequence[WimImage] = ()

    def images(self, index: str) -> list[dict[str, str]]:
        """Return number (``index``) and name of the images, or of the one with this number or name.

        Images of a WIM that hold no Windows are left out unless one is asked for. A folder or disk
        image is one image, both are empty. Raises ImageError.
        """
        chosen = self._chosen(index)
        return [{"index": image.index, "name": image.name} for image in chosen]

    def _chosen(self, index: str) -> list[WimImage]:
        if self.kind not in ("wim", "iso"):
            return self._only(index)
        images = self.wim_images
        chosen = [image for image in images if index in ("", image.index, image.name)]
        if not chosen:
            labels = ", ".join(image.label for image in images)
            raise ImageError(f"{self.title} holds no image {index}; it holds {labels}")
        windows = [image for image in chosen if not image.not_windows]
        if not windows:
            problems = [f"{image.label} is {image.not_windows}" for image in chosen]
            raise ImageError(f"{self.title} holds no Windows installation: {'; '.join(problems)}")
        return windows

    def _only(self, index: str) -> list[WimImage]:
        if index:
            raise ImageError(
                f"{self.title} is one image, so there is no image {index} to choose in it"
            )
        return [WimImage("", "", "")]

    def restore(self) -> bool:
        """Undo a change of a folder that was interrupted. Return whether there was one.

        The other kinds are replaced by one rename. Raises ImageError.
        """
        if self.kind != "folder":
            return False
        folder = Folder(self.path)
        try:
            return folder.restore()
        finally:
            folder.close()

    def open(self, index: str, work: str, files: Iterable[str] = ()) -> Source:
        """Open an image. index (number or name) is for files that hold several.

        work is a folder for what has to be unpacked. files are Windows paths that will be looked up.
        Raises ImageError, and OSError where that folder or the image's own cannot be used.
        """
        chosen = self._chosen(index)
        if len(chosen) > 1:
            labels = ", ".join(image.label for image in chosen)
            raise ImageError(
                f"{self.title} holds several images, so index must say which of them: {labels}"
            )
        if self.kind == "folder":
            return Folder(self.path)
        wanted = [image_files.pattern(file) for file in files]
        if self.kind == "wim":
            return Wim(self.path, chosen[0].index, work, wanted=wanted)
        if self.kind == "iso":
            refusal = (
                f"{self.title} is an ISO, which cannot be changed. Take its WIM out and prepare that: "
                "7z x IMAGE sources/install.wim"
            )
            return Wim(
                self.path,
                chosen[0].index,
                work,
                wanted=wanted,
                title=self.title,
                read_only=refusal,
                fetch=partial(image_iso.fetch, self.title, self.path),
            )
        return Disk(self.path, self.kind, work)


def recognise(path: str, work: str) -> ImageFile:
    """Return what a file or folder is. work is a folder for what has to be unpacked.

    Raises ImageError for anything that is not accepted, saying what it is; OSError where work cannot
    be used.
    """
    kind = _kind(path)
    place = path
    if kind == "iso":
        place = image_iso.begin(path, work)
    if kind in ("wim", "iso"):
        return ImageFile(place, kind, path, image_wim.list_images(place, path))
    return ImageFile(path, kind, path)


def _kind(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return "folder"
        if not stat.S_ISREG(mode):
            # Opening a pipe could wait without end, and a device would be replaced by a file.
            raise ImageError(
                f"{path} is neither a file nor a folder. Accepted are {ACCEPTED}; copy a device to a "
                "file first."
            )
        with open_file(os.path.realpath(path)) as file:
            head = file.read(HEAD)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - FOOT))
            foot = file.read(FOOT)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from None
    kind = _marked(_KINDS, head)
    if kind:
        return kind
    # A fixed VHD begins with its disk and ends with the footer.
    if foot[-SECTOR:].startswith(b"conectix"):
        return "vhd"
    if head[3:11] in (NTFS_ID, BITLOCKER):
        return "raw"
    advice = _marked(_REFUSED, head)
    if not advice and _has_partition_table(head):
        return "raw"
    advice = (
        advice or "its content is of no supported kind, or it is a disk without a partition table"
    )
    raise ImageError(f"{path} is not a Windows image: {advice}. Accepted are {ACCEPTED}.")


def _marked(marks: tuple[_Mark, ...], head: bytes) -> str:
    for mark in marks:
        if head.startswith(mark.magic, mark.offset):
            return mark.text
    return ""


def _has_partition_table(head: bytes) -> bool:
    has_gpt = b"EFI PART" in (head[512:520], head[4096:4104])
    return has_gpt or head[510:512] == b"\x55\xaa"
