"""Why a bank asks: the purpose codes of enquiries in the credit information system."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """A purpose; its value is the two-digit code."""

    POST_LOAN = "01"
    LOAN_APPROVAL = "02"
    GUARANTOR_CHECK = "08"
    JUDICIAL = "09"
    BEFORE_GUARANTEE = "20"
    AFTER_GUARANTEE = "21"
    SENIOR_STAFF = "22"
    ADMISSION = "23"
    FINANCING_APPROVAL = "24"
    CREDIT_CHECK = "25"
    LIMIT_APPROVAL = "26"


PURPOSE_TITLES: dict[Purpose, dict[str, str]] = {
    Purpose.POST_LOAN: {"zh": "贷后管理", "en": "post-loan management"},
    Purpose.LOAN_APPROVAL: {"zh": "贷款审批", "en": "loan approval"},
    Purpose.GUARANTOR_CHECK: {"zh": "担保资格审查", "en": "guarantor check"},
    Purpose.JUDICIAL: {"zh": "司法调查", "en": "judicial inquiry"},
    Purpose.BEFORE_GUARANTEE: {"zh": "保前审查", "en": "check before a guarantee"},
    Purpose.AFTER_GUARANTEE: {"zh": "保后管理", "en": "management after a guarantee"},
    Purpose.SENIOR_STAFF: {"zh": "高管资信审查", "en": "check of senior staff"},
    Purpose.ADMISSION: {"zh": "客户准入资格审查", "en": "admission of a client"},
    Purpose.FINANCING_APPROVAL: {"zh": "融资审批", "en": "financing approval"},
    Purpose.CREDIT_CHECK: {"zh": "资信审查", "en": "credit check"},
    Purpose.LIMIT_APPROVAL: {"zh": "额度审批", "en": "limit approval"},
}
