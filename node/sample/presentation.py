"""How each holder writes what it knows: headers, units, missing markers, file kind.

One declaration serves both the files and the mapping files beside them, so that they
cannot disagree. It is deliberately untidy, as departments are: 万元 here and yuan there,
per cent, dates, Chinese grades, 是/否, several signs for "not known".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Form = Literal["number", "factor", "percent", "wan_yuan", "months_since", "categories", "flag"]


@dataclass(frozen=True)
class Column:
    """One source column: catalogue feature, header, form, digits kept, share of empty cells.

    `texts` maps the catalogue's categories to the holder's words; `highest` is the top of
    the allowed range in the catalogue's unit, `lowest` its bottom.
    """

    feature: str
    header: str
    form: Form = "number"
    digits: int = 0
    empty: float = 0.02
    lowest: float = 0
    highest: float | None = None
    factor: float = 1.0
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One holder's table: file kind, key header, share of firms unknown, how old, columns."""

    kind: str
    title: str
    source: Literal["csv", "parquet", "sql"]
    key: str
    unknown: float
    days_old: int
    markers: tuple[str, ...]
    columns: tuple[Column, ...]
    encoding: Literal["utf-8", "gb18030"] = "utf-8"


YES: Final = "是"
NO: Final = "否"
_INDUSTRIES: Final = {
    "A": "农、林、牧、渔业",
    "C": "制造业",
    "E": "建筑业",
    "F": "批发和零售业",
    "G": "交通运输、仓储和邮政业",
    "H": "住宿和餐饮业",
    "I": "信息传输、软件和信息技术服务业",
    "L": "租赁和商务服务业",
    "M": "科学研究和技术服务业",
    "O": "居民服务、修理和其他服务业",
}
_STATUSES: Final = {"operating": "存续", "suspended": "歇业", "revoked": "吊销"}
_GRADES: Final = {grade: f"{grade}级" for grade in "ABMCD"}

