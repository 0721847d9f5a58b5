"""Features and bins as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from federation.policy import PolicyItem
from node.models.report.texts import listed, of, say
from scoring.catalogue import Catalogue, Feature
from scoring.errors import ScoringError
from scoring.scorecard import FeaturePoints, Scorecard


class Names:
    """Names of a scorecard's fields, features and bins in one language."""

    def __init__(self, scorecard: Scorecard, catalogue: Catalogue, language: str) -> None:
        self.language = language
        self._scorecard = scorecard
        self._catalogue = catalogue
        self._fields = {field.name: of(field.title, language) for field in scorecard.fields}

    def field(self, name: str) -> str:
        """A field's title; – for a figure that is about no single field."""
        return self._fields.get(name, "–" if name in ("", "*") else name)

    def entry(self, entry: FeaturePoints) -> Feature:
        """What the catalogue says of a feature of the scorecard."""
        return self._catalogue.feature(self._scorecard.kind_of(entry.holder), entry.feature)

    def known(self, name: str) -> Feature | None:
        """The feature that a policy item names as `holder feature`; None for one of an earlier
        scorecard, with other participants or another catalogue.
        """
        holder, _, feature = name.rpartition(" ")
        try:
            return self._catalogue.feature(self._scorecard.kind_of(holder), feature)
        except ScoringError:
            return None

    def feature(self, name: str) -> str:
        """A feature's title and its holder, from `holder feature` as a policy item names it."""
        known = self.known(name)
        if known is None:
            return name
        holder = name.rpartition(" ")[0].rpartition("/")[2]
        return f"{of(known.title, self.language)} · {holder}"

    def short(self, entry: FeaturePoints) -> str:
        """A feature of the scorecard by its title; with the holder where several have it."""
        title = of(self.entry(entry).title, self.language)
        holders = {
            other.holder
            for other in self._scorecard.points
            if of(self.entry(other).title, self.language) == title
        }
        return f"{title} · {entry.holder.rpartition('/')[2]}" if len(holders) > 1 else title

    def features(self, names: Sequence[str]) -> str:
        """Several of them."""
        return listed([self.feature(name) for name in names], self.language)

    def bin(self, label: str) -> str:
        """A bin's label."""
        if label in ("missing", "other"):
            return say(label, self.language)
        return label

    def told_of(self, item: PolicyItem) -> str:
        """What a figure of rule d is about: a set of bins, or a move between two months."""
        event = of(item.event, self.language) if item.event else ""
        bins = self.bins(self.known(item.feature), item.bins) if item.feature and item.bins else ""
        if bins and event:
            return f"{event}: {bins}" if self.language == "en" else f"{event}：{bins}"
        return bins or event or "–"

    def bins(self, feature: Feature | None, labels: Sequence[str]) -> str:
        """A set of a feature's bins, neighbouring intervals joined into one."""
        if feature is None or feature.bins.categories:
            return listed([self.bin(label) for label in labels], self.language)
        known = {label: place for place, label in enumerate(feature.bin_labels)}
        first = 1 + len(feature.bins.specials)
        inner = sorted(known[label] for label in labels if known.get(label, 0) >= first)
        parts = [self.bin(label) for label in labels if known.get(label, 0) < first]
        runs: list[list[int]] = []
        for place in inner:
            if runs and runs[-1][-1] == place - 1:
                runs[-1].append(place)
            else:
                runs.append([place])
        return listed(
            [
                *parts,
                *(_joined(feature, run[0], run[-1]) or say("any", self.language) for run in runs),
            ],
            self.language,
        )


def _joined(feature: Feature, first: int, last: int) -> str:
    """The interval from one bin to another, both included; empty for all of them."""
    labels = feature.bin_labels
    if first == last:
        return labels[first]
    lower, upper = labels[first], labels[last]
    if lower.startswith("<"):
        return "" if upper.startswith("≥") else "< " + _upper(upper)
    if upper.startswith("≥"):
        return "≥ " + _lower(lower)
    return f"[{_lower(lower)}, {_upper(upper)})"


def _lower(label: str) -> str:
    return label.removeprefix("[").partition(", ")[0]


def _upper(label: str) -> str:
    return label.rpartition(", ")[2].removesuffix(")")
