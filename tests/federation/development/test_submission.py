"""Labels on their way: parts that fit nowhere else, and lines judged one by one and together."""

from __future__ import annotations

import secrets

import pytest

from federation.development import judging
from federation.development import submission as labels
from federation.development.judging import judge_lines, settle
from federation.development.submission import (
    LabelSubmission,
    SubmissionReader,
    part_count,
    seal_parts,
)
from federation.development.verdict import LabelProblem, LabelVerdict, RefusedLabel
from federation.envelope import EnvelopeKey, sealed_size
from federation.errors import DocumentError, EnvelopeError, FederationError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.subjects import SubjectAuthority
from federation.uscc import Uscc
from support.development import DAY, development_consent, label_lines, label_submission
from support.people import Firm

NOW = 1_790_000_000
DOMAIN = "csj.yinxin.example"
ISSUER = "licence.yinxin.example"
CHAIN = "csj"
BANK, RIVAL = (SpiffeId(DOMAIN, Role.BANK, name) for name in ("harbour", "delta"))
HOLDERS = [SpiffeId(DOMAIN, Role.HOLDER, name) for name in ("power-1", "tax-1")]
LICENCE = SubjectAuthority.create(ISSUER, NOW - DAY)
FIRMS = [Firm(Uscc.generate(n), LICENCE, NOW - DAY) for n in range(6)]
REGULATOR = EnvelopeKey.generate()
LINES = [b"0 " + b"x" * 900 + b"\n"] * 3_000
"""Form only: three parts of a megabyte."""


def consent(firm: Firm, **changes: object) -> str:
    return development_consent(firm, ISSUER, BANK, CHAIN, NOW, **changes)


def head(lines: list[bytes], **changes: object) -> LabelSubmission:
    return label_submission(BANK, CHAIN, bytes(32), HOLDERS, lines, **changes)


def read(parts: list[bytes], bank: SpiffeId, id_: bytes, count: int) -> object:
    reader = SubmissionReader(REGULATOR, bank, id_, count)
    for part in parts:
        reader.add(part)
    return reader.finish()


def test_head_and_lines_come_through_in_parts_of_one_size() -> None:
    made = head(LINES)
    parts = list(seal_parts(made, LINES, REGULATOR.public))
    assert part_count(made, LINES) == len(parts) == 3
    assert {len(part) for part in parts} == {sealed_size(labels.PART_BYTES)}
    assert read(parts, BANK, made.id, 3) == (made, [line[:-1] for line in LINES])


def test_no_part_opens_anywhere_else() -> None:
    made, other = head(LINES), head(LINES)
    parts = list(seal_parts(made, LINES, REGULATOR.public))
    foreign = list(seal_parts(other, LINES, REGULATOR.public))
    for sent, bank, count in (
        ([parts[1], parts[0], parts[2]], BANK, 3),
        ([parts[0], foreign[1], parts[2]], BANK, 3),
        (parts[:2], BANK, 2),
        (parts, RIVAL, 3),
    ):
        with pytest.raises(EnvelopeError):
            read(sent, bank, made.id, count)
    with pytest.raises(DocumentError, match="2 of 3"):
        read(parts[:2], BANK, made.id, 3)
    with pytest.raises(DocumentError, match="more than the 3"):
        read([*parts, parts[0]], BANK, made.id, 3)
    for count in (0, labels.MAX_PARTS + 1):
        with pytest.raises(DocumentError, match="not within"):
            SubmissionReader(REGULATOR, BANK, made.id, count)


@pytest.mark.parametrize(
    "changes",
    [{"bank": RIVAL}, {"id": bytes(16)}, {"labels": bytes(32)}],
    ids=["bank", "id", "labels"],
)
def test_a_head_that_contradicts_its_parts_is_refused(changes: dict[str, object]) -> None:
    """The bank seals as itself and writes another head: the reader compares."""
    lines = LINES[:2]
    honest = head(lines)
    lying = honest.model_copy(update=changes)
    real = labels._place

    def place(bank: SpiffeId, id_: bytes, index: int, count: int) -> bytes:
        return real(BANK, honest.id, index, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "_place", place)
        parts = list(seal_parts(lying, lines, REGULATOR.public))
        with pytest.raises(FederationError):
            read(parts, BANK, honest.id, 1)


def test_too_many_labels_are_told_before_any_is_sent() -> None:
    lines = [b"0 " + b"x" * 8_000 + b"\n"] * 17_000
    with pytest.raises(DocumentError, match="split them"):
        part_count(head([]), lines)


def test_a_budget_does_not_hold_submissions_without_end() -> None:
    head([], epsilon_micro=100_000)
    with pytest.raises(ValueError, match="epsilon_micro"):
        head([], epsilon_micro=99_999)


def test_lines_of_nothing_are_too_many() -> None:
    """Each would become an object, a problem and a line of the verdict: 100 times its size."""
    lines = [b"\n"] * 1_000_000
    made = head(lines)
    parts = list(seal_parts(made, lines, REGULATOR.public))
    with pytest.raises(DocumentError, match="more than 250000 lines"):
        read(parts, BANK, made.id, len(parts))


