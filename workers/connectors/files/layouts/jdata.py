"""JD.com's JData 2017."""

from collections.abc import Mapping

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.files.layouts.alibaba import BEIJING, CHINESE
from workers.connectors.files.layouts.layout import Layout, Options, Place, Told, behaviour, event
from workers.connectors.files.layouts.values import known, wall, whole

_JDATA = {
    "1": "view", "2": "cart", "3": "uncart", "4": "purchase", "5": "favorite", "6": "click"
}  # fmt: skip


def _action(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    when, item_id = wall(cells["time"], options.zone or "UTC"), whole(cells["sku_id"])
    kind = behaviour(whole(cells["type"]), _JDATA)
    return Told(
        [event(kind, place, item_id, when, user_id=whole(cells["user_id"]))],
        [_item(item_id, cells, when)],
    )


def _product(cells: Mapping[str, str], _: Place, __: Options) -> Told:
    return Told(items=[_item(whole(cells["sku_id"]), cells, None)])


def _item(item_id: str, cells: Mapping[str, str], when: int | None) -> Item:
    category = known(cells["cate"])
    return Item(
        item_id=ItemId(item_id),
        categories=None if category is None else (category,),
        brand=known(cells["brand"]),
        updated_at=when,
    )


LAYOUTS = (
    Layout(
        name="jdata",
        title="JData 2017 of JD.com, actions, Beijing time",
        read=_action,
        columns=("user_id", "sku_id", "time", "type", "cate", "brand"),
        encodings=CHINESE,
        usual=BEIJING,
    ),
    Layout(
        name="jdata-products",
        title="JData 2017 of JD.com, the products",
        read=_product,
        columns=("sku_id", "cate", "brand"),
        encodings=CHINESE,
    ),
)
