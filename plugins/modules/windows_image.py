#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_image
short_description: Read a Windows image that is not running, and change its registry
version_added: 1.0.0
description:
  - Gives of an image the same snapshot that M(ets6.network.windows_host) gives of a PC.
  - It is internal, decides nothing, and its options may change in any release. M(ets6.network.policy) uses it.
  - Reading needs neither root nor a mount, and never changes the image. Only the few files that are needed are taken out of it.
  - A hive that was not written to its end is brought up to date in memory from its logs where these are complete; else it is refused.
  - Operations are carried out all or none. The new hive is made beside the old one, read back, compared with it key by key, and
    only then put in place; a run that is killed leaves the old image or the new one.
  - In a WIM a hive that was changed loses its own security descriptor and the attribute C(hidden); it inherits its folder's rights where the WIM is applied.
requirements:
  - Python 3.11
  - libwim for WIM, ESD and ISO files, and wimlib-imagex for changes of them (both with Debian wimtools)
  - dissect.hypervisor, dissect.volume and dissect.ntfs for disk images
  - libhivex for changes (Debian libhivex0), and ntfscp and qemu-io for changes of disk images (Debian ntfs-3g, qemu-utils)
options:
  path:
    type: path
    required: true
    description:
      - 'The image: a folder (a mounted image, or the hives C(SYSTEM), C(SOFTWARE) and C(NTUSER.DAT) beside each other), a WIM or ESD file, a
        disk image (VHD, VHDX, QCOW2, VMDK, VDI, raw), or, to be read, an ISO with a Windows setup. Its content says which; its name does not
        matter.'
  index:
    type: str
    default: ''
    description:
      - Number or name of the image in a WIM or ESD that holds several.
  registry:
    type: list
    elements: dict
    default: []
    description: Keys to be read.
    suboptions:
      path:
        type: str
        required: true
        description: Path of the key, such as C(HKLM\SYSTEM\CurrentControlSet\Control); the current control set is the one that C(Select) names.
      depth:
        type: int
        default: 0
        description: How many levels of keys below it are read too.
      values:
        type: list
        elements: str
        default: []
        description: Names of the values to be read; all of them where the list is empty.
  user_registry:
    type: list
    elements: dict
    default: []
    description: Keys to be read in the hive of every user, and in the default user's.
    suboptions:
      path:
        type: str
        required: true
        description: Path of the key below the hive's root.
      depth:
        type: int
        default: 0
        description: How many levels of keys below it are read too.
      values:
        type: list
        elements: str
        default: []
        description: Names of the values to be read; all of them where the list is empty.
  files:
    type: list
    elements: str
    default: []
    description: Files to be looked up. Environment strings are the image's own; a leading V(*:\\) means each of its partitions with NTFS.
  named_files:
    type: list
    elements: str
    default: []
    description: File names; what the data of a value that was read names so is looked for too.
  programs:
    type: list
    elements: str
    default: []
    description: Windows paths of programs that count as present, whatever the image holds.
  restore:
    type: bool
    default: false
    description: Whether a change of a folder that was interrupted is undone before it is read. Not in check mode.
  operations:
    type: list
    elements: dict
    default: []
    description:
      - C(set_registry_values), as in M(ets6.network.windows_host). All or none of them are carried out.
attributes:
  check_mode:
    support: full
    description:
      - Can run in check mode. Operations are then carried out on copies in memory; what is returned is what would come of them,
        refusals included.
  diff_mode:
    support: none
    description: The policy task returns what has changed.
  platform:
    support: full
    platforms: posix
    description: Where it runs, which is where the image is.
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
  - module: ets6.network.windows_host
"""

EXAMPLES = r"""
- name: List the images of a WIM
  ets6.network.windows_image:
    path: /srv/images/install.wim
  delegate_to: localhost
  register: listed

- name: Read the firewall of one of them
  ets6.network.windows_image:
    path: /srv/images/install.wim
    index: Windows 11 Pro
    registry:
      - path: HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy
        depth: 1
  delegate_to: localhost
"""

RETURN = r"""
images:
  description: The images that the file holds, or the one that was asked for. A folder or disk image is one, without index and name.
  returned: always
  type: list
  elements: dict
  sample:
    - index: '1'
      name: Windows 11 Pro