def test_a_head_names_holders_in_order() -> None:
    for participants in (tuple(HOLDERS[::-1]), (BANK,), ()):
        with pytest.raises(ValueError, match="participants"):
            LabelSubmission.model_validate(head([]).model_dump() | {"participants": participants})


def judged(lines: list[bytes]) -> tuple[dict[int, int], dict[int, LabelProblem]]:
    """Outcome by row, and problem by line; the last firm is in no roster."""
    authority = LICENCE.certificate_pem
    bare = [line.rstrip(b"\n") for line in lines]
    rows = {firm.uscc: 100 + row for row, firm in enumerate(FIRMS[:-1])}
    half = len(bare) // 2
    parts = [
        judge_lines(bare[:half], 1, authority, BANK, CHAIN, NOW),
        judge_lines(bare[half:], half + 1, authority, BANK, CHAIN, NOW),
    ]
    outcomes, refused = settle(parts, rows.get)
    return outcomes, {r.line: LabelProblem(r.problem) for r in refused}


def test_labels_of_firms_that_consented_are_taken() -> None:
    lines = label_lines((n % 2, consent(firm)) for n, firm in enumerate(FIRMS[:-1]))
    assert judged(lines) == ({100: 0, 101: 1, 102: 0, 103: 1, 104: 0}, {})


def test_every_line_that_must_not_count_is_named_with_its_reason() -> None:
    a, b, c, d, e, stranger = FIRMS
    honest = consent(a)
    forged = honest[:-4] + ("AAAA" if honest[-4:] != "AAAA" else "BBBB")
    lines = [
        *label_lines([(0, honest), (2, consent(b)), (1, forged)]),
        *label_lines([(1, consent(b, expires=NOW)), (0, consent(c, bank=RIVAL))]),
        *label_lines([(0, consent(d, chains=("zsj",))), (1, consent(e, not_before=NOW + 9))]),
        *label_lines([(1, consent(a)), (0, consent(stranger))]),
        b"\xff 0",
        b"1 \xff\xff",
        b"",
        b"1 not.a.consent",
    ]
    outcomes, refused = judged(lines)
    assert outcomes == {100: 0}  # the first line of a firm counts, none after it
    assert refused == {
        2: LabelProblem.OUTCOME,
        3: LabelProblem.NO_CONSENT,
        4: LabelProblem.EXPIRED,
        5: LabelProblem.WRONG_BANK,
        6: LabelProblem.WRONG_CHAIN,
        7: LabelProblem.NOT_YET_VALID,
        8: LabelProblem.FIRM_TWICE,
        9: LabelProblem.UNKNOWN_FIRM,
        10: LabelProblem.OUTCOME,
        11: LabelProblem.MALFORMED,
        12: LabelProblem.OUTCOME,
        13: LabelProblem.MALFORMED,
    }


def verdict(**changes: object) -> LabelVerdict:
    fields: dict[str, object] = {
        "submission": bytes(32),
        "refused": (),
        "refused_total": 0,
        "good": 200,
        "bad": 100,
        "least_good": 200,
        "least_bad": 100,
        "epsilon_asked": 3_000_000,
        "epsilon_left": 3_000_000,
    }
    return LabelVerdict(**(fields | changes))


def test_a_verdict_passes_at_its_limits_only() -> None:
    assert verdict().passed and not verdict().reasons("zh")
    for changes in (
        {"good": 199},
        {"bad": 99},
        {"epsilon_asked": 3_000_001},
        {"refused": (RefusedLabel(line=4, problem="expired"),), "refused_total": 1},
    ):
        refused = verdict(**changes)
        assert not refused.passed
        for language in ("zh", "en"):
            assert len(refused.reasons(language)) == 1, language


def test_its_reasons_name_lines_of_the_reader_and_what_to_do() -> None:
    listed = tuple(RefusedLabel(line=n, problem="firm_twice") for n in (3, 9))
    found = verdict(refused=listed, refused_total=5, bad=7)
    english, chinese = found.reasons("en", above=1), found.reasons("zh", above=1)
    assert english[0].startswith("line 4: ") and "keep one line a firm" in english[0]
    assert chinese[1].startswith("第 10 行：")
    assert english[2] == "and 3 lines more"
    assert "7 firms that defaulted, at least 100" in english[3]


def test_every_problem_has_a_text_and_every_reason_a_problem() -> None:
    for problem in LabelProblem:
        assert set(problem.titles) == {"zh", "en"}
    assert set(judging._OF_REASON) <= set(Reason)


def test_keys_and_verdicts_open_for_the_bank_and_their_submission_alone() -> None:
    bank, other = EnvelopeKey.generate(), EnvelopeKey.generate()
    digest = secrets.token_bytes(32)
    sealed = labels.seal_to_bank(labels.KEY_PURPOSE, digest, b"secret", bank.public)
    assert labels.open_at_bank(labels.KEY_PURPOSE, digest, sealed, bank) == b"secret"
    for key, name, about in (
        (other, labels.KEY_PURPOSE, digest),
        (bank, labels.VERDICT_PURPOSE, digest),
        (bank, labels.KEY_PURPOSE, bytes(32)),
    ):
        with pytest.raises((EnvelopeError, Refusal)):
            labels.open_at_bank(name, about, sealed, key)
