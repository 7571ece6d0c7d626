"""What the paper reports, what that implies, and what of it our runs show."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluation.balanced import GROUP as BALANCED
from ml.evaluation.bootstrap import Interval
from ml.evaluation.operating_point import OperatingPoint, f1_of_always_yes
from ml.evaluation.records import Gain, Study
from ml.studies.report import cell, gain_text

LOGISTIC = ("logistic regression", "logistic", "LR")
SVM = ("linear SVM", "SVM", "linear_svm")
TREES = ("LightGBM", "lightgbm", "trees")
LSTM = ("LSTM alone", "lstm", "LSTM")
GAT = ("GAT alone", "gat", "GAT")
FUSED = ("paper", "LSTM-ATT-GNN")
NO_ATTENTION = ("paper without attention",)
NO_GRAPH = ("paper without graph", "paper without GAT")
FUSION = ("fusion", "stack", "blend")
LOSSES = ("log_loss", "brier", "ece", "normalised_entropy")

RATES = (0.024, 0.004)
"""Shares of positives of two of our data sets, for the paper's last model at a shop's rates."""


@dataclass(frozen=True, slots=True)
class Reported:
    """
    A line of the paper's table.

    Attributes:
        ours: what the same model may be called in our studies.
    """

    model: str
    ours: tuple[str, ...]
    f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    auc: float | None = None

    @property
    def point(self) -> OperatingPoint | None:
        """Where the model stands, if recall and AUC are given."""
        if self.recall is None or self.auc is None:
            return None
        return OperatingPoint(self.recall, self.auc)

    @property
    def implied_share(self) -> float | None:
        """Share of positives that precision, recall and AUC imply together."""
        if self.point is None or self.precision is None:
            return None
        return self.point.share_of_positives(self.precision)


PAPER = (
    Reported("LR", LOGISTIC, 0.709, 0.732, 0.689, 0.765),
    Reported("SVM", SVM, 0.726, 0.751, 0.702, 0.783),
    Reported("LSTM", LSTM, 0.778, 0.785, 0.771, 0.832),
    Reported("GAT", GAT, 0.780, 0.792, 0.768, 0.835),
    Reported("LSTM-ATT-GNN", FUSED, 0.823, 0.831, 0.815, 0.886),
    Reported("without attention", NO_ATTENTION, 0.791),
    Reported("without GAT", NO_GRAPH, 0.785),
    Reported("LightGBM on counters (not in the paper)", TREES),
    Reported("our fusion (not in the paper)", FUSION),
)

LOWEST, BEST = PAPER[0], PAPER[4]


def why_they_differ() -> list[str]:
    """The argument in paragraphs, its numbers computed from the paper's own."""
    shares = [one.implied_share for one in PAPER if one.implied_share is not None]
    low, high = min(shares), max(shares)
    point = BEST.point
    assert point is not None
    elsewhere = "; ".join(
        f"F1 {point.f1_at(rate):.2f} where {rate:.1%} buy, "
        f"{point.best_f1_at(rate):.2f} with the threshold that suits this rate best"
        for rate in RATES
    )
    return [
        "Why the two views differ. Suppose the scores of buyers and of others are two normal "
        "distributions of equal variance. The AUC then fixes the distance of their means, "
        "d = √2·Φ⁻¹(AUC); with it the recall R fixes the share of others that are said yes to, "
        "FPR = Φ(Φ⁻¹(R) − d); and a precision P is possible at one share of buyers only, "
        f"P·FPR / (P·FPR + R·(1 − P)). For the paper's rows that is {low:.0%} to {high:.0%}: about "
        f"one buyer to one other. Saying yes to everybody has F1 {f1_of_always_yes(0.5):.3f} at "
        f"50 % and {f1_of_always_yes(high):.3f} at {high:.0%}, so F1 says little there and AUC "
        "says more.",
        "In a shop most of those asked about do not buy. The operating point of the paper's last "
        f"model, recall {point.recall:.3f} and FPR {point.false_positive_rate:.3f}, has there "
        f"{elsewhere}; nothing about the model has changed. Hence both views here, each with its "
        "base rate, and average precision at the natural rate as the figure that decides.",
        "The text of the paper gives an improvement of 12.3 % over LR; by its table F1 rises by "
        f"{_rise(LOWEST.f1, BEST.f1)} and AUC by {_rise(LOWEST.auc, BEST.auc)}.",
    ]


def _rise(before: float | None, after: float | None) -> str:
    return f"{after / before - 1:.1%}" if before and after else "an unknown share"


def claims(studies: Sequence[Study]) -> list[list[str]]:
    """Claim and finding, decided from the gains of the studies."""
    asked = (
        ("the fusion beats logistic regression", FUSED, LOGISTIC),
        ("the fusion beats a linear SVM", FUSED, SVM),
        ("the fusion beats the LSTM alone", FUSED, LSTM),
        ("the fusion beats the GAT alone", FUSED, GAT),
        ("attention helps", FUSED, NO_ATTENTION),
        ("the graph helps", FUSED, NO_GRAPH),
        ("not claimed: the fusion beats LightGBM on counters", FUSED, TREES),
    )
    found = [[claim, _finding(studies, ours, theirs)] for claim, ours, theirs in asked]
    return [*found, ["F1 .823 and AUC .886 of LSTM-ATT-GNN", _level(studies)]]


def _finding(studies: Sequence[Study], ours: Sequence[str], theirs: Sequence[str]) -> str:
    said = []
    for study in studies:
        for gain in (*study.gains, *study.ablation):
            is_reverse = gain.ours in theirs and gain.theirs in ours
            asked = _turned(gain) if is_reverse else gain
            if asked.ours in ours and asked.theirs in theirs:
                said.append(f"{_verdict(asked)}: {asked.figure} {gain_text(asked)} on {study.name}")
    return "; ".join(said) or "not measured in these runs"


def _turned(gain: Gain) -> Gain:
    found = gain.interval
    return Gain(
        ours=gain.theirs,
        theirs=gain.ours,
        figure=gain.figure,
        interval=Interval(-found.difference, -found.high, -found.low),
    )


def _verdict(gain: Gain) -> str:
    if not gain.interval.is_significant:
        return "cannot be told"
    is_loss = gain.figure in LOSSES
    return "yes" if (gain.interval.difference > 0) is not is_loss else "no, the reverse"


def _level(studies: Sequence[Study]) -> str:
    """Whether our run of the paper's model comes near its F1 and AUC at 1:1."""
    said = []
    for study in studies:
        for row in study.groups.get(BALANCED, []):
            if row.model in FUSED and {"f1", "auc"} <= set(row.figures):
                f1, auc = row.figures["f1"], row.figures["auc"]
                reached = f1.value >= (BEST.f1 or 1) and auc.value >= (BEST.auc or 1)
                verdict = "yes" if reached else "no"
                said.append(f"{verdict}: F1 {cell(f1)}, AUC {cell(auc)} on {study.name}")
    return "; ".join(said) or "not measured in these runs"
