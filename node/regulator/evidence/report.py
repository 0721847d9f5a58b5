"""What the report of an evidence folder says, whatever it is printed with.

Times are those of China (UTC+8). Hashes are in hex, shortened only where the whole value stands in
the folder's files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from federation.auditkeys import CHINA
from federation.certificate import ModelCertificate
from federation.consent import Consent, read_unverified
from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.membership import TrustRoot
from federation.permit import Permit
from federation.purpose import PURPOSE_TITLES, Purpose
from federation.tlog.checkpoint import WITNESS_ROLES, Checkpoint, cosigners
from federation.tlog.note import Note
from node.regulator.evidence.material import Material, ProvedEntry
from node.regulator.evidence.texts import EVENTS, ROLES, SEVERITIES, STATES, word
from node.regulator.mirror.books import MirroredLog

LANGUAGES: Final = ("zh", "en")
_UNKNOWN: Final = "–"


class Verdict(StrEnum):
    """What the checks amount to."""

    IN_ORDER = "in_order"
    NOT_IN_ORDER = "not_in_order"
    ERASED = "erased"
    """Nothing is wrong, but the consent cannot be checked: it was erased after the legal term."""


class Check(BaseModel):
    """One step of the verifier, as it prints it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    zh: str
    en: str
    whole: bool
    faults: tuple[str, ...]
    gone: str

    def title(self, language: str) -> str:
        """What the step checks."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class LogRow:
    """A log: its checkpoint, where the entries stand in it, who cosigned."""

    name: str
    size: str
    root: str
    positions: str
    cosigners: tuple[str, ...]


@dataclass(frozen=True)
class CheckRow:
    """A check: `outcome` is `passed`, `failed` or `gone`, a word of the report."""

    number: int
    title: str
    outcome: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The report in one language. `rows` of a timeline: time, party, what, entry."""

    language: str
    verdict: Verdict
    query: str
    chain: str
    made: str
    trust: str
    facts: tuple[tuple[str, str], ...]
    timeline: tuple[tuple[str, str, str, str], ...]
    logs: tuple[LogRow, ...]
    checks: tuple[CheckRow, ...]
    findings: tuple[tuple[str, str, str, str, str], ...]
    """Title, subject, severity, state, note."""

    def word(self, name: str) -> str:
        """A word of the report's language."""
        return word(name, self.language)


def compose(
    material: Material, root: TrustRoot, checks: Sequence[Check], now: int, language: str
) -> Report:
    """The report about `material` in `zh` or `en`."""
    names = _Names(material, language)
    return Report(
        language=language,
        verdict=verdict_of(checks),
        query=material.query.hex(),
        chain=root.chain,
        made=when(now),
        trust=root.hash.hex(),
        facts=tuple(_facts(material, names)),
        timeline=tuple(_timeline(material, names)),
        logs=tuple(_log_row(log, material.entries, names) for log in material.logs),
        checks=tuple(
            CheckRow(number, check.title(language), _outcome(check), check.faults)
            for number, check in enumerate(checks, start=1)
        ),
        findings=tuple(
            (
                one.kind.titles[language],
                names.party(one.subject),
                SEVERITIES[one.severity][language],
                STATES[one.state.value][language],
                one.note,
            )
            for one in material.findings
        ),
    )


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """The verdict over all checks of evidence that is whole."""
    if any(check.faults for check in checks):
        return Verdict.NOT_IN_ORDER
    return Verdict.ERASED if any(check.gone for check in checks) else Verdict.IN_ORDER


def _outcome(check: Check) -> str:
    if check.faults:
        return "failed"
    return "gone" if check.gone else "passed"


def when(seconds: int) -> str:
    """A time in China, to the second."""
    return datetime.fromtimestamp(seconds, CHINA).strftime("%Y-%m-%d %H:%M:%S")


