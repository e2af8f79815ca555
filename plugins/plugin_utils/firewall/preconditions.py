# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What has to be known before the firewall's controls can be judged."""

from __future__ import annotations

from collections.abc import Sequence

from ..declaration import Judgement, not_applicable, unknown
from ..text import join_words
from .context import FirewallContext
from .programs import Program


def readable(context: FirewallContext) -> Judgement | None:
    """Return the judgement for a firewall that could not be read."""
    if context.firewall.unreadable:
        problems = "; ".join(context.firewall.unreadable)
        return unknown(f"The firewall could not be read. {problems}.")
    return None


def installed(programs: Sequence[Program]) -> Judgement | None:
    """Return the judgement where no program is installed, or where that is not known."""
    for program in programs:
        if program.unreadable:
            return unknown(
                f"Whether {program.name} is installed could not be determined: "
                f"{join_words(program.unreadable)}."
            )
    if any(program.paths for program in programs):
        return None
    names = join_words(program.name for program in programs)
    if any(program.ignored for program in programs):
        return not_applicable(f"No copy on this PC gets rules (see firewall.programs): {names}.")
    return not_applicable(f"Not installed on this PC: {names}.")


def readable_and_installed(
    context: FirewallContext, programs: Sequence[Program]
) -> Judgement | None:
    """Return the judgement where rules cannot be judged."""
    return readable(context) or installed(programs)


def decided_by_windows(context: FirewallContext, programs: Sequence[Program]) -> Judgement | None:
    """Return the judgement where verdicts on traffic cannot be judged."""
    judgement = readable_and_installed(context, programs)
    if judgement is None and not context.active.verdicts_hold:
        return unknown(context.active.reason)
    return judgement
