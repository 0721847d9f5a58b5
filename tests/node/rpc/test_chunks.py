from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import NodeError
from node.rpc.chunks import CHUNK_BYTES, Assembler, Piece, file_pieces, pieces, receiving
from node.rpc.errors import ChunkError
from yinxin.v1.common_pb2 import Chunk

DATA = hashlib.shake_256(b"data").digest(2_560_000)


def take(sent: list[Piece], limit: int = 1 << 24, expected: bytes | None = None) -> bytes:
    assembler = Assembler(limit, expected)
    for piece in sent:
        assembler.add(Chunk(total=piece.total, sha256=piece.sha256, data=piece.data))
    return assembler.finish()


@given(st.sampled_from([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]))
def test_every_length_round_trips(length: int) -> None:
    data = bytes(length)
    sent = list(pieces(data))
    assert all(len(piece.data) <= CHUNK_BYTES for piece in sent)
    assert take(sent) == data


def test_a_transfer_that_breaks_its_announcement_is_refused() -> None:
    sent = list(pieces(DATA))
    flipped = Piece(data=bytes([sent[1].data[0] ^ 1]) + sent[1].data[1:])
    other = hashlib.sha256(b"other").digest()
    for broken, message in [
        ([], "ends after"),
        (sent[:-1], "ends after"),
        (sent[1:], "does not begin"),
        ([sent[0], *sent], "announced twice"),
        ([*sent, Piece(data=b"x")], "longer than"),
        ([sent[0], Piece(), *sent[1:]], "0 bytes"),
        ([sent[0], Piece(data=bytes(CHUNK_BYTES + 1))], "allowed are 1 to"),
        ([sent[0], flipped, *sent[2:]], "announced SHA-256"),
        ([sent[0], sent[2], sent[1], *sent[3:]], "announced SHA-256"),
        ([Piece(sent[0].total, b"short"), *sent[1:]], "does not begin"),
        ([Piece(sent[0].total, sent[0].sha256, b"x"), *sent[1:]], "does not begin"),
    ]:
        with pytest.raises(ChunkError, match=message):
            take(broken)
    with pytest.raises(ChunkError, match="allowed are 100"):
        take(sent, limit=100)
    with pytest.raises(ChunkError, match="another SHA-256"):
        take(sent, expected=other)
    assert take(sent, limit=len(DATA), expected=sent[0].sha256) == DATA


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(DATA)
    sent = list(file_pieces(source))
    assert sent == list(pieces(DATA))
    with pytest.raises(ChunkError), receiving(target, 1 << 24) as assembler:
        for piece in sent[:-1]:
            assembler.add(piece)
    assert sorted(tmp_path.iterdir()) == [source]
    with receiving(target, 1 << 24, hashlib.sha256(DATA).digest()) as assembler:
        for piece in sent:
            assert not target.exists()
            assembler.add(piece)
    assert target.read_bytes() == DATA
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="absent"):
        list(file_pieces(tmp_path / "absent"))
    absent = tmp_path / "folder" / "file"
    with pytest.raises(NodeError, match="folder/file"), receiving(absent, 10) as assembler:
        assembler.add(Piece())
