"""What a request passes before a page's own code runs."""

from __future__ import annotations

import pytest
import structlog
from sqlalchemy import Column as DbColumn
from sqlalchemy import Integer, MetaData, Text, create_engine, insert, select
from sqlalchemy import Table as DbTable
from starlette.responses import Response

from node.pages.duties import Duty
from node.pages.headers import POLICY
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, change
from scoring.documents import Text as Words
from support.pages import assert_matrix, browsing, open_site

METADATA = MetaData()
FIRMS = DbTable(
    "firms", METADATA, DbColumn("id", Integer, primary_key=True), DbColumn("name", Text),
    DbColumn("time", Integer),
)  # fmt: skip
TABLE = Table(
    (
        Column("id", Words(zh="号", en="Id"), lambda r, v: r.id, kind="number", source=FIRMS.c.id),
        Column("name", Words(zh="名", en="Name"), lambda r, v: r.name, source=FIRMS.c.name),
        Column("time", Words(zh="时", en="Time"), lambda r, v: r.time, kind="time",
               source=FIRMS.c.time),
    ),
    select(FIRMS), FIRMS.c.id, "-id",
)  # fmt: skip


def site() -> Site:
    made = open_site({Duty.OFFICER, Duty.ADMINISTRATOR})
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    connection = engine.connect()
    connection.execute(
        insert(FIRMS),
        [{"id": n, "name": f"=firm {n % 7}", "time": 1_700_000_000 + n * 60} for n in range(200)],
    )

    async def firms(visit: Visit) -> Response:
        asked = read(TABLE, visit)
        shown = fetch(connection, TABLE, asked, "/firms")
        return Response(",".join(str(row.id) for row in shown.rows) + f"/{shown.total}")

    async def export(visit: Visit) -> Response:
        return to_csv(TABLE, every(connection, TABLE, read(TABLE, visit)), visit, "firms")

    async def post(visit: Visit) -> Response:
        return visit.redirect("/firms", "saved")

    made.add_section("/firms", Words(zh="企业", en="Firms"), "firms", {Duty.OFFICER})
    made.add("/firms", firms, duties={Duty.OFFICER})
    made.add("/firms", post, duties={Duty.OFFICER}, methods=("POST",))
    made.add("/firms.csv", export, duties={Duty.OFFICER})
    return made


async def test_session_duty_origin_and_token() -> None:
    made = site()
    async with browsing(made) as client:
        assert (await client.get("/firms")).headers["location"] == "/login"
    async with browsing(made, Duty.ADMINISTRATOR) as client:
        assert (await client.get("/firms")).status_code == 403
    async with browsing(made, Duty.OFFICER) as client:
        found = await client.get("/firms")
        assert found.status_code == 200
        assert found.headers["content-security-policy"] == POLICY and "unsafe" not in POLICY
        assert found.headers["cache-control"] == "no-store"
        assert (await client.get("/none")).status_code == 404
        assert (await client.post("/firms")).status_code == 303
        cross = {"sec-fetch-site": "cross-site"}
        assert (await client.post("/firms", headers=cross)).status_code == 403
        elsewhere = {"origin": "https://elsewhere.test"}
        assert (await client.post("/firms", headers=elsewhere)).status_code == 403
        wrong = {"x-csrf-token": "wrong"}
        assert (await client.post("/firms", headers=wrong)).status_code == 403


async def test_every_page_against_every_duty() -> None:
    await assert_matrix(site())
    made = site()
    made.add_section("/more", Words(zh="更多", en="More"), "more", {Duty.OFFICER})
    with pytest.raises(AssertionError, match="leads nowhere"):
        await assert_matrix(made)


@pytest.mark.parametrize("host", ["elsewhere.test", "pages.test.elsewhere.test", "", "127.0.0.2"])
async def test_a_request_for_another_name_is_refused(host: str) -> None:
    async with browsing(site(), Duty.OFFICER) as client:
        found = await client.get("/firms", headers={"host": host})
        assert found.status_code == 421
        assert found.headers["content-security-policy"] == POLICY
        assert (await client.get("/firms", headers={"host": "PAGES.test:8443"})).status_code == 200


async def test_what_nobody_foresaw_is_logged_without_its_text() -> None:
    made = site()

    async def page(visit: Visit) -> Response:
        raise ValueError(f"cannot read {visit.query('value')}")

    made.add("/faulty", page, duties={Duty.OFFICER})
    with structlog.testing.capture_logs() as logs:
        async with browsing(made, Duty.OFFICER) as client:
            found = await client.get("/faulty?value=12.5")
    assert found.status_code == 500 and "12.5" not in found.text
    (line,) = [line for line in logs if line["event"] == "page failed"]
    assert line["error"].startswith("ValueError in page, test_site.py:") and "12.5" not in str(logs)


async def test_a_page_without_duties_cannot_be_added() -> None:
    made = site()

    async def page(visit: Visit) -> Response:
        return Response()

    for duties in (set(), {Duty.INSPECTOR}):
        with pytest.raises(ValueError, match="duties"):
            made.add("/more", page, duties=duties)
    with pytest.raises(ValueError, match="already"):
        made.add("/firms", page, duties={Duty.OFFICER})


async def test_a_table_is_sorted_filtered_and_paged_by_the_database() -> None:
    async with browsing(site(), Duty.OFFICER) as client:

        async def ids(query: str) -> str:
            return (await client.get(f"/firms?{query}")).text

        assert (await ids("")).startswith("199,198") and (await ids("")).endswith("/200")
        assert (await ids("sort=id&page=2&size=50")).startswith("50,51")
        assert (await ids("page=99")).startswith("24,")
        assert (await ids("sort=nonsense&size=7&page=x")).startswith("199,")
        assert (await ids("name=firm+3")).endswith("/29")
        assert (await ids("name=%25")).endswith("/0")
        assert (await ids("time_from=2023-11-15&time_to=2023-11-15")).endswith("/200")
        assert (await ids("time_from=2023-11-16")).endswith("/0")
        lines = (await client.get("/firms.csv?name=firm+3")).text.splitlines()
        assert lines[0] == "\ufeffId,Name,Time" and len(lines) == 30
        assert lines[1].split(",")[1] == "'=firm 3"


def test_a_difference_has_a_minus_of_its_own_and_nothing_no_sign() -> None:
    assert [change(one) for one in (0.44, -1.25, -0.04, 0.0)] == ["+0.4", "−1.2", "0.0", "0.0"]
