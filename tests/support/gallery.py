"""A site that shows every part and chart of the kit, for the eye and for the browser's tests."""

from __future__ import annotations

import math
import sqlite3
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Column as DbColumn
from sqlalchemy import Integer, MetaData, Text, create_engine, insert, select
from sqlalchemy import Table as DbTable
from sqlalchemy.pool import StaticPool
from starlette.responses import Response

from node.pages.charts import (
    Edge,
    Node,
    Series,
    Stack,
    bar_list,
    gauge,
    line_chart,
    meter,
    network,
    radar,
    sparkline,
    stacked_bars,
)
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, day, when
from scoring.documents import Text as Words
from support.pages import open_site

METADATA = MetaData()
QUERIES = DbTable(
    "queries", METADATA, DbColumn("id", Integer, primary_key=True), DbColumn("time", Integer),
    DbColumn("bank", Text), DbColumn("purpose", Text), DbColumn("model", Text),
    DbColumn("score", Integer),
)  # fmt: skip
PURPOSES = {
    "admission": Words(zh="贷前准入", en="Loan application"),
    "post-loan": Words(zh="贷后管理", en="Post-loan watch"),
    "guarantee": Words(zh="担保审查", en="Guarantee review"),
}
TABLE = Table(
    (
        Column("id", Words(zh="查询号", en="Query"), lambda r, v: r.id, kind="number",
               source=QUERIES.c.id),
        Column("time", Words(zh="时间", en="Time"), lambda r, v: when(r.time), kind="time",
               source=QUERIES.c.time),
        Column("bank", Words(zh="银行", en="Bank"), lambda r, v: r.bank, source=QUERIES.c.bank),
        Column("purpose", Words(zh="用途", en="Purpose"), lambda r, v: v.say(PURPOSES[r.purpose]),
               kind="choice", source=QUERIES.c.purpose, choices=PURPOSES),
        Column("model", Words(zh="模型", en="Model"), lambda r, v: r.model, kind="code",
               source=QUERIES.c.model, hidden_on_phone=True),
        Column("score", Words(zh="评分", en="Score"), lambda r, v: r.score, kind="number",
               source=QUERIES.c.score),
    ),
    select(QUERIES), QUERIES.c.id, "-id",
)  # fmt: skip
WORDS = {
    "title": Words(zh="总览", en="Overview"),
    "lead": Words(
        zh="各方日志已核对至今日零时；以下为近十二周的查询。",
        en="All logs are verified up to midnight; these are the queries of twelve weeks.",
    ),
    "queries": Words(zh="查询笔数", en="Queries"),
    "coverage": Words(zh="授权核验", en="Consent verified"),
    "findings": Words(zh="待处理问题", en="Open findings"),
    "witnessed": Words(zh="日志见证", en="Logs witnessed"),
    "today": Words(zh="今日{count}笔", en="{count} today"),
    "over_time": Words(zh="每日查询", en="Queries by day"),
    "by_purpose": Words(zh="按用途", en="By purpose"),
    "score_trend": Words(zh="评分走势", en="Score over epochs"),
    "by_bank": Words(zh="按银行", en="By bank"),
    "reasons": Words(zh="得分原因", en="Reasons"),
    "profile": Words(zh="企业信用画像", en="Credit profile"),
    "dimensions": Words(zh="维度", en="Dimensions"),
    "chains": Words(zh="征信链互联", en="Chains"),
    "facts": Words(zh="凭证", en="Certificate"),
    "steps": Words(zh="核验步骤", en="Verification"),
    "form": Words(zh="提交", en="Submit"),
    "firm": Words(zh="统一社会信用代码", en="Unified social credit code"),
    "wrong": Words(
        zh="第18位校验码不符，请核对营业执照", en="Check digit 18 is wrong: compare the licence"
    ),
    "file": Words(zh="授权书文件", en="Consent file"),
    "send": Words(zh="发起查询", en="Ask"),
    "stop": Words(zh="停止应答", en="Stop answering"),
    "used": Words(zh="本月额度", en="Quota this month"),
    "points": Words(zh="分", en="points"),
    "count": Words(zh="笔", en="queries"),
    "passed": Words(zh="已通过", en="Passed"),
    "waits": Words(zh="待审", en="Waiting"),
    "refused": Words(zh="未通过", en="Refused"),
    "over": Words(zh="已过期", en="Expired"),
    "list": Words(zh="明细", en="All queries"),
    "nothing": Words(zh="无数据的图", en="A chart without data"),
}
BANKS = {
    "zh": ("苏州市相城区农村商业银行股份有限公司", "宁波银行", "上海农商银行", "杭州联合银行"),
    "en": ("Xiangcheng District Rural Commercial Bank of Suzhou Company Limited",
           "Bank of Ningbo", "Shanghai Rural Commercial Bank", "United Bank of Hangzhou"),
}  # fmt: skip
AXES = {
    "zh": ("纳税", "社保缴纳连续性", "用电", "司法", "应收账款", "融资担保"),
    "en": ("Tax", "Social insurance continuity", "Electricity", "Courts", "Receivables",
           "Guarantees"),
}  # fmt: skip
REASONS = {
    "zh": ("近12个月纳税等级连续为A", "社保缴纳人数连续增长", "近3个月用电量环比下降",
           "存在被执行记录"),
    "en": ("Tax grade A for twelve months", "More insured staff each month",
           "Electricity use falls for three months", "Record of enforcement"),
}  # fmt: skip


