#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_image
short_description: Read a Windows image that is not running, and change its registry
version_added: 1.0.0
description:
  - Gives of an image the same snapshot that M(ets6.network.windows_host) gives of a PC. It decides nothing; M(ets6.network.policy) uses it.
  - Reading needs neither root nor a mount, and never changes the image. Only the few files that are needed are taken out of it.
  - A hive that was not written to its end is brought up to date in memory from its logs where they tell the whole story; else it is refused.
  - Operations are carried out all or none. The new hive is made beside the old one, read back, compared with it key by key, and
    only then put in place; a run that is killed leaves the old image or the new one.
  - In a WIM a hive that was changed loses its own security descriptor and the attribute C(hidden); it inherits its folder's rights where the WIM is applied.
requirements:
  - Python 3.11
  - wimlib-imagex for WIM and ESD files (Debian wimtools)
  - dissect.hypervisor, dissect.volume and dissect.ntfs for disk images
  - libhivex for changes (Debian libhivex0), and ntfscp and qemu-io for changes of disk images (Debian ntfs-3g, qemu-utils)
options:
  path:
    type: path
    required: true
    description:
      - 'The image: a folder (a mounted image, or the hives C(SYSTEM), C(SOFTWARE) and C(NTUSER.DAT) beside each other), a WIM or ESD file, or a
        disk image (VHD, VHDX, QCOW2, raw). What it is shows in its content; its name does not matter.'
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
  files:
    type: list
    elements: str
    default: []
    description: Files to be looked for. Environment strings are the image's own; a leading V(*:\\) stands for its one drive.
  named_files:
    type: list
    elements: str
    default: []
    description: File names; what the data of a value that was read names so is looked for too.
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
operations:
  description: What became of each operation, C(state) being V(done), V(failed) or V(not_done).
  returned: always
  type: list
  elements: dict
  sample:
    - state: done
      error: ''
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import image, image_kind
from ..module_utils.image_source import ImageError
from ..module_utils.wire import pack

ASKED = ("registry", "user_registry", "files", "named_files")


def main() -> None:
    """Run the module."""
    key = {"path": {"type": "str", "required": True}, "depth": {"type": "int", "default": 0}}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "index": {"type": "str", "default": ""},
            "registry": {"type": "list", "elements": "dict", "default": [], "options": key},
            "user_registry": {"type": "list", "elements": "dict", "default": [], "options": key},
            "files": {"type": "list", "elements": "str", "default": []},
            "named_files": {"type": "list", "elements": "str", "default": []},
            "operations": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    asked = module.params
    images = [{"index": asked["index"], "name": ""}]
    try:
        images = image_kind.images(asked["path"], asked["index"])
        module.exit_json(images=images, **run(asked, module.check_mode, module.tmpdir))
    except ImageError as error:
        module.fail_json(msg=str(error), images=images)


def run(asked: dict[str, Any], check_mode: bool, work: str) -> dict[str, Any]:
    """Do what is asked for and return the rest of the module's result. Raises ImageError."""
    steps, reads = asked["operations"], any(asked[name] for name in ASKED)
    result: dict[str, Any] = {"changed": False, "operations": []}
    if steps:
        with opened(asked, work) as here:
            result["operations"] = [{"state": "done", "error": ""} for _step in steps]
            try:
                result["changed"] = here.rehearse(steps) if check_mode else here.apply(steps)
            except ImageError as error:
                result["operations"] = [{"state": "not_done", "error": ""} for _step in steps]
                result["operations"][0] = {"state": "failed", "error": str(error)}
            if reads and check_mode:
                result["snapshot"] = pack(here.snapshot(asked))
    if reads and "snapshot" not in result:
        # Opened again: after a change the image is not what was read before it.
        with opened(asked, work) as here:
            result["snapshot"] = pack(here.snapshot(asked))
    return result


@contextmanager
def opened(asked: dict[str, Any], work: str) -> Iterator[image.Image]:
    """Open the image that is asked for. Raises ImageError."""
    try:
        source = image_kind.open_image(asked["path"], asked["index"], work)
        try:
            yield image.Image(source)
        finally:
            source.close()
    except OSError as error:
        raise ImageError(f"{asked['path']} cannot be read: {error.strerror} ({error.filename})") from None


if __name__ == "__main__":
    main()
