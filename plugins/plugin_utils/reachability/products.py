# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Words in an issuer's name by which products that intercept TLS are known, and where they run.

A name is a hint and no proof. It outranks the name of the server in a certificate, and it says whom to
contact. docs/reachability.md has the table with its sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..finding import Contact


class Place(StrEnum):
    """Where a product intercepts."""

    SCANNER = "virus scanner or filter on the PC"
    APPLIANCE = "device of the network"
    CLOUD = "cloud service, often with an agent on the PC"
    TOOL = "debugging tool, usually on the PC"


ADVICE = {
    Place.SCANNER: "Exempt the server in that program on this PC, or in its management.",
    Place.APPLIANCE: "Ask the administrators of the firewall to exempt the server from TLS "
    "inspection.",
    Place.CLOUD: "Ask the administrators of the cloud service to exempt the server from TLS "
    "inspection.",
    Place.TOOL: "Look for the tool on this PC, or on the proxy that it uses.",
}

CONTACTS = {
    Place.SCANNER: Contact.PC,
    Place.APPLIANCE: Contact.FIREWALL,
    Place.CLOUD: Contact.NETWORK,
    Place.TOOL: Contact.PC,
}


@dataclass(frozen=True)
class Product:
    """A product that intercepts TLS. words are in its issuer's name, in lower case."""

    words: str
    name: str
    place: Place


PRODUCTS = (
    Product("avast! web/mail shield", "Avast", Place.SCANNER),
    Product("avast web/mail shield", "Avast", Place.SCANNER),
    Product("avg web/mail shield", "AVG", Place.SCANNER),
    Product("norton web/mail shield", "Norton", Place.SCANNER),
    Product("bitdefender", "Bitdefender", Place.SCANNER),
    Product("kaspersky", "Kaspersky", Place.SCANNER),
    Product("adguard", "AdGuard", Place.SCANNER),
    Product("eset ssl filter", "ESET", Place.SCANNER),
    Product("fortigate", "Fortinet FortiGate", Place.APPLIANCE),
    Product("fortinet", "Fortinet FortiGate", Place.APPLIANCE),
    Product("mcafee web gateway", "McAfee Web Gateway", Place.APPLIANCE),
    Product("sophos", "Sophos", Place.APPLIANCE),
    Product("securityappliance_ssl_ca", "Sophos", Place.APPLIANCE),
    Product("blue coat", "Blue Coat", Place.APPLIANCE),
    Product("iwss.trend", "Trend Micro", Place.APPLIANCE),
    Product("fireware https proxy", "WatchGuard", Place.APPLIANCE),
    Product("sonicwall firewall dpi-ssl", "SonicWall", Place.APPLIANCE),
    Product("cisco umbrella", "Cisco Umbrella", Place.CLOUD),
    Product("cisco secure access", "Cisco Secure Access", Place.CLOUD),
    Product("forcepoint", "Forcepoint", Place.CLOUD),
    Product("zscaler", "Zscaler", Place.CLOUD),
    Product("goskope.com", "Netskope", Place.CLOUD),
    Product("certadmin@netskope.com", "Netskope", Place.CLOUD),
    Product("caadmin.netskope.com", "Netskope", Place.CLOUD),
    Product("cloudflare managed", "Cloudflare Gateway", Place.CLOUD),
    Product("cloudflare for teams ecc", "Cloudflare Gateway", Place.CLOUD),
    Product("cato networks", "Cato", Place.CLOUD),
    Product("do_not_trust_fiddlerroot", "Fiddler", Place.TOOL),
    Product("charles proxy ca", "Charles", Place.TOOL),
    Product("mitmproxy", "mitmproxy", Place.TOOL),
)


def find_product(names: str) -> Product | None:
    """Return the product that an issuer's name speaks of."""
    lowered = names.lower()
    for product in PRODUCTS:
        if product.words in lowered:
            return product
    return None
