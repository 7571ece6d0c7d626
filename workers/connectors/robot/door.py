"""The door for collected rows: what comes through it is marked, and nothing is learnt from it."""

from collections.abc import Sequence
from typing import Any

from workers.intake.door import Door
from workers.intake.rows import Checked

MARKS = ("bot", "low_trust")
"""
Made by a program, so out of training, popular lists and experiments like all that is; and from
pages that nobody vouches for, which tells these rows from those of a crawler in the shop.
"""


class LowTrustDoor(Door):
    """A door that marks every event."""

    def check(self, rows: Sequence[object], **how: Any) -> Checked:
        """As any door, with the marks."""
        checked = super().check(rows, **how)
        checked.events[:] = [
            event._replace(flags=tuple(dict.fromkeys((*event.flags, *MARKS))))
            for event in checked.events
        ]
        return checked
