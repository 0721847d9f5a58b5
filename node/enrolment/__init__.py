"""Becoming a member: a node's folder, its request, the regulator's grant.

`init_home` makes the folder with fresh keys and a request for the regulator; `grant_member` is
the regulator's answer; `join_home` checks the answer against the trust root and installs it.
Private keys are made where they are used, and no command moves one.
"""

from __future__ import annotations

from node.enrolment.errors import EnrolmentError
from node.enrolment.grant import Grant, grant_member
from node.enrolment.home import (
    init_home,
    join_home,
    load_config,
    read_grant_file,
    read_request_file,
)
from node.enrolment.request import read_request
from node.enrolment.template import HomeSettings

__all__ = [
    "EnrolmentError",
    "Grant",
    "HomeSettings",
    "grant_member",
    "init_home",
    "join_home",
    "load_config",
    "read_grant_file",
    "read_request",
    "read_request_file",
]
