"""The report as PDF (A4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, Spacer, Table

from node.paper import Sheet, build
from node.regulator.evidence.report import Report, Verdict


def pdf(report: Report) -> bytes:
    """The PDF file."""
    title = f"{report.word('title')} {report.query[:12]}"
    flow = _Story(report).flow()
    return build(flow, title, report.language, report.query, report.word("page"))


class _Story:
    """The flowing parts of the report, from top to bottom."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._sheet = Sheet(report.language)
        self._p = self._sheet.p

    def flow(self) -> Sequence[Flowable]:
        """Everything, in order."""
        report, sheet, word = self._report, self._sheet, self._report.word
        made = f"{word('made')} {report.made} (UTC+8)"
        return [
            sheet.header(word("system"), word("title"), (report.chain, made, word("confidential"))),
            Spacer(0, 6 * mm),
            sheet.verdict(
                word(report.verdict),
                word(f"{report.verdict}_why"),
                bad=report.verdict is Verdict.NOT_IN_ORDER,
            ),
            *sheet.section(word("facts"), self._facts()),
            *sheet.section(word("findings"), self._findings()),
            *sheet.section(word("timeline"), self._timeline()),
            *sheet.section(word("checks"), self._checks()),
            *sheet.section(word("logs"), self._logs()),
            Spacer(0, 7 * mm),
            sheet.box(
                [
                    self._p(word("verify"), "head"),
                    self._p(word("verify_how")),
                    self._p(report.trust, "hash"),
                ]
            ),
        ]

    def _facts(self) -> Table:
        rows = [
            [
                self._p(name, "soft"),
                self._p(value, "hash" if value == self._report.query else "text"),
            ]
            for name, value in self._report.facts
        ]
        return self._sheet.table(rows, [0.22, 0.78])

    def _findings(self) -> Table | Paragraph:
        report = self._report
        if not report.findings:
            return self._p(report.word("no_findings"))
        rows = [self._heads("what", "subject", "severity", "state")]
        for title, subject, severity, state, note in report.findings:
            what = [self._p(title), *([self._p(note, "soft")] if note else [])]
            rows.append([what, self._p(subject), self._p(severity), self._p(state)])
        return self._sheet.table(rows, [0.5, 0.28, 0.11, 0.11], heads=True)

    def _timeline(self) -> Table:
        rows = [self._heads("when", "what", "who", "entry")]
        rows += [
            [self._p(time), self._p(what), self._p(party), self._p(place)]
            for time, party, what, place in self._report.timeline
        ]
        return self._sheet.table(rows, [0.23, 0.3, 0.38, 0.09], heads=True)

    def _checks(self) -> Table:
        rows = []
        for check in self._report.checks:
            outcome = self._report.word(check.outcome)
            what = [self._p(check.title), *(self._p(fault, "fault") for fault in check.faults)]
            style = {"passed": "ok", "failed": "no", "gone": "right"}[check.outcome]
            rows.append([self._p(str(check.number), "soft"), what, self._p(outcome, style)])
        return self._sheet.table(rows, [0.06, 0.8, 0.14])

    def _logs(self) -> Table:
        join = "、" if self._report.language == "zh" else ", "
        rows = [self._heads("log", "positions", "size", "cosigners")]
        for log in self._report.logs:
            name = [self._p(log.name), self._p(log.root, "hash")]
            cosigners = self._p(join.join(log.cosigners))
            rows.append([name, self._p(log.positions), self._p(log.size), cosigners])
        return self._sheet.table(rows, [0.38, 0.15, 0.13, 0.34], heads=True)

    def _heads(self, *names: str) -> list[Any]:
        return [self._p(self._report.word(name), "soft") for name in names]