def gallery(rows: int = 3000) -> Site:
    """The site, with nobody at its door; `rows` stand behind its table."""
    site = open_site({Duty.OFFICER}, title=Words(zh="监管端", en="Regulator"))
    add_gallery(site, rows)
    return site


def add_gallery(site: Site, rows: int) -> None:
    """Adds the pages to a site."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(":memory:", check_same_thread=False),
        poolclass=StaticPool,
    )
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(QUERIES),
            [
                {
                    "id": n + 1, "time": 1_790_000_000 + n * 1711, "bank": f"bank-{n % 7}",
                    "purpose": list(PURPOSES)[n % 3], "model": f"sme-{n % 4}.2026-0{n % 9 + 1}",
                    "score": 520 + n * 37 % 240,
                }
                for n in range(rows)
            ],
        )  # fmt: skip

    async def overview(visit: Visit) -> Response:
        return visit.render("support", "gallery.html.j2", words=WORDS, **_charts(visit.language))

    async def queries(visit: Visit) -> Response:
        with engine.connect() as connection:
            shown = fetch(connection, TABLE, read(TABLE, visit), "/queries")
        return visit.render("support", "listing.html.j2", words=WORDS, shown=shown)

    async def export(visit: Visit) -> Response:
        with engine.connect() as connection:
            return to_csv(TABLE, every(connection, TABLE, read(TABLE, visit)), visit, "queries")

    for path, title, icon in (
        ("/overview", WORDS["title"], "overview"),
        ("/queries", WORDS["list"], "queries"),
    ):
        site.add_section(path, title, icon, {Duty.OFFICER})
    site.add("/overview", overview, duties={Duty.OFFICER})
    site.add("/queries", queries, duties={Duty.OFFICER})
    site.add("/queries.csv", export, duties={Duty.OFFICER})


def _charts(language: str) -> dict[str, Any]:
    start = date(2026, 8, 31)
    days = [(start + timedelta(days=n)).isoformat() for n in range(84)]
    amount = [
        0 if n % 7 > 4 else round(60 + n * 0.7 + 18 * math.sin(n * 1.9) + 9 * math.sin(n * 0.7))
        for n in range(84)
    ]
    say = {key: text.zh if language == "zh" else text.en for key, text in WORDS.items()}
    weeks = days[::7]
    purposes = [text.zh if language == "zh" else text.en for text in PURPOSES.values()]
    return {
        "over_time": line_chart(
            [Series(say["queries"], list(zip(days, amount, strict=True)), "brand")],
            title=say["over_time"], unit=say["count"], language=language,
        ),
        "by_purpose": stacked_bars(
            weeks,
            [
                Stack(purposes[0], [150 + 9 * n for n in range(12)], "a"),
                Stack(purposes[1], [60 + n * n for n in range(12)], "b"),
                Stack(purposes[2], [20 + 7 * (n % 3) for n in range(12)], "c"),
            ],
            title=say["by_purpose"], unit=say["count"], language=language,
        ),
        "score_trend": line_chart(
            [
                Series("SME-A", [(d, None if n == 4 else 612 + 7 * n - (n % 3) * 11)
                                 for n, d in enumerate(weeks)], "a"),
                Series("SME-B", [(d, 598 + 3 * n + (n % 4) * 9) for n, d in enumerate(weeks)], "b"),
            ],
            title=say["score_trend"], unit=say["points"], language=language,
        ),
        "by_bank": bar_list(
            list(zip(BANKS[language], (18234, 9120, 4033, 871), strict=True)),
            title=say["by_bank"], unit=say["count"], language=language,
        ),
        "reasons": bar_list(
            list(zip(REASONS[language], (32, 18, -12, -41), strict=True)),
            title=say["reasons"], unit=say["points"], language=language,
        ),
        "score": gauge(
            684, 300, 850, title=say["profile"], label="B+",
            bands=[(520, "bad"), (600, "warn"), (700, "brand"), (850, "good")],
        ),
        "web": radar(
            list(zip(AXES[language], (0.92, 0.78, 0.41, 1.0, None, 0.55), strict=True)),
            title=say["dimensions"],
        ),
        "chains": network(
            [
                Node("csj", "长三角征信链" if language == "zh" else "Yangtze Delta",
                     "1,204", "brand"),
                Node("zsj", "珠三角征信链" if language == "zh" else "Pearl River Delta",
                     "311", "good"),
                Node("jjj", "京津冀征信链" if language == "zh" else "Jing-Jin-Ji", "72 h", "warn"),
            ],
            [
                Edge("csj", "zsj", "812", 812, "brand"),
                Edge("zsj", "csj", "304", 304, "brand"),
                Edge("csj", "jjj", "64", 64, "warn"),
            ],
            title=say["chains"], language=language,
        ),
        "spark": sparkline(amount[-20:], title=say["queries"]),
        "quota": meter(812, 1000, title=say["used"], tone="warn"),
        "nothing": line_chart([], title=say["nothing"], unit="", language=language),
        "day": day(1_790_000_000),
        "today_text": WORDS["today"],
    }  # fmt: skip
