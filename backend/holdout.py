"""Who is kept out of a campaign, so that its effect can be seen later."""

import hashlib

from graph.domain.campaigns import Campaign
from graph.domain.ids import UserId


def draw(campaign: Campaign, user_id: UserId) -> float:
    """
    A number from 0 to 1 that is the same for a person and a campaign for ever.

    The campaign's seed salts it, so that two campaigns keep different people out.
    """
    text = f"holdout\0{campaign.campaign_id}\0{campaign.seed}\0{user_id}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def is_held_out(campaign: Campaign, user_id: UserId) -> bool:
    """Whether the person never gets this campaign; known before anybody is ranked."""
    return draw(campaign, user_id) < campaign.holdout_share
