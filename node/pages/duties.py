"""What an account may do at its node. An account has one duty or several."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from federation.identity import Role
from scoring.documents import Text


class Duty(StrEnum):
    """One kind of work at a node."""

    ADMINISTRATOR = "administrator"
    """Keeps the accounts; sees no query and no record."""
    INSPECTOR = "inspector"
    """The regulator's: certifies, audits, exports evidence."""
    OPERATOR = "operator"
    """The hub's: members, roster, catalogue, routes, health."""
    ENGINEER = "engineer"
    """A holder's: data, mapping, budgets, the stop switch."""
    OFFICER = "officer"
    """A bank's: asks about enterprises."""
    DEVELOPER = "developer"
    """A bank's: models, certificates, reports, drift."""
    OWNER = "owner"
    """An enterprise's own, at its own agent."""


TITLES: Final[dict[Duty, Text]] = {
    Duty.ADMINISTRATOR: Text(zh="管理员", en="Administrator"),
    Duty.INSPECTOR: Text(zh="监管检查员", en="Inspector"),
    Duty.OPERATOR: Text(zh="平台运营", en="Operator"),
    Duty.ENGINEER: Text(zh="数据工程师", en="Data engineer"),
    Duty.OFFICER: Text(zh="信贷员", en="Credit officer"),
    Duty.DEVELOPER: Text(zh="模型开发", en="Model developer"),
    Duty.OWNER: Text(zh="企业", en="Enterprise"),
}

DUTIES: Final[dict[Role, tuple[Duty, ...]]] = {
    Role.REGULATOR: (Duty.INSPECTOR, Duty.ADMINISTRATOR),
    Role.HUB: (Duty.OPERATOR, Duty.ADMINISTRATOR),
    Role.HOLDER: (Duty.ENGINEER, Duty.ADMINISTRATOR),
    Role.BANK: (Duty.OFFICER, Duty.DEVELOPER, Duty.ADMINISTRATOR),
    Role.ENTERPRISE: (Duty.OWNER,),
}
"""The duties that accounts of a role's node may have."""
