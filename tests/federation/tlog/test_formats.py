"""Notes, checkpoints, tiles and proofs: the examples of the specifications, and fakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import DocumentError, IdentityError, Refusal, SignatureInvalid
from federation.merkle import inclusion_path, leaf_hash, root
from federation.signed import SigningKey
from federation.tlog.checkpoint import (
    Checkpoint,
    cosign,
    cosigners,
    member_of,
    open_checkpoint,
    origin_of,
    quorum_of,
    require_cosigned,
    sign_checkpoint,
    verify_cosignature,
)
from federation.tlog.note import (
    COSIGNATURE,
    ED25519,
    Note,
    NoteSignature,
    decode_base64,
    encode_base64,
    note_key_id,
    parse_vkey,
    sign_note,
    verify_note,
    vkey,
)
from federation.tlog.proof import TlogProof, verify_proof
from federation.tlog.tiles import (
    TILE_WIDTH,
    bundles_of,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_tile_path,
    split_tile,
    tile_path,
    tiles_of,
    width_of,
)
from federation.tlog.witness import AddCheckpoint
from support.tlog import LOG, START, Owner, entries, reader_of

OWNER = Owner()
KEYS = OWNER.keys
WITNESS = next(iter(OWNER.witnesses))

# c2sp.org/signed-note, section Verifier keys.
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRK"
    "uwHjG1Yu72IneyaQM=\n"
).encode()
# c2sp.org/signed-note, section 1: a text with an empty line.
SPEC_POEM = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQ"
    "U0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
# The example of Go's sumdb/note, which signs it with this seed.
GO_SEED = decode_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", "seed")[1:]
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
# c2sp.org/tlog-cosignature, section 1.
SPEC_COSIGNED = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2"
    "q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()
# c2sp.org/tlog-witness, section add-checkpoint.
SPEC_REQUEST = (
    b"old 20852014\n"
    b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    b"jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    b"5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    b"/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    b"\n"
) + SPEC_COSIGNED


# --- notes --------------------------------------------------------------------------------------


def test_the_specifications_note_verifies_under_its_vkey() -> None:
    name, algorithm, public = parse_vkey(SPEC_VKEY)
    assert (name, algorithm) == ("example.com/foo", ED25519)
    assert vkey(name, algorithm, public) == SPEC_VKEY
    note = Note.parse(SPEC_NOTE)
    assert note.encode() == SPEC_NOTE
    verify_note(note, name, public)
    with pytest.raises(SignatureInvalid):
        verify_note(Note("This is another message.\n", note.signatures), name, public)


def test_gos_note_is_signed_the_same() -> None:
    key = SigningKey.from_bytes(GO_SEED)
    assert vkey("PeterNeumann", ED25519, key.public) == GO_VKEY
    note = sign_note(GO_TEXT, "PeterNeumann", key)
    assert note.encode().decode() == f"{GO_TEXT}\n{GO_LINE}"


def test_a_text_may_have_empty_lines() -> None:
    note = Note.parse(SPEC_POEM)
    assert note.text.endswith("\n\ned è subito sera.\n")
    assert [s.name for s in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.encode() == SPEC_POEM


@pytest.mark.parametrize(
    "forge",
    [
        lambda raw: b"",
        lambda raw: raw.replace(b"\n\n", b"\n"),
        lambda raw: raw.removesuffix(b"\n"),
        lambda raw: raw + b"\n",
        lambda raw: raw + b"no signature\n",
        lambda raw: raw.replace("—".encode(), b"-"),
        lambda raw: raw.replace(b"message", b"mess\tage"),
        lambda raw: raw.replace(b"message", b"mess\xffage"),
        lambda raw: raw.replace(b"message", b"mess\rage"),
        lambda raw: raw.replace(b"com/foo Uw", b"com/foo  Uw"),
        lambda raw: raw.replace(b"com/foo", b"com/fo+o"),
        lambda raw: raw.replace(b"com/foo", "com/fo\u3000o".encode()),
        lambda raw: raw.replace(b"QM=\n", b"QN=\n"),  # a second spelling of the same bytes
        lambda raw: raw.replace(b"QM=\n", b"QM\n"),
        lambda raw: raw.replace(b"QM=\n", b"QM=x\n"),
        lambda raw: raw.split(b"\n\n")[0] + b"\n\n\xe2\x80\x94 example.com/foo Uw2QOg==\n",
        lambda raw: raw + raw.split(b"\n\n")[1] * 100,
        lambda raw: raw.replace(b"message", b"m" * 70_000),
    ],
)
def test_what_is_no_note_is_refused(forge: Callable[[bytes], bytes]) -> None:
    raw = forge(SPEC_NOTE)
    assert raw != SPEC_NOTE
    with pytest.raises(DocumentError):
        Note.parse(raw)


@pytest.mark.parametrize("text", ["", "no newline", "two\n\nparts\n"])
def test_no_text_is_signed_that_would_read_as_another_note(text: str) -> None:
    with pytest.raises(DocumentError):
        sign_note(text, "example.com/foo", OWNER.key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+",
        SPEC_VKEY.replace("530d903a", "530d903b"),
        SPEC_VKEY.replace("530d903a", "530D903A"),
        SPEC_VKEY.replace("example.com", "example.org"),
        SPEC_VKEY.replace("+Aeky", "+Beky"),
        SPEC_VKEY.replace("+Aeky", "+Aekz"),
        SPEC_VKEY[:-4],
    ],
)
def test_what_is_no_vkey_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_vkey(text)


@given(st.binary(max_size=100))
def test_base64_has_one_spelling(raw: bytes) -> None:
    text = encode_base64(raw)
    assert decode_base64(text, "x") == raw
    for other in (text.rstrip("="), text + "=", text + "\n", " " + text):
        if other != text:
            with pytest.raises(DocumentError):
                decode_base64(other, "x")


# --- checkpoints and cosignatures ---------------------------------------------------------------


def test_the_specifications_checkpoint_is_read() -> None:
    note = Note.parse(SPEC_COSIGNED)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text() == note.text
    assert note.encode() == SPEC_COSIGNED
    # The specification gives the time that this cosignature signs.
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n+1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n1 \nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n１\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",  # a full-width digit
        "a\n9007199254740993\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextension\n",
        "a b\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        Checkpoint.parse(text)


def test_a_checkpoint_is_its_owners_and_nobody_elses() -> None:
    raw = OWNER.checkpoint(5, bytes(32))
    checkpoint, _ = open_checkpoint(raw, origin_of(LOG), KEYS.public)
    assert (checkpoint.size, checkpoint.root) == (5, bytes(32))
    other = SigningKey.generate()
    with pytest.raises(SignatureInvalid):
        open_checkpoint(raw, origin_of(LOG), other.public)
    with pytest.raises(SignatureInvalid):
        open_checkpoint(raw, origin_of(WITNESS), KEYS.public)
    # A member signs a checkpoint of another log under its own name.
    foreign = sign_note(checkpoint.text(), origin_of(WITNESS), other).encode()
    with pytest.raises(DocumentError, match="is of log"):
        open_checkpoint(foreign, origin_of(WITNESS), other.public)


def test_origins_are_spiffe_ids_and_back() -> None:
    assert origin_of(LOG) == "csj.yinxin.example/hub/hub"
    assert member_of(origin_of(LOG)) == LOG
    for origin in ("", "spiffe://csj.yinxin.example/hub/hub", "csj.yinxin.example/clown/x"):
        with pytest.raises(IdentityError):
            member_of(origin)


def test_a_cosignature_signs_the_time_and_is_no_other_signature() -> None:
    key, public = OWNER.witnesses[WITNESS], KEYS.witnesses[WITNESS]
    note = sign_checkpoint(Checkpoint(origin_of(LOG), 5, bytes(32)), OWNER.key)
    line = cosign(note, WITNESS, key, START)
    assert verify_cosignature(note, line, WITNESS, public) == START
    later = (START + 1).to_bytes(8, "big") + line.signature[8:]
    plain_id = note_key_id(origin_of(WITNESS), ED25519, public)
    plain = key.sign(note.text.encode())
    untimed = START.to_bytes(8, "big") + plain
    for forged in (
        NoteSignature(line.name, line.key_id, later),
        NoteSignature(line.name, line.key_id, line.signature[:-1]),
        NoteSignature(line.name, line.key_id, untimed),
        NoteSignature(line.name, plain_id, line.signature),
        NoteSignature(origin_of(LOG), line.key_id, line.signature),
    ):
        with pytest.raises(SignatureInvalid):
            verify_cosignature(note, forged, WITNESS, public)
    # Nor is the cosignature an ordinary signature of the note.
    with pytest.raises(SignatureInvalid):
        verify_note(
            Note(note.text, (NoteSignature(line.name, plain_id, line.signature[8:]),)),
            line.name,
            public,
        )


def test_a_quorum_is_a_majority_of_different_witnesses() -> None:
    assert [quorum_of(n) for n in range(7)] == [0, 1, 2, 2, 3, 3, 4]
    names = list(OWNER.witnesses)
    note = sign_checkpoint(Checkpoint(origin_of(LOG), 5, bytes(32)), OWNER.key)
    lines = [cosign(note, name, OWNER.witnesses[name], START) for name in names]
    assert cosigners(note.adding(lines), KEYS.witnesses) == dict.fromkeys(names, START)
    require_cosigned(note.adding(lines[:2]), KEYS.witnesses)
    impostor = cosign(note, names[1], SigningKey.generate(), START)
    for few in ([], lines[:1], [lines[0], lines[0]], [lines[0], impostor]):
        with pytest.raises(Refusal):
            require_cosigned(note.adding(few), KEYS.witnesses)


# --- tiles --------------------------------------------------------------------------------------


def test_paths_are_those_of_the_specification() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert entries_path(1_234_067) == "tile/entries/x001/x234/067"
    assert tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert entries_path(273, 112) == "tile/entries/273.p/112"


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    tiles = list(tiles_of(70_000))
    full = [(t.level, t.number) for t in tiles if t.width == TILE_WIDTH]
    partial = [tuple(t) for t in tiles if t.width < TILE_WIDTH]
    assert full == [(0, n) for n in range(273)] + [(1, 0)]
    assert partial == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert [tuple(t) for t in tiles_of(256)] == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(300, start=256)) == [(1, 44)]
    assert width_of(0, 2, 300) == 0


@given(
    st.one_of(st.none(), st.integers(0, 6)),
    st.integers(0, 10**9),
    st.integers(1, TILE_WIDTH),
)
def test_paths_are_read_back(level: int | None, index: int, width: int) -> None:
    path = entries_path(index, width) if level is None else tile_path(level, index, width)
    assert parse_tile_path(path) == (level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/7/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x1234/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/entries/000.p/999",
        "tile/0/x100/x000/x000/x000/x000/000",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000/",
        "tile/0/../0/000",
        "tile/0/000\n",
        "tile/entries",
        "/tile/0/000",
        "tile/0/０００",
    ],
)
def test_no_other_path_is_one_of_a_tile(path: str) -> None:
    with pytest.raises(DocumentError):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bundles_are_read_back_and_cut_nowhere(items: list[bytes]) -> None:
    raw = encode_bundle(items)
    assert decode_bundle(raw) == tuple(items)
    ends = {len(encode_bundle(items[:count])) for count in range(1, len(items) + 1)} | {0}
    for cut in set(range(len(raw))) - ends:
        with pytest.raises(DocumentError):
            decode_bundle(raw[:cut])


def test_bundles_and_tiles_hold_what_they_may() -> None:
    longest = bytes(65_535)
    assert decode_bundle(encode_bundle([longest])) == (longest,)
    for items in ([], [b""] * 257, [longest + b"x"]):
        with pytest.raises(DocumentError):
            encode_bundle(items)
    with pytest.raises(DocumentError):
        decode_bundle(b"\0\0" * 257)
    assert split_tile(bytes(64), 2) == (bytes(32), bytes(32))
    for raw in (b"", bytes(63), bytes(65), bytes(96)):
        with pytest.raises(DocumentError):
            split_tile(raw, 2)


# --- proofs and requests ------------------------------------------------------------------------


def _proof(size: int = 9, index: int = 4) -> tuple[TlogProof, bytes]:
    raws = entries(size)
    leaves = [leaf_hash(raw) for raw in raws]
    checkpoint = OWNER.checkpoint(size, root(leaves))
    return TlogProof(index, inclusion_path(index, size, reader_of(leaves)), checkpoint), raws[index]


def test_a_proof_has_the_lines_of_the_specification() -> None:
    proof, _ = _proof()
    raw = proof.encode()
    lines = raw.decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 4"]
    assert lines[2 : 2 + len(proof.path)] == [encode_base64(part) for part in proof.path]
    assert raw.endswith(b"\n\n" + proof.checkpoint)
    assert TlogProof.parse(raw) == proof


def test_a_proof_proves_its_entry_and_no_other() -> None:
    proof, entry = _proof()
    checkpoint = verify_proof(proof.encode(), entry, LOG, KEYS.public, KEYS.witnesses)
    assert checkpoint.size == 9
    other = entries(9)[5]
    with pytest.raises(DocumentError):
        verify_proof(proof.encode(), other, LOG, KEYS.public, KEYS.witnesses)
    with pytest.raises(SignatureInvalid):
        verify_proof(proof.encode(), entry, WITNESS, KEYS.public, KEYS.witnesses)
    few = TlogProof(4, proof.path, OWNER.checkpoint(9, checkpoint.root, cosigners=1))
    with pytest.raises(Refusal):
        verify_proof(few.encode(), entry, LOG, KEYS.public, KEYS.witnesses)


def test_no_byte_of_a_proof_can_change() -> None:
    # With the least quorum, so that each signature line is needed.
    full, entry = _proof()
    tree = root([leaf_hash(raw) for raw in entries(9)])
    raw = TlogProof(4, full.path, OWNER.checkpoint(9, tree, cosigners=2)).encode()
    verify_proof(raw, entry, LOG, KEYS.public, KEYS.witnesses)
    for at in range(len(raw)):
        for bit in range(8):
            forged = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
            with pytest.raises((DocumentError, SignatureInvalid, Refusal)):
                verify_proof(forged, entry, LOG, KEYS.public, KEYS.witnesses)


def test_the_specifications_request_to_a_witness_is_read() -> None:
    request = AddCheckpoint.parse(SPEC_REQUEST)
    assert (request.old, len(request.proof)) == (20_852_014, 4)
    assert request.checkpoint == SPEC_COSIGNED
    assert request.encode() == SPEC_REQUEST


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"old\n\n",
        b"old x\n\n",
        b"old 01\n\n",
        b"new 1\n\n",
        b"old 1\nnot base64\n\n",
        b"old 1\n" + b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n" * 64 + b"\n",
        SPEC_REQUEST + b"x" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        AddCheckpoint.parse(raw)


def test_one_key_has_two_ids_for_two_kinds_of_signatures() -> None:
    public = KEYS.public
    assert note_key_id("a", ED25519, public) != note_key_id("a", COSIGNATURE, public)
    assert parse_vkey(vkey("a", COSIGNATURE, public)) == ("a", COSIGNATURE, public)
