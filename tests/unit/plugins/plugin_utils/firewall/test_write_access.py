# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Who can put another program in the place of a file, by the descriptors of it and of the folders above it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ets6.network.plugins.plugin_utils.finding import Status
from ansible_collections.ets6.network.plugins.plugin_utils.firewall.write_access import (
    AccessJudge,
    Writers,
)
from ansible_collections.ets6.network.plugins.plugin_utils.snapshot import Snapshot
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.access import (
    BELOW_C,
    BOB,
    DRIVE_C,
    DRIVE_D,
    OF_BOB,
    ONLY_ADMINISTRATORS,
    PROGRAM_FILES,
    access,
)
from ansible_collections.ets6.network.tests.unit.plugins.plugin_utils.firewall.pc import (
    PROMPT_TCP,
    C,
    N,
    fix,
    judge,
    pc,
    prompt,
)

RULE = "firewall.rule.ets6n.tcp"
RULES = (
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
)
NATIVE_N = r"C:\Program Files\ETS6\ETS6N.exe"
TOOLS = r"C:\Tools\ETS6\ETS6N.exe"


def verdict(path: str, reported: Any) -> tuple[Writers, str]:
    parsed = Snapshot.from_wire({"version": 1, "access": reported}).access
    found = AccessJudge(parsed, "not reported").judge(path)
    return found.writers, found.reason


def changed(part: str, sddl: str, **more: Any) -> dict[str, Any]:
    return {**access([TOOLS]), part: {"sddl": sddl, "attributes": 16, **more}}


def test_a_folder_that_an_administrator_protected_below_c() -> None:
    assert verdict(TOOLS, access([TOOLS])) == (Writers.ADMINISTRATORS, "")
    assert verdict(TOOLS, changed(r"C:\Tools", PROGRAM_FILES))[0] is Writers.ADMINISTRATORS


@pytest.mark.parametrize("part", ["C:\\", r"C:\Tools", r"C:\Tools\ETS6", TOOLS])
@pytest.mark.parametrize(
    ("sddl", "who"),
    [
        (DRIVE_D, "Authenticated Users"),
        (BELOW_C, "Authenticated Users"),
        (OF_BOB, f"its owner, {BOB},"),
        ("O:BAD:(A;;DT;;;BU)", "Users"),
        ("O:BAD:(A;;SD;;;WD)", "Everyone"),
        ("O:BAD:(A;;WD;;;BU)", "Users"),
        ("O:BAD:(A;;WO;;;BU)", "Users"),
        ("O:BAD:(A;;0x100;;;BU)", "Users"),
        ("O:BAD:(A;;GA;;;IU)", "interactive logons"),
        ("O:BAD:(A;;GW;;;AN)", "anonymous logons"),
        ("O:BAD:(A;;0xffffffff;;;WD)", "Everyone"),
        (f"O:BAD:(A;;FA;;;{BOB})", BOB),
        ("O:BAD:(A;;FA;;;S-1-5-32-547)", "Power Users"),
        ("O:BAD:(A;;FA;;;PU)", "Power Users"),
        ("O:BAD:(A;;FA;;;DU)", "Domain Users"),
        ("O:BAD:(A;;FA;;;RD)", "RD"),
        ("O:COD:(A;;FA;;;BA)", "its owner, CREATOR OWNER,"),
        ("O:BAD:(D;;FA;;;BU)(A;;FA;;;BU)", "Users"),
        ("D:(A;;FA;;;BA)", "its owner, who is not named,"),
        ("O:BAD:NO_ACCESS_CONTROL", "Everyone"),
        ("O:BAD:PAINO_ACCESS_CONTROLS:(ML;;NW;;;LW)", "Everyone"),
        ("O:S-1-5-21-1-2-3-513D:(A;;FA;;;BA)", "its owner, S-1-5-21-1-2-3-513,"),
        ("O:S-1-5-21-1-2-3-4-512D:(A;;FA;;;BA)", "its owner, S-1-5-21-1-2-3-4-512,"),
        ("O:S-1-5-80-956008885D:(A;;FA;;;BA)", "its owner, S-1-5-80-956008885,"),
    ],
)
def test_who_can_change_a_part_of_the_path(part: str, sddl: str, who: str) -> None:
    assert verdict(TOOLS, changed(part, sddl)) == (Writers.USERS, f"{who} can change {part}")


