"""What must not stand anywhere in the clear after a query, and everywhere it could stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
from sqlalchemy import MetaData, select

from federation.answers import UnlockAnswer
from federation.canonical import unb64
from federation.certificate import ModelCertificate
from federation.epoch import OpenEpoch
from federation.signed import Signed
from node.bank.documents import signed_from
from node.bank.records import ModelRecords
from node.chain.store import BATCH
from node.chain.tables import chain_documents
from node.demo import observed
from node.demo.agent import OFFICER
from node.demo.layout import CHAIN, Party
from scoring.oprf import finalize, hash_to_group
from scoring.pads import pad_word
from support.needles import ORDERS, Hit, Needles, hashes, number, opened, spellings, vectors
from support.running import EPOCH, Asked, RunningChain

GROUP_ELEMENT = "H(code)"
_SMALL = 4 << 20
_PIECE = 32


@dataclass
class Known:
    """All that a bank knows of its queries and its model, by which to look for it elsewhere."""

    chain: RunningChain
    asked: Sequence[Asked]
    certificate: ModelCertificate
    epoch: OpenEpoch

    @classmethod
    async def of(cls, chain: RunningChain, asked: Sequence[Asked]) -> Known:
        """Knowledge of answered queries."""
        digest = bytes.fromhex(asked[0].model.certificate)
        session = await observed.session(chain.layout, EPOCH, digest)
        return cls(chain, asked, session.certificate, session.epoch)

    @cached_property
    def needles(self) -> Needles:
        """Every secret in every spelling."""
        needles = Needles()
        for index, asked in enumerate(self.asked):
            self._of_query(needles, f"query {index}", asked)
        self._of_model(needles)
        words = {f"record {i}": asked.word for i, asked in enumerate(self.asked)}
        needles.add_words(words)
        return needles

    def _of_query(self, needles: Needles, name: str, asked: Asked) -> None:
        consent, code = self.chain.verified(asked), asked.firm.uscc.encode()
        evidence = self.chain.queries(asked).content["evidence"]
        query = evidence["open"]
        needles.add(f"{name}: code", spellings(code, text=True))
        needles.add(f"{name}: hash of the code", hashes(code))
        label = b"yinxin/roster/v1" + CHAIN.encode() + code
        needles.add(f"{name}: hash of the code", hashes(label))
        needles.add(f"{name}: {GROUP_ELEMENT}", spellings(hash_to_group(code)))
        signature = asked.consent.rpartition(".")[2]
        secret = {
            "consent's signature": unb64(signature)[:48],
            "consent's hash": consent.hash,
            "consent's id": consent.id,
            "enterprise's public key": asked.firm.signing.public,
            "proof of knowledge": unb64(query["blindings"][0]["proof"])[:48],
            "scalar r": unb64(query["scalars"][0]),
        }
        for what, value in secret.items():
            needles.add(f"{name}: {what}", spellings(value))
            needles.add(f"{name}: hash of {what}", hashes(value))
        needles.add(f"{name}: hash of the consent", hashes(asked.consent.encode()))
        for what, text in {"loan": query["reference"], "key": asked.key}.items():
            needles.add(f"{name}: {what}", spellings(text.encode(), text=True))
            needles.add(f"{name}: hash of {what}", hashes(text.encode()))
        needles.add("officer", spellings(OFFICER.encode(), text=True))
        self._of_answers(needles, name, asked, evidence)

    def _of_answers(
        self, needles: Needles, name: str, asked: Asked, evidence: dict[str, object]
    ) -> None:
        content = self.chain.queries(asked).content["evidence"]
        scalar, code = unb64(content["open"]["scalars"][0]), asked.firm.uscc.encode()
        ctx = self.certificate.context(self.epoch)
        total = int(content["word"])
        needles.add(f"{name}: padded word", number(total))
        for raw in content["answers"]:
            answer = UnlockAnswer.parse(signed_from(raw).payload)
            y = finalize(code, scalar, answer.evaluated)
            manifest = self.epoch.manifests[answer.holder].hash
            pad = pad_word(y, ctx, manifest)
            total -= pad
            needles.add(f"{name}: y of {answer.holder.name}", spellings(y[:48]))
            needles.add(f"{name}: pad of {answer.holder.name}", number(pad))
        # What was gathered here is what opens the record; else the search would be for nothing.
        assert total % (1 << 48) == asked.word
        for field_name, value in asked.record.values.items():
            for form in (f'"{field_name}":{value}', f'"{field_name}": {value}'):
                needles.add(f"{name}: field", [("json", form.encode())])

    def _of_model(self, needles: Needles) -> None:
        card = self.asked[0].model.scorecard
        for participant in card.participants:
            holder = participant.holder
            weights = card.weights(self.chain.catalogue, holder)
            needles.add(f"weights of {holder}", vectors(weights))
            points = [p for entry in card.points if entry.holder == holder for p in entry.points]
            needles.add(f"points of {holder}", vectors(points))
        records = ModelRecords(self.chain.key(self.chain.layout.bank))
        with self.chain.database(self.chain.layout.bank) as connection:
            model = records.model(connection, self.certificate.hash)
            assert model is not None
            bucket = records.bucket(connection, self.certificate.context(self.epoch), 0)
            assert bucket is not None
        for start in range(0, len(model.secret_key) - _PIECE, 1024):
            piece = model.secret_key[start : start + _PIECE]
            if len(set(piece)) > _PIECE // 2:
                needles.add("secret key", spellings(piece))
        for row in range(0, 8192, 512):
            words = [int(w) for w in bucket.words[row : row + 4]]
            needles.add("padded table", vectors_of_words(words))

    # --- where --------------------------------------------------------------------------------

    @cached_property
    def roster(self) -> tuple[bytes, ...]:
        """The roster as documents, which are public: as kept, and as signed."""
        with self.chain.database(self.chain.layout.hub) as connection:
            query = select(chain_documents.c.body).where(chain_documents.c.kind == BATCH)
            bodies = [bytes(row) for row in connection.execute(query).scalars()]
        return (*bodies, *(Signed.from_json(body).payload for body in bodies))

    def hits(self, place: str, data: bytes, *, deep: bool) -> list[Hit]:
        """What of it stands in these bytes, and is not an excerpt of the public roster."""
        found: list[Hit] = []
        views = opened(data) if deep else [data]
        named: set[str] = set()
        for view in views:
            found += [h for h in self.needles.find(view, place) if not self._is_roster(h)]
            if deep:
                named |= self.needles.words_in(view)
        # One small number may stand anywhere; three firms' records in one place are no chance.
        if len(named) >= 3:
            found.append(Hit(", ".join(sorted(named)), "number", place, b""))
        return found

    def _is_roster(self, hit: Hit) -> bool:
        if "code" not in hit.name:
            return False
        if GROUP_ELEMENT in hit.name and "/hashes/" in hit.place:
            return True  # a holder's own cache: the elements of all firms, in order of the roster
        return any(hit.around[4:-4] in document for document in self.roster)


def vectors_of_words(words: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Four neighbouring words of a table, as bytes of 6 or 8 or as text."""
    for width in (6, 8):
        for order in ORDERS:
            yield (
                f"{width}-byte {order} endian",
                b"".join(w.to_bytes(width, order) for w in words),
            )
    yield "text", ",".join(map(str, words)).encode()
    yield "text with spaces", ", ".join(map(str, words)).encode()


def rows(chain: RunningChain, party: Party) -> Iterator[tuple[str, bytes]]:
    """Every table of a node's database, all values one after the other, without the roster."""
    metadata = MetaData()
    with chain.database(party) as connection:
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            query = select(table)
            if table.name == chain_documents.name:
                query = query.where(table.c.kind != BATCH)
            values = [_bytes(v) for row in connection.execute(query) for v in row]
            yield f"{party.name}: table {table.name}", b"\x00".join(values)


def files(folder: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Every file below a folder, and whether it is to be opened up as well.

    Large files are ciphertexts that were there before any query; they are searched as they are.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield str(path), data, len(data) < _SMALL


async def metrics(chain: RunningChain) -> list[tuple[str, bytes]]:
    """The metrics page of every node."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return [
            (
                f"metrics of {party.name}",
                (await http.get(f"http://{party.metrics}/metrics")).content,
            )
            for party in chain.layout.servers
        ]


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return str(value).encode()
