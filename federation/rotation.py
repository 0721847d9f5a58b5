"""A member's new credential: the entry by which a log shows that keys were exchanged, and which.

Whoever learns of a credential in place of another writes it: the regulator that grants it, the hub
that publishes it, the member that joins again. What the three logs say has to agree, so that a
member whose keys somebody else had replaced finds out.
"""

from __future__ import annotations

from typing import Final

from federation.entries import Kind, entry
from federation.errors import DocumentError
from federation.membership import Member

CREDENTIAL: Final = "credential"
"""What `key` names when a member keeps its keys and only its credential is new."""

_KEYS: Final = ("signing", "agreement", "sealing")


def rotation_entry(old: Member, new: Member, now: int) -> bytes | None:
    """The `key-rotated` entry for a credential that takes the place of `old`; None for the same.

    `key` names the keys that changed, comma-separated, or `credential`. Raises DocumentError when
    the two are of different members.
    """
    if old.id != new.id:
        raise DocumentError("member", f"{new.id} is not {old.id}", "compare one member's own")
    if old.hash == new.hash:
        return None
    changed = [name for name in _KEYS if getattr(old, name) != getattr(new, name)]
    return entry(
        Kind.KEY_ROTATED,
        now,
        document=new.hash,
        previous=old.hash,
        member=new.id,
        key=",".join(changed) or CREDENTIAL,
    )
