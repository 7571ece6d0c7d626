"""The kinds of ids; all are opaque, byte-exact text."""

from typing import NewType

UserId = NewType("UserId", str)
"""Pseudonym of a person: ``c_…`` for a customer, ``v_…`` for a visitor. Never the shop's own id."""

DeviceId = NewType("DeviceId", str)
"""Pseudonym of a device, ``d_…``."""

ItemId = NewType("ItemId", str)
EventId = NewType("EventId", str)
"""``source``, the client's id and, for one line of an order, its number, joined in one string."""

CampaignId = NewType("CampaignId", str)
CouponId = NewType("CouponId", str)
PromotionId = NewType("PromotionId", str)
ModelVersion = NewType("ModelVersion", str)
RunId = NewType("RunId", str)
