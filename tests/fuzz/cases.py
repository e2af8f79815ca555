# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""One damaged input: the valid input of a target with some bytes replaced, and maybe cut off."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.fuzz.targets import ERRORS, TARGETS, Target

SEEDS = Path(__file__).parent / "seeds"
SECONDS = 30
"""A parser that takes longer than that for a small file hangs."""
NUMBERS = (b"\0", b"\xff", b"\x7f", b"\x80", b"\1", b"\x40")
HEAD = 4096
"""Half of all changes are where most formats have their structure."""


class TooLongError(Exception):
    """A parser took too long."""


@dataclass(frozen=True)
class Case:
    """changes: offset and bytes of each. size: where the input is cut off."""

    target: Target
    changes: tuple[tuple[int, bytes], ...]
    size: int

    @classmethod
    def random(cls, target: Target) -> Case:
        """Return another damaged input."""
        data = target.valid()
        size = len(data)
        changes = []
        for _change in range(random.randint(1, 6)):
            end = min(len(data), HEAD) if random.random() < 0.5 else len(data)
            content = random.choice(
                (
                    random.choice(NUMBERS) * random.choice((1, 2, 4, 8)),
                    random.randbytes(random.randint(1, 8)),
                )
            )
            changes.append((random.randrange(end), content))
        if random.random() < 0.1:
            size = random.randrange(len(data))
        return cls(target, tuple(changes), size)

    @classmethod
    def kept(cls, path: Path) -> Case:
        """Read a case that was kept."""
        record = json.loads(path.read_text(encoding="utf-8"))
        (target,) = [target for target in TARGETS if target.name == record["target"]]
        changes = tuple((offset, bytes.fromhex(content)) for offset, content in record["changes"])
        return cls(target, changes, record["size"])

    def keep(self) -> str:
        """Write the case where the tests find it. Return the file's name."""
        changes = [(offset, content.hex()) for offset, content in self.changes]
        text = json.dumps(
            {"target": self.target.name, "size": self.size, "changes": changes}, indent=1
        )
        name = f"{self.target.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        (SEEDS / name).write_text(text + "\n", encoding="utf-8")
        return name

    def data(self) -> bytes:
        """Return the damaged input."""
        data = bytearray(self.target.valid())
        for offset, content in self.changes:
            data[offset : offset + len(content)] = content
        return bytes(data[: self.size])


def run(case: Case) -> str:
    """Return what is wrong with how an input is parsed, or nothing."""

    def too_long(_signal: int, _frame: FrameType | None) -> None:
        raise TooLongError

    data = case.data()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        case.target.parse(data)
    except ERRORS:
        return ""
    except TooLongError:
        return f"it took more than {SECONDS} seconds"
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"
    finally:
        signal.alarm(0)
    return ""
