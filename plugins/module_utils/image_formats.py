# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The formats of disk images: what is checked before dissect.hypervisor reads one.

Accepted are only features that are known to be read right; checksums that a format has are verified,
and every layer that could hide newer data is refused: a parent image, a journal that was not applied,
a machine's saved state.

Formats: QCOW2 (docs/interop/qcow2.rst of QEMU), VHD ("Virtual Hard Disk Image Format Specification"),
VHDX (MS-VHDX), VMDK ("Virtual Disk Format 5.0"), VDI (VDICore.h of VirtualBox).
"""

from __future__ import annotations

import importlib
import os
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from .image_source import ImageError, open_file

SECTOR = 512
MERGE_IN_HYPER_V = "Merge-VHD of Hyper-V (qemu-img convert would leave out what the parent holds)"
MERGE_WITH_QEMU = "qemu-img convert -O qcow2 IMAGE NEW"
MERGE_IN_VIRTUALBOX = "VBoxManage clonemedium IMAGE NEW"
QEMU_FORMATS = {
    "vhd": "vpc",
    "vhdx": "vhdx",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vdi": "vdi",
    "raw": "raw",
}
"""The kinds of disk images by qemu's names."""
ATTACH = (
    "Attach it to Windows and detach it again (Mount-VHD and Dismount-VHD; first qemu-img convert -O "
    "vhdx where it is not a VHD or VHDX): this does not start the image. Only if the image was not "
    "generalized (Sysprep), you can start it instead, and shut it down fully (shutdown /s /t 0)."
)

QCOW2_HEADER = 80
"""Bytes of the header that are looked at. An image has more, in version 2 too: its tables."""
QCOW2_DIRTY, QCOW2_CORRUPT = 1, 2
QCOW2_UNSUPPORTED = (
    (4, "an external data file", ""),
    (16, "extended L2 entries", " -o extended_l2=off"),
    (8, "zstd compression", " -o compression_type=zlib"),
    (-1, "an unknown feature", ""),
)
"""Incompatible features by their bits, with the options of a conversion; -1 is any other."""
VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING = 2, 3, 4
VHDX_HEADERS = (64 * 1024, 128 * 1024)
VHDX_REGION_TABLES = (192 * 1024, 256 * 1024)
VDI_TYPES = (1, 2)
"""Dynamic and fixed; the others have a parent."""
FLAT_TYPES = ("Flat", "vmfs")
"""Ends of the types whose extents hold nothing but the disk's content."""
MAX_DESCRIPTOR = 64 * 1024
_EXTENT = re.compile(r'^(\w+) +(\d+) +(\w+)(?: +"([^"]*)"(?: +(\d+))?)?', re.MULTILINE)


LIBRARIES = (
    "dissect.hypervisor.disk.qcow2",
    "dissect.hypervisor.disk.vdi",
    "dissect.hypervisor.disk.vhd",
    "dissect.hypervisor.disk.vhdx",
    "dissect.hypervisor.disk.vmdk",
    "dissect.ntfs",
    "dissect.volume.disk",
)
"""What reads disk images. Other images do not need their 20 MB and half a second."""


def has_libraries() -> bool:
    """Import what reads disk images, for this process and those that begin in it.

    Return whether it is installed.
    """
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    except ImportError:
        return False
    return True


class DiskFile(NamedTuple):
    """What a disk image consists of.

    data is the file in which the blocks are: the image, or the one extent of a VMDK's descriptor.
    driver is qemu's for it. rewrite: blocks of it cannot be replaced, so it is written again as a
    whole. unwritable says why it cannot be changed, where it cannot.
    """

    data: str
    driver: str
    rewrite: bool = False
    unwritable: str = ""


def describe(path: str, kind: str, title: str) -> DiskFile:
    """Return what an image consists of. Raises ImageError and OSError."""
    if kind != "vmdk":
        return DiskFile(path, QEMU_FORMATS[kind])
    with open_file(path) as file:
        descriptor = _vmdk_descriptor(file, title)
    if _vmdk_type(descriptor) == "streamOptimized":
        return DiskFile(path, "vmdk", rewrite=True)
    extents = list(_vmdk_extents(path, descriptor, title))
    if not extents or extents == [path]:
        return DiskFile(path, "vmdk")
    if len(extents) == 1 and _vmdk_type(descriptor).endswith(FLAT_TYPES):
        return DiskFile(extents[0], "raw")
    return DiskFile(
        path,
        "vmdk",
        unwritable=f"{title} cannot be written: it is a VMDK in several files. Make one file of it: "
        "qemu-img convert -O vmdk IMAGE NEW",
    )


def open_disk(path: str, kind: str, title: str) -> Any:
    """Return a disk image as a stream, for dissect. Raises ImageError, OSError, and what dissect raises."""
    file = open_file(path)  # closed with the process
    if kind == "vmdk":
        return _open_vmdk(file, path, title)
    if kind == "raw":
        return _plain(file)
    return _OPEN[kind](file, title)


def _plain(file: BinaryIO) -> Any:
    """Return a file without its name, so that dissect follows no link from it to another file."""
    from dissect.util.stream import RangeStream

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return RangeStream(file, 0, size)


