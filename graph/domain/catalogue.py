"""What the shop sells, and what it promotes."""

from dataclasses import dataclass

from graph.domain.ids import ItemId, PromotionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    A thing for sale; a field that is ``None`` was not said and changes nothing stored.

    Attributes:
        categories: paths from broad to narrow; the first one is the main one.
        available_from: sold from this time on, milliseconds UTC.
        available_until: not sold from this time on, milliseconds UTC.
        updated_at: when the shop last changed it, milliseconds UTC; the newest wins.
        attributes: free JSON text.
    """

    item_id: ItemId
    title: str | None = None
    categories: tuple[str, ...] | None = None
    brand: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    is_hidden: bool | None = None
    available_from: int | None = None
    available_until: int | None = None
    image_url: str | None = None
    seller_id: str | None = None
    attributes: str | None = None
    created_at: int | None = None
    updated_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotedItem:
    """
    One item in a promotion.

    Attributes:
        starts: beginnings of the weeks it ran for this item, milliseconds UTC; empty means the
            whole time of the promotion.
        stores: in how many stores, beside each of ``starts``.
    """

    item_id: ItemId
    starts: tuple[int, ...] = ()
    stores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A display, a mailer page, a price cut: something that lifts items for a while."""

    promotion_id: PromotionId
    kind: str
    starts_at: int
    ends_at: int
    title: str | None = None
    depth: float | None = None
    items: tuple[PromotedItem, ...] = ()