TABLES: Final = (
    Table(
        "registry", "市场监管", "csv", "统一社会信用代码", 0.01, 1, ("未公示",),
        (
            Column("months_since_founding", "成立日期", "months_since", empty=0.005, highest=1200),
            Column("registered_capital", "注册资本(万元)", "wan_yuan", 2, 0.01, highest=1e11),
            Column("paid_in_ratio", "实缴比例(%)", "percent", 1, 0.06, highest=1),
            Column("industry", "行业门类", "categories", empty=0.01, texts=_INDUSTRIES),
            Column("status", "登记状态", "categories", empty=0.005, texts=_STATUSES),
            Column("legal_representative_changes_24m", "近24月法定代表人变更次数", highest=20),
            Column("shareholder_changes_24m", "近24月股东变更次数", highest=50),
            Column("abnormal_list", "列入经营异常名录", "flag", empty=0.005),
            Column("serious_violation", "列入严重违法失信名单", "flag", empty=0.005),
            Column("staff", "年报从业人数", empty=0.06, highest=1e6),
        ),
    ),
    Table(
        "tax", "税务", "csv", "纳税人识别号", 0.10, 30, ("—",),
        (
            Column("credit_grade", "纳税信用级别", "categories", empty=0.04, texts=_GRADES),
            Column("taxable_sales_12m", "近12月应税销售额(万元)", "wan_yuan", 2, highest=1e12),
            Column("tax_paid_12m", "近12月实缴税额(万元)", "wan_yuan", 2, highest=1e11),
            Column("sales_growth", "销售额同比(%)", "percent", 1, 0.05, -1, 100),
            Column("tax_growth", "税额同比(%)", "percent", 1, 0.05, -1, 100),
            Column("payment_months", "连续纳税月数", highest=1200),
            Column("zero_declaration_months_12m", "近12月零申报月数", highest=12),
            Column("arrears", "欠税余额(万元)", "wan_yuan", 2, 0.03, highest=1e11),
            Column("late_fees_24m", "近24月滞纳金次数", highest=1000),
        ),
    ),
    Table(
        "invoice", "发票", "parquet", "seller_uscc", 0.12, 1, (),
        (
            Column("invoiced_12m", "amount_12m", digits=2, highest=1e12),
            Column("invoiced_growth", "amount_yoy_pct", "percent", 2, 0.05, -1, 100),
            Column("months_with_invoices_12m", "months_with_invoice", highest=12),
            Column("invoices_per_month", "invoices_monthly", digits=1, highest=1e6),
            Column("red_letter_share", "red_pct", "percent", 2, 0.03, highest=1),
            Column("voided_share", "void_pct", "percent", 2, 0.04, highest=1),
            Column("longest_gap_days", "max_gap_days", highest=366),
            Column("customers_12m", "buyers", empty=0.03, highest=1e6),
            Column("largest_customer_share", "top1_pct", "percent", 2, 0.03, highest=1),
        ),
    ),
    Table(
        "social_insurance", "社会保险", "sql", "credit_code", 0.16, 30, (),
        (
            Column("insured_staff", "insured", highest=1e6),
            Column("staff_growth", "insured_yoy_pct", "percent", 1, 0.05, -1, 100),
            Column("contribution_months", "paid_months", highest=1200),
            Column("arrears_months_12m", "arrears_months", empty=0.03, highest=12),
            Column("contribution_base", "base_yuan", digits=2, empty=0.03, highest=1e6),
            Column("staff_turnover_12m", "turnover_pct", "percent", 1, 0.05, highest=10),
        ),
    ),
    Table(
        "housing_fund", "住房公积金", "parquet", "unit_uscc", 0.25, 30, (),
        (
            Column("payers", "payers", highest=1e6),
            Column("monthly_amount", "monthly_wan", "wan_yuan", 4, highest=1e9),
            Column("payment_months", "paid_months", highest=1200),
            Column("deferral", "deferral", "flag", empty=0.01),
            Column("arrears_months_12m", "arrears_months", empty=0.03, highest=12),
        ),
    ),
    Table(
        "electricity", "电力", "csv", "用电户信用代码", 0.20, 1, ("-9999", "NULL"),
        (
            Column(
                "monthly_consumption", "月均用电量(万千瓦时)", "factor", 4,
                highest=1e10, factor=10_000,
            ),
            Column("consumption_growth", "用电量同比(%)", "percent", 2, 0.05, -1, 100),
            Column("utilisation", "负荷利用率(%)", "percent", 1, 0.04, highest=1),
            Column("late_payments_12m", "近12月逾期缴费次数", highest=100),
            Column("mean_days_late", "平均逾期天数", empty=0.03, highest=3650),
            Column("theft_or_breach", "违约用电或窃电", "flag", empty=0.01),
            Column("outage_days_12m", "近12月停电天数", empty=0.04, highest=366),
            Column("peak_valley_ratio", "峰谷比", digits=3, empty=0.06, highest=100),
        ),
    ),
    Table(
        "water", "水务", "parquet", "customer_uscc", 0.22, 30, (),
        (
            Column("monthly_consumption", "m3_monthly", digits=1, highest=1e8),
            Column("consumption_growth", "m3_yoy_pct", "percent", 1, 0.05, -1, 100),
            Column("late_payments_12m", "late_payments", highest=100),
            Column("arrears", "arrears_yuan", digits=2, empty=0.03, highest=1e9),
            Column("cut_off", "cut_off", "flag", empty=0.01),
        ),
    ),
    Table(
        "courts", "司法", "csv", "被执行人信用代码", 0.12, 5, ("不详",),
        (
            Column("cases_as_defendant_24m", "近24月被告案件数", empty=0.01, highest=10_000),
            Column("loan_disputes_24m", "近24月借款纠纷数", empty=0.01, highest=10_000),
            Column("under_enforcement", "被执行金额(万元)", "wan_yuan", 2, 0.02, highest=1e11),
            Column("dishonest_debtor", "失信被执行人", "flag", empty=0.005),
            Column("consumption_limit", "限制高消费", "flag", empty=0.005),
            Column("equity_frozen", "股权冻结", "flag", empty=0.01),
            Column("bankruptcy_filed", "破产申请", "flag", empty=0.005),
        ),
        "gb18030",
    ),
)  # fmt: skip
