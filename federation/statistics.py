"""A holder's statistics for the published catalogue: tables with noise, signed.

The document says by which mechanism and at which budget the noise was added; whoever has it can
compute what the catalogue publishes of it (`scoring.estimates`), so the hub has to be trusted for
no figure. Whether the holder added the noise honestly nobody else can see: it is the holder's own
protection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import Field, model_validator

from federation.documents import Array, Bytes32, Document, Id, Name, Part, Time
from federation.errors import DocumentError, Refusal
from federation.identity import Role
from federation.membership import Members
from federation.signed import Signed
from scoring.catalogue import Catalogue
from scoring.estimates import NoisyTables, estimated

MILLI: Final = 1000
"""Scales are whole thousandths."""

Count = Annotated[int, Field(ge=-(2**50), le=2**50)]
"""Noise makes counts negative, too."""
Counts = Annotated[tuple[Count, ...], Array]


class FeatureStatistics(Part):
    """One feature's tables: firms a bin, moves from bin to bin (row by row, empty without a month
    before), and the score of each bin that the products were computed with (units of 1/64).
    """

    name: str
    counts: Counts
    moves: Counts
    scores: Counts


class Budget(Part):
    """What the release spent, and the noise that it bought.

    `epsilon_micro` is ε in millionths and `delta_inverse` is 1/δ: the release is (ε, δ)-private
    for neighbours that differ in one firm. The scales are those of discrete Gaussian noise, in
    thousandths of a table's own unit; `moves` is 0 where there are none.
    """

    mechanism: Literal["discrete-gaussian"] = "discrete-gaussian"
    epsilon_micro: Annotated[int, Field(ge=1, le=100_000_000)]
    delta_inverse: Annotated[int, Field(ge=10_000, le=10**15)]
    counts_milli: Annotated[int, Field(ge=1)]
    moves_milli: Annotated[int, Field(ge=0)]
    products_milli: Annotated[int, Field(ge=0)]


class HolderStatistics(Document):
    """What one holder publishes of an epoch, and of the moves since the epoch `before` (0: none).

    `catalogue` is the digest of the epoch's catalogue, `features` those of the holder's kind in its
    order, `rows` the roster's, `known` the noisy number of firms known, `products` the sums of
    `scoring.statistics.moments` (none below three features).
    """

    TYPE: ClassVar[str] = "holder-statistics"

    chain: Name
    holder: Id
    kind: str
    catalogue: Bytes32
    epoch: Annotated[int, Field(ge=1)]
    before: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=1)]
    known: Count
    features: Annotated[tuple[FeatureStatistics, ...], Array]
    products: Counts
    budget: Budget
    made: Time

    @model_validator(mode="after")
    def _shapes(self) -> HolderStatistics:
        for feature in self.features:
            bins = len(feature.counts)
            if len(feature.scores) != bins or len(feature.moves) != (bins**2 if self.before else 0):
                raise ValueError(f"{feature.name}: tables are not of the same number of bins")
        size = len(self.features)
        if not size or len(self.products) != size * (size - 1) // 2:
            raise ValueError("products: not one for every pair of features")
        return self

    def tables(self) -> NoisyTables:
        """The tables as `scoring.estimates` takes them."""
        moves = [np.array(f.moves, dtype=np.int64) for f in self.features] if self.before else []
        return NoisyTables(
            rows=self.rows,
            known=self.known,
            counts=tuple(np.array(f.counts, dtype=np.int64) for f in self.features),
            moves=tuple(
                table.reshape(len(f.counts), -1)
                for table, f in zip(moves, self.features, strict=False)
            ),
            move_scale=self.budget.moves_milli / MILLI,
            scores=tuple(f.scores for f in self.features),
            moments=np.array(self.products, dtype=np.int64),
        )


def read_statistics(signed: Signed, members: Members) -> HolderStatistics:
    """A holder's statistics, verified. Raises SignatureInvalid, or DocumentError for a malformed
    document and for a signer that is no holder of that kind in this chain.
    """
    claimed = HolderStatistics.parse(signed.payload)
    try:
        member = members.require(claimed.holder, Role.HOLDER)
    except Refusal as error:
        raise DocumentError(
            "statistics.holder", f"{claimed.holder} is no holder of the chain now"
        ) from error
    statistics = HolderStatistics.open_(signed, member.signing)
    if statistics.chain != members.root.chain:
        raise DocumentError("statistics.chain", f"is {statistics.chain}, another chain")
    if statistics.kind != member.kind:
        raise DocumentError(
            "statistics.kind", f"is {statistics.kind}, but {claimed.holder} is of {member.kind}"
        )
    return statistics


def check_features(statistics: HolderStatistics, catalogue: Catalogue) -> None:
    """Raises DocumentError unless the features and bins are the catalogue's."""
    have = [(feature.name, len(feature.counts)) for feature in statistics.features]
    want = [(f.name, f.bin_count) for f in catalogue.features_of(statistics.kind)]
    if have != want:
        raise DocumentError(
            "statistics.features",
            f"of {statistics.holder} are not the features and bins of catalogue "
            f"{catalogue.version}",
            "make statistics of an epoch whose catalogue has the same",
        )


def next_catalogue(
    catalogue: Catalogue, version: str, statistics: Sequence[HolderStatistics]
) -> Catalogue:
    """The catalogue, as `version`, with what these statistics say; the rest stays as it was.

    Raises DocumentError for two statistics of one holder or features that do not fit, and
    CatalogueError where they make no figure.
    """
    holders = [one.holder for one in statistics]
    if len(set(holders)) < len(holders):
        raise DocumentError("statistics.holder", "stands twice", "give its newest alone")
    for one in statistics:
        check_features(one, catalogue)
    given = {str(one.holder): (one.kind, one.tables()) for one in statistics}
    return estimated(catalogue, version, given)
