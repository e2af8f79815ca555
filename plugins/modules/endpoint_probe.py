#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_probe
short_description: Probe the servers that ETS6 needs from a POSIX host
version_added: 1.0.0
description:
  - Makes of a POSIX host the probes that M(ets6.network.windows_host) makes of a PC, and returns them in the same form. It decides nothing;
    M(ets6.network.policy) uses it for hosts that are no Windows PCs, and judges what it returns.
  - 'Each probe goes from the name service over TCP, the proxy and TLS to the answer, and keeps what it met: addresses, the proxy''s answer, the
    presented certificates whatever their validity, status and headers, and the first 64 KB of the body.'
  - All probes run side by side. Each is one request, without credentials, cookies or anything else that identifies a user, and follows no redirect.
  - Of the hosts file it returns the lines that name a probed server, and no others.
  - Unlike a PC's its probes know nothing of what Windows thinks of a certificate.
requirements:
  - Nothing but Python. Before Python 3.13 other implementations than CPython see of a chain the server's own certificate only.
options:
  probes:
    type: list
    elements: dict
    required: true
    description: Servers to be reached.
    suboptions:
      name:
        type: str
        required: true
        description: What the result is called.
      url:
        type: str
        required: true
        description: The URL, C(http) or C(https).
      address:
        type: str
        default: ''
        description: C(host:port) to connect to instead of what the URL's name resolves to.
      proxies:
        type: list
        elements: str
        default: ['']
        description: The ways to be tried, C(host:port) of an HTTP proxy, or an empty string for the direct one.
      max_body:
        type: int
        default: 65536
        description: Bytes of the answer's body that are returned.
  probe_timeout:
    type: int
    default: 10
    description: Seconds after which no probe goes on.
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
    description: Where it runs.
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.policy
  - module: ets6.network.windows_host
"""

EXAMPLES = r"""
- name: See whether the vendor is reached, directly and through the proxy
  ets6.network.endpoint_probe:
    probes:
      - name: updates
        url: https://update.knx.org
        proxies: ['', 'proxy.example.com:3128']
  register: found
"""

RETURN = r"""
snapshot:
  description: What was found, as base64 of gzip of JSON, in the form that M(ets6.network.windows_host) gives it.
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