snapshot:
  description: What was read, as base64 of gzip of JSON. Sections that an image cannot know are null, with the reason in C(errors).
  returned: when anything was asked for
  type: str
notes:
  description: Sentences about what was left out or restored, and about programs that only O(programs) says exist.
  returned: success
  type: list
  elements: str
operations:
  description: What became of each operation, C(state) being V(done), V(failed) or V(not_done).
  returned: always
  type: list
  elements: dict
  sample:
    - state: done
      error: ''
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import image, image_kind
from ..module_utils.errors import ModuleError
from ..module_utils.image_source import ImageError
from ..module_utils.wire import pack

READS = ("registry", "user_registry", "files", "named_files")
"""Options that ask for a part of the snapshot."""


def main() -> None:
    """Run the module."""
    key = {
        "path": {"type": "str", "required": True},
        "depth": {"type": "int", "default": 0},
        "values": {"type": "list", "elements": "str", "default": []},
    }
    keys = {"type": "list", "elements": "dict", "default": [], "options": key}
    texts = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "index": {"type": "str", "default": ""},
            "registry": keys,
            "user_registry": keys,
            "files": texts,
            "named_files": texts,
            "programs": texts,
            "restore": {"type": "bool", "default": False},
            "operations": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
        # Ansible logs arguments, and an operation may hold the login of a proxy.
        no_log=True,
    )
    options = module.params
    try:
        result = run(options, module.check_mode, module.tmpdir)
    except ModuleError as error:
        # What cannot be read is an image, too: its error is the result of one.
        images = [{"index": options["index"], "name": ""}]
        module.fail_json(msg=str(error), images=images)
    module.exit_json(**result)


def run(options: Mapping[str, Any], check_mode: bool, work: str) -> dict[str, Any]:
    """Do what the options say and return the module's result, with notes. Raises ModuleError."""
    operations = options["operations"]
    reads = any(options[name] for name in READS)
    with _os_errors(options["path"]):
        file = image_kind.recognise(options["path"], work)
        restored = options["restore"] and not check_mode and file.restore()
        result: dict[str, Any] = {
            "images": file.images(options["index"]),
            "changed": restored,
            "operations": [],
            "notes": [],
        }
        if restored:
            result["notes"].append(
                f"{file.title}: preparing it was interrupted earlier. The hives of before were restored."
            )
        if operations:
            with _opened(file, options, work) as opened:
                result["operations"], changed = _operate(opened, operations, check_mode)
                result["changed"] = restored or changed
                if reads and check_mode:
                    _add_snapshot(result, opened, options)
        if reads and "snapshot" not in result:
            # Opened again: after a change the image is not what was read before it.
            with _opened(file, options, work) as opened:
                _add_snapshot(result, opened, options)
    return result


def _operate(
    opened: image.Image, operations: list[Mapping[str, Any]], check_mode: bool
) -> tuple[list[dict[str, str]], bool]:
    """Carry operations out, in check mode in memory.

    Return what became of each, and whether that changed anything.
    """
    carry_out = opened.rehearse if check_mode else opened.apply
    states = [{"state": "done", "error": ""} for _operation in operations]
    changed = False
    try:
        changed = carry_out(operations)
    except ImageError as error:
        states = [{"state": "not_done", "error": ""} for _operation in operations]
        states[0] = {"state": "failed", "error": str(error)}
    return states, changed


def _add_snapshot(result: dict[str, Any], opened: image.Image, options: Mapping[str, Any]) -> None:
    result["snapshot"] = pack(opened.snapshot(options))
    result["notes"] += opened.notes


@contextmanager
def _opened(
    file: image_kind.ImageFile, options: Mapping[str, Any], work: str
) -> Iterator[image.Image]:
    """Open the image that is asked for. Raises ImageError."""
    source = file.open(options["index"], work, options["files"])
    try:
        yield image.Image(source, options.get("programs") or ())
    finally:
        source.close()


@contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Raise ImageError in place of OSError."""
    try:
        yield
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror} ({error.filename})") from None


if __name__ == "__main__":
    main()