def _parent(title: str, how: str) -> ImageError:
    return ImageError(
        f"{title} holds only what is different from a parent image. Merge the two, and use the merged "
        f"image: {how}"
    )


def damaged(title: str, what: str) -> ImageError:
    """Return the error for an image with a part that is not what it has to be."""
    return ImageError(f"{title} is damaged: {what}. Copy it again from where it comes from.")


def _convert(title: str, feature: str, options: str = "") -> ImageError:
    return ImageError(
        f"{title} is a QCOW2 with {feature}, which is not supported. Convert it: qemu-img convert -O "
        f"qcow2{options} IMAGE NEW"
    )


def _open_qcow2(file: BinaryIO, title: str) -> Any:
    from dissect.hypervisor.disk.qcow2 import QCow2

    head = file.read(QCOW2_HEADER)
    if len(head) < QCOW2_HEADER:
        raise damaged(title, "it ends within its header")
    version, backing = struct.unpack_from(">IQ", head, 4)
    if version not in (2, 3):
        raise ImageError(
            f"{title} is a QCOW of version {version}; 2 and 3 are supported. Convert it: qemu-img "
            "convert -O qcow2 IMAGE NEW"
        )
    (encryption,) = struct.unpack_from(">I", head, 32)
    if encryption:
        raise ImageError(
            f"{title} is a QCOW2 with encryption, which is not supported. Decrypt it: qemu-img convert "
            "--object secret,id=key,file=PASSWORD --image-opts "
            "driver=qcow2,file.filename=IMAGE,encrypt.key-secret=key -O qcow2 NEW"
        )
    if backing:
        raise _parent(title, MERGE_WITH_QEMU)
    if version > 2:
        _refuse_qcow2_features(struct.unpack_from(">Q", head, 72)[0], title)
    return QCow2(_plain(file)).open()


def _refuse_qcow2_features(features: int, title: str) -> None:
    """Raise ImageError where an incompatible feature of a QCOW2 is not known to be read right."""
    if features & QCOW2_CORRUPT:
        raise ImageError(f"{title} is marked as corrupt. Repair it: qemu-img check -r all IMAGE")
    if features & QCOW2_DIRTY:
        raise ImageError(f"{title} was not closed. Repair it: qemu-img check -r all IMAGE")
    for feature, name, options in QCOW2_UNSUPPORTED:
        if features & feature:
            raise _convert(title, name, options)


def _open_vhd(file: BinaryIO, title: str) -> Any:
    from dissect.hypervisor.disk.vhd import VHD

    file.seek(-SECTOR, os.SEEK_END)
    content = file.read(SECTOR)
    (kind,) = struct.unpack_from(">I", content, 60)
    if kind == VHD_DIFFERENCING:
        raise _parent(title, MERGE_IN_HYPER_V)
    if content[84]:
        raise ImageError(
            f"{title} was saved with a running machine, in whose memory is what it has not written yet. "
            "Start that machine from its saved state, and shut Windows down fully (shutdown /s /t 0)."
        )
    if not _vhd_sum_fits(content, 64):
        raise damaged(title, "the checksum of its footer does not fit")
    if kind == VHD_DYNAMIC:
        file.seek(struct.unpack_from(">Q", content, 16)[0])
        if not _vhd_sum_fits(file.read(1024), 36):
            raise damaged(title, "the checksum of its header does not fit")
    elif kind != VHD_FIXED:
        raise ImageError(f"{title} is a VHD of the unknown type {kind}")
    return VHD(_plain(file))


def _vhd_sum_fits(content: bytes, position: int) -> bool:
    """Return whether a checksum fits: the complement of the sum of all other bytes."""
    (expected,) = struct.unpack_from(">I", content, position)
    total = sum(content) - sum(content[position : position + 4])
    return bool(~total & 0xFFFFFFFF == expected)


def _open_vhdx(file: BinaryIO, title: str) -> Any:
    from dissect.hypervisor.disk.vhdx import VHDX

    header = _vhdx_header(file, title)
    for position in VHDX_REGION_TABLES:
        file.seek(position)
        if not _vhdx_sum_fits(file.read(64 * 1024), b"regi"):
            raise damaged(title, "the checksum of its region table does not fit")
    if header[48:64] != bytes(16):
        raise ImageError(
            f"{title} was not closed: its log holds what is not yet in its place. Apply the log: "
            "qemu-img check -r all IMAGE, or attach it to Windows and detach it again (Mount-VHD and "
            "Dismount-VHD). This does not start the image."
        )
    if _vhdx_has_parent(file):
        raise _parent(title, MERGE_IN_HYPER_V)
    return VHDX(_plain(file))


def _vhdx_has_parent(file: BinaryIO) -> bool:
    from dissect.hypervisor.disk import c_vhdx
    from dissect.hypervisor.disk.vhdx import MetadataTable, RegionTable

    region: Any = RegionTable(file, VHDX_REGION_TABLES[0]).get(c_vhdx.METADATA_REGION_GUID)
    metadata = MetadataTable(file, region.file_offset, region.length)
    parameters: Any = metadata.get(c_vhdx.FILE_PARAMETERS_GUID)
    return bool(parameters.has_parent)


