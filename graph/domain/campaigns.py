"""Coupon campaigns: whom they may reach, what they may cost."""

from dataclasses import dataclass

from graph.domain.ids import CampaignId, CouponId, ItemId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """
    A coupon campaign.

    Attributes:
        starts_at, ends_at: milliseconds UTC; ``ends_at`` is exclusive.
        budget_minor: most money that may be promised; ``None`` means no limit was set.
        max_people: most people that may be targeted; ``None`` means no limit was set.
        cost_minor: expected cost of one redemption.
        cooling_off_days: a person targeted by any campaign this recently is left out.
        holdout_share: part of the eligible people who never get it, from 0 to 1.
        seed: salt of the holdout draw; the same seed draws the same people.
    """

    campaign_id: CampaignId
    kind: str
    starts_at: int
    ends_at: int
    title: str | None = None
    budget_minor: int | None = None
    currency: str | None = None
    max_people: int | None = None
    cost_minor: int | None = None
    cooling_off_days: int = 0
    holdout_share: float = 0.1
    seed: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """One coupon of a campaign and the items it is good for."""

    coupon_id: CouponId
    campaign_id: CampaignId
    item_ids: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targeted:
    """A person who was sent a campaign (arm ``treated``) or kept out of it (``holdout``)."""

    user_id: UserId
    campaign_id: CampaignId
    ts: int
    arm: str = "treated"
    rank: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A coupon used by a person in a campaign."""

    user_id: UserId
    coupon_id: CouponId
    campaign_id: CampaignId
    ts: int
