"""The enterprise: its keys, and the consents that nobody but it can give.

`enrol_enterprises` and `Enterprise.consent` work without files, for hundreds of firms at once;
`EnterpriseHome` is one firm's folder.
"""

from __future__ import annotations

from node.enterprise.enterprise import ConsentTerms, Enterprise, enrol_enterprises
from node.enterprise.errors import EnterpriseError
from node.enterprise.request import EnterpriseGrant, EnterpriseRequest

__all__ = [
    "ConsentTerms",
    "Enterprise",
    "EnterpriseError",
    "EnterpriseGrant",
    "EnterpriseRequest",
    "enrol_enterprises",
]