class _Names:
    """Parties by their titles."""

    def __init__(self, material: Material, language: str) -> None:
        self.language = language
        self._members = material.members

    def party(self, member: str | SpiffeId) -> str:
        """A member's title and the name in its id."""
        text = str(member)
        role, _, name = text.removeprefix("spiffe://").partition("/")[2].partition("/")
        known = self._members.get(text)
        title = known.title.get(self.language, "") if known else ""
        kind = ROLES[role][self.language] if role in ROLES else role
        if title == name:
            return title
        return f"{title or kind} ({name})" if name else text

    def witnesses(self, log: str) -> dict[SpiffeId, bytes]:
        """The witnesses of a log with their newest keys."""
        members = self._members.values()
        return {m.id: m.signing for m in members if m.id.role in WITNESS_ROLES and str(m.id) != log}

    def parties(self, members: Sequence[SpiffeId]) -> str:
        """Several of them."""
        return ("、" if self.language == "zh" else ", ").join(map(self.party, members))


def _facts(material: Material, names: _Names) -> list[tuple[str, str]]:
    language = names.language
    permit, model, evidence = material.granted, _model(material), material.evidence
    missing = word("unknown", language).format(problem=material.problem)
    rows = [("enterprise", evidence.uscc if evidence else missing)]
    if permit is not None:
        rows += _permit_facts(permit, names)
    if evidence is not None:
        rows += [
            ("officer", evidence.officer or _UNKNOWN),
            ("reference", evidence.reference or _UNKNOWN),
        ]
    consent = _consent(material)
    if consent is not None:
        value = word("consent_value", language).format(
            signed=when(consent.issued_at),
            begin=when(consent.not_before)[:10],
            end=when(consent.expires)[:10],
            uses=consent.uses,
        )
        rows.append(("consent", value))
    if model is not None:
        fields = ("、" if language == "zh" else ", ").join(f.name for f in model.fields)
        rows += [("model", f"{model.name} ({model.hash.hex()[:16]})"), ("fields", fields)]
    rows.append(("query", material.query.hex()))
    return [(word(name, language), value) for name, value in rows]


def _permit_facts(permit: Permit, names: _Names) -> list[tuple[str, str]]:
    purpose = permit.purpose
    if purpose in set(Purpose):
        purpose = f"{purpose} {PURPOSE_TITLES[Purpose(purpose)][names.language]}"
    return [
        ("bank", names.party(permit.bank)),
        ("purpose", purpose),
        ("time", when(permit.issued)),
        ("holders", names.parties(permit.audience)),
        ("epoch", str(permit.epoch)),
    ]


def _timeline(material: Material, names: _Names) -> list[tuple[str, str, str, str]]:
    language = names.language
    events = []
    consent = _consent(material)
    if consent is not None:
        signed = EVENTS["consent"][language]
        events.append((consent.issued_at, "consent", str(consent.uscc), signed, _UNKNOWN))
    for one in material.entries:
        kind = str(one.entry.kind)
        what = EVENTS[kind][language] if kind in EVENTS else kind
        party = names.party(one.log)
        events.append((one.entry.time, kind, party, what, f"#{one.index}"))
    order = list(EVENTS)
    # Within one second in the order of the protocol.
    events.sort(key=lambda e: (e[0], order.index(e[1]) if e[1] in order else len(order)))
    return [(when(time), party, name, place) for time, _, party, name, place in events]


def _log_row(log: MirroredLog, entries: Sequence[ProvedEntry], names: _Names) -> LogRow:
    positions = ", ".join(f"#{e.index}" for e in entries if e.log == log.log)
    if log.cosigned_note is None:
        return LogRow(names.party(log.log), _UNKNOWN, _UNKNOWN, positions, ())
    note = Note.parse(log.cosigned_note)
    checkpoint = Checkpoint.parse(note.text)
    found = cosigners(note, names.witnesses(log.log))  # whatever else is under it is nobody's
    return LogRow(
        name=names.party(log.log),
        size=str(checkpoint.size),
        root=checkpoint.root.hex(),
        positions=positions,
        cosigners=tuple(witness.name for witness in found),
    )


def _model(material: Material) -> ModelCertificate | None:
    if material.certificate is None:
        return None
    try:
        return ModelCertificate.parse(material.certificate.payload)
    except DocumentError:
        return None


def _consent(material: Material) -> Consent | None:
    if material.evidence is None:
        return None
    try:
        return read_unverified(material.evidence.consent)
    except DocumentError:
        return None
