#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_probe
short_description: Probe the servers that ETS6 needs from a POSIX host
version_added: 1.0.0
description:
  - This module is internal. M(ets6.network.policy) runs it on hosts that are not Windows PCs, and judges what it returns. Its options may change in any
    release.
  - Probes servers from a POSIX host as M(ets6.network.windows_host) does from a PC, and returns the results in the same form. It decides nothing.
  - 'Each probe resolves the name, connects, asks the proxy, shakes hands and sends one request. It returns what it received on the way: addresses, the
    proxy''s answer, the certificates whatever their validity, status and headers, and the first 64 KB of the body.'
  - All probes run side by side. A request has no credentials, no cookies and nothing else that identifies a user. Redirects are not followed.
  - Returns the lines of the hosts file that name a probed server, and no other lines.
  - Does not report whether Windows trusts a certificate; only a PC can.
requirements:
  - Python on the host, and nothing else. Before Python 3.13 implementations other than CPython return only the server's own certificate of a chain.
options:
  probes:
    type: list
    elements: dict
    required: true
    description: The servers to probe.
    suboptions:
      name:
        type: str
        required: true
        description: The name of the result.
      url:
        type: str
        required: true
        description: The URL, C(http) or C(https).
      address:
        type: str
        default: ''
        description: The C(host:port) to connect to instead of resolving the host name of the URL.
      proxies:
        type: list
        elements: str
        default: ['']
        description: The proxies to probe through, each C(host:port) of an HTTP proxy, or an empty string for a direct connection.
      max_body:
        type: int
        default: 65536
        description: The most bytes of the answer's body that are returned.
  probe_timeout:
    type: int
    default: 10
    description: The seconds after which all probes end.
attributes:
  check_mode:
    support: full
    description: Can run in check mode, since it changes nothing.
  diff_mode:
    support: none
    description: It changes nothing.
  platform:
    support: full
    platforms: posix
    description: The hosts that it runs on.
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
  - module: ets6.network.windows_host
"""

EXAMPLES = r"""
- name: Probe the vendor's server directly and through the proxy
  ets6.network.endpoint_probe:
    probes:
      - name: updates
        url: https://update.knx.org
        proxies: ['', 'proxy.example.com:3128']
  register: probes
"""

RETURN = r"""
snapshot:
  description: The results, as JSON that is compressed with gzip and encoded as base64, in the form of M(ets6.network.windows_host).
  returned: always
  type: str
  sample: H4sIAAAAAAAAA6tWKkstKs7Mz1OyMtRRykgtSgUA
"""

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.probe import probe_all
from ..module_utils.wire import pack

HOSTS_FILE = Path("/etc/hosts")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "probes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                    "address": {"type": "str", "default": ""},
                    "proxies": {"type": "list", "elements": "str", "default": [""]},
                    "max_body": {"type": "int", "default": 65536},
                },
            },
            "probe_timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    probes = probe_all(module.params["probes"], float(module.params["probe_timeout"]))
    module.exit_json(
        changed=False, snapshot=pack(snapshot(probes, hosts_lines(module.params["probes"])))
    )


def hosts_lines(probes: list[dict[str, Any]]) -> list[str] | None:
    """Return the lines of the hosts file that name a probed server, None where it cannot be read."""
    names = {urlsplit(str(probe["url"])).hostname for probe in probes}
    try:
        content = HOSTS_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = []
    for line in content.splitlines():
        words = line.partition("#")[0].lower().split()
        if names.intersection(word.rstrip(".") for word in words[1:]):
            lines.append(" ".join(words))
    return lines


def snapshot(probes: list[dict[str, Any]], hosts_file: list[str] | None = None) -> dict[str, Any]:
    """Return the probes as a snapshot of a host that only probes."""
    system = os.uname()
    host = {
        "name": system.nodename,
        "os": f"{system.sysname} {system.release}",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return {
        "version": 1,
        "host": host,
        "hosts_file": hosts_file,
        "probes": probes,
    }


if __name__ == "__main__":
    main()