@pytest.mark.parametrize("part", ["C:\\", r"C:\Tools", r"C:\Tools\ETS6", TOOLS])
@pytest.mark.parametrize(
    "sddl",
    [
        ONLY_ADMINISTRATORS,
        PROGRAM_FILES,
        "O:SYD:",
        "O:BAD:P(A;;0x1200a9;;;WD)(A;;FRFX;;;AU)(A;;GRGX;;;BU)",
        "O:S-1-5-21-1-2-3-500D:(A;;FA;;;S-1-5-21-1-2-3-512)(A;;FA;;;DA)",
        "O:BAD:(A;OICIIO;FA;;;BU)(A;OICIIO;FA;;;CO)(A;;FA;;;OW)(D;;FA;;;BU)",
        "O:BAD:(A;OICI;FA;;;CO)(A;OICI;FA;;;CG)",
    ],
)
def test_only_administrators_can_change_it(part: str, sddl: str) -> None:
    assert verdict(TOOLS, changed(part, sddl))[0] is Writers.ADMINISTRATORS


@pytest.mark.parametrize("rights", ["CCLC", "DC", "LC"])
def test_to_create_harms_only_in_the_last_folder(rights: str) -> None:
    creates = f"O:BAD:(A;;{rights};;;BU)"
    for part in ("C:\\", r"C:\Tools"):
        assert verdict(TOOLS, changed(part, creates))[0] is Writers.ADMINISTRATORS
    for part in (r"C:\Tools\ETS6", TOOLS):
        assert verdict(TOOLS, changed(part, creates))[0] is Writers.USERS
    in_root = access([r"C:\ETS6N.exe"])
    assert verdict(r"C:\ETS6N.exe", in_root) == (
        Writers.USERS,
        "Authenticated Users can change C:\\",
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, "the reply cannot be used"),
        ({}, "not a security descriptor"),
        ({"error": "Zugriff verweigert"}, r"C:\Tools: Zugriff verweigert"),
        ({"sddl": "O:BA"}, "not a security descriptor"),
        ({"sddl": "O:BAD:NO_ACCESS"}, "not a security descriptor"),
        ({"sddl": 'O:BAD:(XA;;FA;;;BU;(x=="y"))'}, "not a security descriptor"),
        ({"sddl": "O:BAD:(A;;XX;;;BU)"}, "are not known"),
        ({"sddl": "O:BAD:(A;;FA;;;)"}, "does not name an account"),
        ({"sddl": "O:BAD:(A;XX;FA;;;BU)"}, "flags that are not known"),
        ({"sddl": "O:BAD:" + "(A;;FA;;;BA)" * 201}, "more than 200 entries"),
        ({"sddl": ONLY_ADMINISTRATORS, "attributes": 0x410}, r"C:\Tools is a link"),
        ({"sddl": ONLY_ADMINISTRATORS, "attributes": True}, "the reply cannot be used"),
        ({"sddl": ONLY_ADMINISTRATORS, "trusted": True}, "the reply cannot be used"),
    ],
)
def test_what_is_odd_of_one_part_is_not_known(entry: Any, reason: str) -> None:
    reported = {**access([TOOLS]), r"C:\Tools": entry}
    writers, said = verdict(TOOLS, reported)
    assert (writers, reason in said) == (Writers.UNKNOWN, True), said
    # What is known of another part still counts.
    reported[r"C:\Tools\ETS6"] = {"sddl": OF_BOB, "attributes": 16}
    assert verdict(TOOLS, reported)[0] is Writers.USERS


def test_a_link_whose_descriptor_names_users_is_theirs() -> None:
    reported = {**access([TOOLS]), r"C:\Tools": {"sddl": OF_BOB, "attributes": 0x410}}
    assert verdict(TOOLS, reported) == (
        Writers.USERS,
        rf"its owner, {BOB}, can change C:\Tools",
    )


