# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Words in an issuer's name by which products that open TLS connections are known.

From Chromium's ssl_error_assistant and from the vendors' public files. A name is a hint and no proof: it says who is on the
path where the chain already proves interception.
"""

from __future__ import annotations

PRODUCTS = (
    ("avast! web/mail shield", "Avast"),
    ("norton web/mail shield", "Norton"),
    ("bitdefender", "Bitdefender"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("forcepoint", "Forcepoint"),
    ("fortigate", "Fortinet FortiGate"),
    ("fortinet", "Fortinet FortiGate"),
    ("kaspersky", "Kaspersky"),
    ("mcafee web gateway", "McAfee Web Gateway"),
    ("sophos", "Sophos"),
    ("blue coat", "Blue Coat"),
    ("iwss.trend", "Trend Micro"),
    ("zscaler", "Zscaler"),
    ("goskope.com", "Netskope"),
    ("certadmin@netskope.com", "Netskope"),
    ("eset ssl filter", "ESET"),
    ("cloudflare managed", "Cloudflare Gateway"),
    ("do_not_trust_fiddlerroot", "Fiddler"),
    ("charles proxy ca", "Charles"),
    ("mitmproxy", "mitmproxy"),
)


def product(names: str) -> str:
    """Return the product that an issuer's name speaks of, or nothing."""
    lowered = names.lower()
    return next((name for words, name in PRODUCTS if words in lowered), "")
