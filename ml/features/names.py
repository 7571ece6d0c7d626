"""The eight statistical features of the model, in the order of their columns."""

FEATURES: tuple[str, ...] = (
    "activity_30d",
    "cart_to_buy",
    "category_share",
    "days_since_touch",
    "decayed_touches",
    "item_conversion",
    "price_ratio",
    "popularity_slope",
)
