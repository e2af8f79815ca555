# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The SOAP envelopes of WS-Management (MS-WSMV) that the lab's shells answer with."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
OPERATION_TIMED_OUT = "2150858793"
ACCESS_DENIED = "5"
SHELL_NOT_FOUND = "2150858843"
SECONDS_BEFORE_TIMEOUT_FAULT = 15


@dataclass
class Request:
    """A request. verb is the last word of its action: Create, Command, Send, Receive, Signal or Delete."""

    envelope: ElementTree.Element
    action: str
    message: str
    resource: str

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Read a request's envelope."""
        envelope = ElementTree.fromstring(body)
        action, message = (
            _text(envelope, f"{{{ADDRESSING}}}{name}") for name in ("Action", "MessageID")
        )
        return cls(envelope, action, message, _text(envelope, f"{{{WSMAN}}}ResourceURI"))

    @property
    def verb(self) -> str:
        """The action without its namespace."""
        return self.action.rpartition("/")[2]

    def element(self, name: str) -> ElementTree.Element:
        """Return the first element of the shell's namespace with that name. Raises ValueError where there is none."""
        found = self.envelope.find(f".//{{{SHELL}}}{name}")
        if found is None:
            raise ValueError(f"{self.verb} without {name}")
        return found

    def selector(self, name: str) -> str:
        """Return a selector's value; an empty string where there is none of that name."""
        return _text(self.envelope, f"{{{WSMAN}}}Selector[@Name='{name}']")

    def reply(self, body: str = "") -> str:
        """Return the envelope of the answer."""
        return _envelope(self.message, f"{self.action}Response", body)

    def fault(self, code: str, text: str = "lab") -> str:
        """Return the envelope of a WSManFault with that code."""
        message = f"<f:Message>{escape(text)}</f:Message>"
        detail = (
            f'<f:WSManFault xmlns:f="{FAULT}" Code="{code}" Machine="lab">{message}</f:WSManFault>'
        )
        fault = (
            f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">fault {code}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>'
        )
        return _envelope(self.message, f"{ADDRESSING}/fault", fault)


def _text(envelope: ElementTree.Element, name: str) -> str:
    return (envelope.findtext(f".//{name}") or "").strip()


def _envelope(message: str, action: str, body: str) -> str:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:x="{TRANSFER}"><s:Header>'
        f"<a:Action>{escape(action)}</a:Action><a:RelatesTo>{escape(message)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )
