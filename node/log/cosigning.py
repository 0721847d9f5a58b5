"""Asking one witness for its cosignature: C2SP tlog-witness, the log's side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final

from federation.errors import DocumentError, SignatureInvalid
from federation.identity import SpiffeId
from federation.tlog.checkpoint import read_number, verify_cosignature
from federation.tlog.note import Note, NoteSignature
from federation.tlog.witness import AddCheckpoint
from node.errors import NodeError
from node.log.http.client import LogClient
from node.rpc.errors import PartyUnavailable

_TRIES: Final = 3
_DISAGREE: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY}
)

Consistency = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""The proof that the own tree of the second size extends that of the first."""


class WitnessDisagrees(NodeError):
    """A witness has seen another log under this node's name, or answers what no witness answers.

    `seen` is the size that it says to have cosigned, where that is more than it was shown.
    """

    def __init__(self, message: str, seen: int = 0) -> None:
        super().__init__(message)
        self.seen = seen


class WitnessLink:
    """One witness, and the size of the log that it cosigned last. One call at a time."""

    def __init__(self, client: LogClient, consistency: Consistency) -> None:
        self._client = client
        self._consistency = consistency
        self.size = 0

    @property
    def party(self) -> SpiffeId:
        """The witness."""
        return self._client.party

    async def cosign(self, note: Note, size: int, public: bytes) -> tuple[NoteSignature, int]:
        """The witness's verified cosignature of a checkpoint of `size`, and when it was made.

        `public` is the witness's key. Raises PartyUnavailable for a witness that cannot say now,
        WitnessDisagrees for one whose memory does not fit this log.
        """
        for _ in range(_TRIES):
            proof = tuple(await self._consistency(self.size, size))
            request = AddCheckpoint(self.size, proof, note.encode())
            status, body = await self._client.add_checkpoint(request.encode())
            if status == HTTPStatus.OK:
                found = self._verified(note, body, public)
                self.size = size
                return found
            if status != HTTPStatus.CONFLICT:
                self._explain(status)
            seen = self._seen(body)
            if seen > size or seen == self.size:
                problem = f"{self.party} saw another tree of {seen} entries, {size=}"
                raise WitnessDisagrees(problem, seen if seen > size else 0)
            self.size = seen
        raise PartyUnavailable(self.party)

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.close()

    def _verified(self, note: Note, body: bytes, public: bytes) -> tuple[NoteSignature, int]:
        try:
            for line in body.decode().splitlines():
                signature = NoteSignature.parse(line)
                return signature, verify_cosignature(note, signature, self.party, public)
        except (UnicodeDecodeError, DocumentError, SignatureInvalid) as error:
            raise WitnessDisagrees(f"{self.party} sent no cosignature of its key") from error
        raise WitnessDisagrees(f"{self.party} sent no cosignature")

    def _explain(self, status: int) -> None:
        if status in _DISAGREE:
            raise WitnessDisagrees(f"{self.party} does not accept the checkpoint (status {status})")
        # Not found: it does not know this member yet. Anything else: it cannot work now.
        raise PartyUnavailable(self.party)

    def _seen(self, body: bytes) -> int:
        try:
            return read_number(body.decode("ascii").strip(), "size")
        except (UnicodeDecodeError, DocumentError) as error:
            raise WitnessDisagrees(f"{self.party} tells no size") from error
