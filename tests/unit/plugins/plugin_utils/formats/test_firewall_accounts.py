# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The accounts of a rule: what is granted and denied, and what cannot be read."""

from __future__ import annotations

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.formats.firewall_accounts import (
    account_words,
    parse_accounts,
)
from ansible_collections.ets6.network.plugins.plugin_utils.formats.security_descriptor import (
    AccessEntry,
)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("O:LSD:(A;;CC;;;WD)", [AccessEntry(True, "S-1-1-0", 1)]),
        (
            "D:(D;;CC;;;S-1-2-1)(A;;CC;;;AU)",
            [AccessEntry(False, "S-1-2-1", 1), AccessEntry(True, "S-1-5-11", 1)],
        ),
        ("O:LSG:BAD:P(a;;cc;;;wd)S:(AU;;CC;;;WD)", [AccessEntry(True, "S-1-1-0", 1)]),
        ("D:", []),
    ],
)
def test_entries_are_read(text: str, entries: list[AccessEntry]) -> None:
    assert list(parse_accounts(text)) == entries


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a security descriptor"),
        ("O:LS", "not a security descriptor"),
        ("D:(A;;CC;;;WD", "not a security descriptor"),
        ("D:(X;;CC;;;WD)", "not of the type A or D"),
        ("D:(A;;CC;;;)", "does not name an account"),
        ("D:(A;;CC;;;S-1-" + "9" * 20 + ")", "does not name an account"),
        ("D:" + "(A;;CC;;;WD)" * 201, "more than 200 entries"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_accounts(text)


def test_accounts_are_shown_as_names() -> None:
    assert account_words("O:LSD:(A;;CC;;;WD)") == "Everyone"
    assert account_words("D:(D;;CC;;;BA)") == "all but Administrators"
    assert account_words("rubbish").startswith("could not be read")