def _vhdx_header(file: BinaryIO, title: str) -> bytes:
    """Return the valid header with the greatest sequence number."""
    headers = []
    for position in VHDX_HEADERS:
        file.seek(position)
        content = file.read(4096)
        if _vhdx_sum_fits(content, b"head"):
            headers.append((struct.unpack_from("<Q", content, 8)[0], content))
    if not headers:
        raise damaged(title, "the checksums of its headers do not fit")
    return bytes(max(headers)[1])


def _vhdx_sum_fits(content: bytes, signature: bytes) -> bool:
    from dissect.util.hash.crc32c import crc32c

    if len(content) < 8 or content[:4] != signature:
        return False
    (expected,) = struct.unpack_from("<I", content, 4)
    return bool(crc32c(content[:4] + bytes(4) + content[8:]) == expected)


def _open_vdi(file: BinaryIO, title: str) -> Any:
    from dissect.hypervisor.disk.vdi import VDI

    head = file.read(512)
    kind = struct.unpack_from("<I", head, 76)[0]
    if kind not in VDI_TYPES or head[0x1A8:0x1B8] != bytes(16):
        raise _parent(title, MERGE_IN_VIRTUALBOX)
    return VDI(_plain(file)).open()


def _open_vmdk(file: BinaryIO, path: str, title: str) -> Any:
    from dissect.hypervisor.disk.vmdk import VMDK
    from dissect.util.stream import OverlayStream

    descriptor = _vmdk_descriptor(file, title)
    parent = re.search(r"^parentCID *= *(\w+)", descriptor, re.MULTILINE)
    if parent and parent[1].lower() != "ffffffff":
        raise _parent(title, MERGE_WITH_QEMU)
    extents = list(_vmdk_extents(path, descriptor, title)) or [path]
    streams = []
    for extent in extents:
        stream = _plain(open_file(extent))  # closed with the process
        if stream.read(4) == b"KDMV":
            # The descriptor was read already, and that of an extent may be empty: dissect sees none.
            stream = OverlayStream(stream, stream.size)
            stream.add(28, bytes(16))
        stream.seek(0)
        streams.append(stream)
    if _vmdk_type(descriptor).endswith(FLAT_TYPES) and len(streams) == 1:
        return streams[0]
    return VMDK(streams)


def _vmdk_descriptor(file: BinaryIO, title: str) -> str:
    """Return the descriptor, a text, of a VMDK that is one or that has one."""
    file.seek(0)
    head = file.read(SECTOR)
    file.seek(0)
    if head[:4] != b"KDMV":
        return file.read(MAX_DESCRIPTOR).decode("utf-8", "replace")
    if len(head) == SECTOR and head[72]:
        raise ImageError(
            f"{title} was not closed. Repair it, which does not start it: vmware-vdiskmanager -R IMAGE"
        )
    offset, size = struct.unpack_from("<QQ", head, 28)
    file.seek(offset * SECTOR)
    content = file.read(min(size * SECTOR, MAX_DESCRIPTOR)).partition(b"\0")[0]
    file.seek(0)
    if not content:
        raise ImageError(
            f"{title} is one of several files of a VMDK. Specify the file that names them, a short text: "
            "its name is that of the disk, without -s001 or the like."
        )
    return content.decode("utf-8", "replace")


def _vmdk_type(descriptor: str) -> str:
    match = re.search(r'^createType *= *"(\w+)"', descriptor, re.MULTILINE)
    return match[1] if match else ""


def _vmdk_extents(path: str, descriptor: str, title: str) -> Iterator[str]:
    """Return the files of a VMDK, which are beside it. Raises ImageError for other extents."""
    folder = os.path.dirname(path)
    if _vmdk_type(descriptor) in ("monolithicSparse", "streamOptimized"):
        yield path
        return
    for access, _sectors, kind, name, offset in _EXTENT.findall(descriptor):
        if access not in ("RW", "RDONLY"):
            continue
        start = int(offset or 0)
        if kind not in ("FLAT", "SPARSE", "VMFS") or start:
            raise ImageError(
                f"{title} has an extent that is not supported (type {kind}, offset {start}). Convert it: "
                "qemu-img convert -O qcow2 IMAGE NEW"
            )
        yield _beside(folder, name, title)


def _beside(folder: str, name: str, title: str) -> str:
    """Return the path of an extent. Raises ImageError where it is not in the folder of the image."""
    path = os.path.join(folder, name)
    is_name = name == os.path.basename(name) and "\\" not in name
    if not is_name or os.path.islink(path) or not os.path.isfile(path):
        raise ImageError(
            f"{title}: its extent {name!r} is not beside it. Copy all files of the disk into one folder."
        )
    return path


_OPEN: dict[str, Callable[[BinaryIO, str], Any]] = {
    "qcow2": _open_qcow2,
    "vhd": _open_vhd,
    "vhdx": _open_vhdx,
    "vdi": _open_vdi,
}
