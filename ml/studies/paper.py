"""What the paper reports, what that implies, and what of it our runs show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluation.balanced import GROUP as BALANCED
from ml.evaluation.bootstrap import Interval
from ml.evaluation.operating_point import OperatingPoint, f1_of_always_yes
from ml.evaluation.records import Gain, Study
from ml.studies.report import cell, gain_text

LOGISTIC = ("logistic regression", "logistic", "LR")
SVM = ("linear SVM", "SVM", "linear_svm")
TREES = ("LightGBM", "LightGBM on counters", "LightGBM on counters + promotion")
LSTM = ("LSTM alone", "lstm", "LSTM")
GAT = ("GAT alone", "gat", "GAT")
FUSED = ("paper", "LSTM-ATT-GNN")
NO_ATTENTION = ("paper without attention",)
NO_GRAPH = ("paper without graph", "paper without GAT")
FUSION = ("fusion", "stack", "blend")
NETWORK = ("fusion network alone", "stack: networks alone")
WHOLES = (*FUSION, *NETWORK)
NO_ATTENTION_OURS = ("fusion without attention", "fusion network without attention")
NO_GRAPH_OURS = ("fusion without graph", "fusion network without item graph")
MEMORY = ("V-SKNN",)
WEEKS = r", weeks? \S+$"
LOSSES = ("log_loss", "brier", "ece", "normalised_entropy")

RATES = (0.024, 0.004)
"""Shares of positives of two of our data sets, for the paper's last model at a shop's rates."""


CLAIMS = (
    ("LSTM-ATT-GNN beats logistic regression", FUSED, LOGISTIC),
    ("LSTM-ATT-GNN beats the linear SVM", FUSED, SVM),
    ("LSTM-ATT-GNN beats the LSTM alone", FUSED, LSTM),
    ("LSTM-ATT-GNN beats the GAT alone", FUSED, GAT),
    ("attention helps it", FUSED, NO_ATTENTION),
    ("the graph helps it", FUSED, NO_GRAPH),
    ("not claimed: it beats LightGBM on counters", FUSED, TREES),
    ("our fusion beats LightGBM on counters", FUSION, TREES),
    ("our fusion beats LSTM-ATT-GNN", FUSION, FUSED),
    ("our fusion beats its network alone", FUSION, NETWORK),
    ("our fusion beats its memory alone", FUSION, MEMORY),
    ("attention helps our fusion, or its network", WHOLES, NO_ATTENTION_OURS),
    ("the graph helps our fusion, or its network", WHOLES, NO_GRAPH_OURS),
)
OF_THE_PAPER = 6
"""So many of them are the paper's own."""


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
    found = [[claim, _finding(studies, ours, theirs)] for claim, ours, theirs in CLAIMS]
    found.insert(OF_THE_PAPER, ["its F1 of .823 and AUC of .886 at 1:1", _level(studies)])
    return found


def _finding(studies: Sequence[Study], ours: Sequence[str], theirs: Sequence[str]) -> str:
    said = []
    for study in studies:
        for gain in (*study.gains, *study.ablation):
            names = _plain(gain.ours), _plain(gain.theirs)
            is_reverse = names[0] in theirs and names[1] in ours
            if is_reverse or (names[0] in ours and names[1] in theirs):
                asked = _turned(gain) if is_reverse else gain
                where = f"{study.name}{_when(gain.ours)}"
                said.append(f"{_verdict(asked)}: {asked.figure} {gain_text(asked)} on {where}")
    return "; ".join(dict.fromkeys(said)) or "not measured in these runs"


def _plain(name: str) -> str:
    """Without the weeks that a model was asked about."""
    return re.sub(WEEKS, "", name)


def _when(name: str) -> str:
    found = re.search(WEEKS, name)
    return found.group() if found else ""


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
    return "yes" if is_better(gain) else "no, the reverse"


def is_better(gain: Gain) -> bool:
    """Whether the first model is better beyond doubt; losses count downwards."""
    found = gain.interval
    return found.high < 0 if gain.figure in LOSSES else found.low > 0


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