@pytest.mark.parametrize("part", ["C:\\", r"C:\Tools", r"C:\Tools\ETS6", TOOLS])
def test_what_the_reply_lacks_is_not_known(part: str) -> None:
    reported = {path: entry for path, entry in access([TOOLS]).items() if path != part}
    assert verdict(TOOLS, reported) == (
        Writers.UNKNOWN,
        f"the PC did not report the access of {part}",
    )
    assert verdict(TOOLS, None) == (Writers.UNKNOWN, "not reported")


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Tools\..\Tools\ETS6N.exe",
        "C:/Tools/ETS6N.exe",
        r"C:Tools\ETS6N.exe",
        r"\\?\C:\Tools\ETS6N.exe",
        r"\\server\share\ETS6N.exe",
        r"C:\Tools\\ETS6N.exe",
        # Get-Acl of such a folder reads that of C:\Tools: Windows drops what ends a path.
        r"C:\Tools \ETS6N.exe",
        r"C:\Tools.\ETS6N.exe",
        r"C:\Tools:x\ETS6N.exe",
        r"C:\Tools\x/ETS6N.exe",
        "C:\\Tools\n\\ETS6N.exe",
    ],
)
def test_a_path_in_an_odd_form_is_not_known(path: str) -> None:
    assert verdict(path, access([path]))[1] == "the path is not in its usual form"


RULE_THERE = {PROMPT_TCP: prompt(App=TOOLS)}


def test_a_program_that_only_administrators_can_replace_gets_rules() -> None:
    snapshot = pc(RULE_THERE, files=[TOOLS], missing=[N, C], access=access([TOOLS]))
    found = judge(snapshot)["firewall.programs"].evidence["ETS6N.exe"]
    assert found == {"found": [TOOLS], "set_aside": []}
    after, changes = fix(snapshot)
    assert changes
    assert judge(after)[RULE].status is Status.PASS


def test_a_program_that_users_can_replace_was_found_and_gets_no_rules() -> None:
    reported = access([TOOLS], Tools=BELOW_C)
    snapshot = pc(RULE_THERE, files=[TOOLS], missing=[N, C], access=reported)
    findings = judge(snapshot, programs=["ETS6N.exe"])
    assert findings[RULE].status is Status.NOT_APPLICABLE
    assert findings[RULE].reason.startswith("No copy on this PC gets rules")
    finding = findings["firewall.programs"]
    assert finding.status is Status.FAIL
    assert "nor where a firewall rule names it" not in finding.reason
    assert rf"{TOOLS} is ignored, since Authenticated Users can change C:\Tools." in finding.reason
    assert "let only administrators change that" in finding.reason


def test_where_it_is_not_known_no_rule_is_made_and_none_is_removed() -> None:
    with_rules = fix(pc(RULE_THERE, files=[TOOLS], missing=[N, C], access=access([TOOLS])))[0]
    rules = {name: str(value.data) for name, value in with_rules.registry.key(RULES).values.items()}
    snapshot = pc(rules | RULE_THERE, files=[TOOLS], missing=[N, C])
    findings = judge(snapshot)
    assert findings["firewall.programs"].status is not Status.PASS
    assert "not known whether ordinary users can replace it" in findings[RULE].reason
    assert findings[RULE].status is Status.UNKNOWN
    assert not [change for change in fix(snapshot)[1] if "ETS6-ETS6N" in change.subject], (
        "no managed rule is touched"
    )


def test_a_file_that_cannot_be_read_in_a_folder_of_users_costs_nothing() -> None:
    """Users can keep administrators from reading their files."""
    path = r"C:\bob\ETS6N.exe"
    snapshot = pc(
        {PROMPT_TCP: prompt(App=path)}, unreadable=[path], access=access([path], bob=OF_BOB)
    )
    finding = judge(snapshot)["firewall.programs"]
    assert finding.status is Status.PASS
    assert f"{path} is ignored, since its owner, {BOB}, can change C:\\bob." in finding.reason


SHORT = r"C:\PROGRA~3\ETS6\ETS6N.exe"
"""A folder that a user creates in C:\\, and whose name could be the 8.3 name of Program Files."""


@pytest.mark.parametrize("files", [[SHORT], [SHORT, N, C], [SHORT, NATIVE_N]])
def test_a_folder_with_a_name_like_an_8_3_name_is_not_the_folder_itself(files: list[str]) -> None:
    reported = access([SHORT], **{"PROGRA~3": OF_BOB})
    snapshot = pc({PROMPT_TCP: prompt(App=SHORT)}, files=files, missing=[C], access=reported)
    found = judge(snapshot)["firewall.programs"].evidence["ETS6N.exe"]["found"]
    assert found == files[1:2]
    assert SHORT not in str([change.operations for change in fix(snapshot)[1]])


def test_what_users_can_replace_never_takes_the_place_of_what_is_installed() -> None:
    """The rules of the installed program would be taken for left-overs, and removed."""
    real, short = "C:\\KNXETS\u00e4\\ETS6N.exe", r"C:\KNXETS~1\ETS6N.exe"
    reported = access([real, short], **{"KNXETS~1": OF_BOB})
    there = {"1": prompt(App=real), "2": prompt(App=short)}
    snapshot = pc(there, files=[short, real], missing=[N, C], access=reported)
    found = judge(snapshot)["firewall.programs"].evidence["ETS6N.exe"]
    assert found == {"found": [real], "set_aside": [short]}


@pytest.mark.parametrize("name", ["Program Files", "Program Files (x86)"])
def test_where_windows_is_on_another_drive_users_can_create_program_files_on_c(name: str) -> None:
    path = rf"C:\{name}\KNX\ETS6N.exe"
    environment = {
        "SystemDrive": "D:",
        "ProgramFiles": r"D:\Program Files",
        "ProgramFiles(x86)": r"D:\Program Files (x86)",
    }
    there = {PROMPT_TCP: prompt(App=path)}
    for reported, status in (
        (access([path], **{name: OF_BOB}), Status.FAIL),
        (None, Status.UNKNOWN),
    ):
        snapshot = pc(there, files=[path], missing=[N, C], environment=environment, access=reported)
        finding = judge(snapshot, programs=["ETS6N.exe"])["firewall.programs"]
        assert (finding.status, finding.evidence["ETS6N.exe"]["found"]) == (status, [])


def test_in_the_order_of_the_drive() -> None:
    """D:\\ lets users change everything, whatever the folder's own rights are."""
    path = r"D:\Tools\ETS6N.exe"
    assert verdict(path, access([path]))[0] is Writers.USERS
    assert verdict(path, access([path], D=DRIVE_C))[0] is Writers.ADMINISTRATORS


KELVIN = "\u212a"
"""Lower case of this letter, too, is k in Python. For Windows it is another letter."""


def test_a_letter_that_python_takes_for_another_is_another_folder() -> None:
    """Users can create folders in C:\\, also one whose name is like that of a trusted one."""
    trusted, like_it = r"C:\KNX\ETS6N.exe", rf"C:\{KELVIN}NX\ETS6N.exe"
    reported = access([like_it, trusted], **{f"{KELVIN}NX": OF_BOB})
    there = {"1": prompt(App=trusted), "2": prompt(App=like_it)}
    found = {"found": [trusted], "set_aside": [like_it]}
    for paths in ([], [r"C:\KNX"], [r"*:\knx"]):
        for files in ([trusted, like_it], [like_it, trusted]):
            snapshot = pc(there, files=files, missing=[N, C], access=reported)
            more: dict[str, Any] = {"paths": paths} if paths else {}
            finding = judge(snapshot, programs=["ETS6N.exe"], **more)["firewall.programs"]
            assert finding.evidence["ETS6N.exe"] == found
            changes = fix(snapshot, programs=["ETS6N.exe"], **more)[1]
            assert like_it not in str([change.operations for change in changes])
