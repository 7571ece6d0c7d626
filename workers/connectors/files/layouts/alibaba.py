"""Logs that Alibaba has published: Taobao, Tianchi mobile, Tmall, the competition of 2014."""

import re
from collections.abc import Mapping

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.files.layouts.layout import (
    Layout,
    Options,
    Place,
    Told,
    Unusable,
    behaviour,
    event,
)
from workers.connectors.files.layouts.values import day, known, number, seconds, wall

BEIJING = Options(zone="Asia/Shanghai")
CHINESE = ("utf-8-sig", "gb18030")

_TAOBAO = {"pv": "view", "cart": "cart", "fav": "favorite", "buy": "purchase"}
_TIANCHI = {"1": "view", "2": "favorite", "3": "cart", "4": "purchase"}
_TMALL = {"0": "click", "1": "cart", "2": "purchase", "3": "favorite"}
_ALIBABA_2014 = {"0": "click", "1": "purchase", "2": "favorite", "3": "cart"}
_MONTH_DAY = re.compile(r"(\d{1,2})(?:月|-)(\d{1,2})日?", re.ASCII)


def _taobao(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    when, item_id = seconds(cells["timestamp"]), cells["item_id"]
    kind = behaviour(cells["behavior_type"], _TAOBAO)
    return Told(
        [event(kind, place, item_id, when, user_id=cells["user_id"])],
        [_filed(item_id, cells["category_id"], when)],
    )


def _tianchi(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    # Hours only: a reader of ISO-8601 takes "2014-12-06 02" as it stands.
    when, item_id = wall(cells["time"], options.zone or "UTC"), cells["item_id"]
    kind = behaviour(cells["behavior_type"], _TIANCHI)
    return Told(
        [event(kind, place, item_id, when, user_id=cells["user_id"])],
        [_filed(item_id, cells["item_category"], when)],
    )


def _tianchi_items(cells: Mapping[str, str], _: Place, __: Options) -> Told:
    return Told(items=[_filed(cells["item_id"], cells["item_category"], None)])


def _tmall(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    stamp, item_id = number(cells["time_stamp"], "event_time"), cells["item_id"]
    when = day(options.year or 0, stamp // 100, stamp % 100, options.zone or "UTC")
    kind = behaviour(cells["action_type"], _TMALL)
    item = Item(
        item_id=ItemId(item_id),
        categories=_category(cells.get("cat_id", "")),
        brand=known(cells.get("brand_id", "")),
        seller_id=known(cells.get("seller_id", "")),
        updated_at=when,
    )
    return Told([event(kind, place, item_id, when, user_id=cells["user_id"])], [item])


def _alibaba_2014(cells: Mapping[str, str], place: Place, options: Options) -> Told:
    found = _MONTH_DAY.fullmatch(cells["visit_datetime"])
    if found is None:
        raise Unusable("invalid_time")
    when = day(options.year or 0, int(found[1]), int(found[2]), options.zone or "UTC")
    kind = behaviour(cells["type"], _ALIBABA_2014)
    return Told([event(kind, place, cells["brand_id"], when, user_id=cells["user_id"])])


def _filed(item_id: str, category: str, when: int | None) -> Item:
    return Item(item_id=ItemId(item_id), categories=_category(category), updated_at=when)


def _category(text: str) -> tuple[str, ...] | None:
    found = known(text)
    return None if found is None else (found,)


LAYOUTS = (
    Layout(
        name="taobao-userbehavior",
        title="Taobao UserBehavior: user, item, category, behaviour, Unix seconds",
        read=_taobao,
        columns=("user_id", "item_id", "category_id", "behavior_type", "timestamp"),
        places=("user_id", "item_id", "category_id", "behavior_type", "timestamp"),
    ),
    Layout(
        name="tianchi-mobile",
        title="Tianchi mobile recommendation 2015, by the hour in Beijing",
        read=_tianchi,
        columns=("user_id", "item_id", "behavior_type", "item_category", "time"),
        places=("user_id", "item_id", "behavior_type", "user_geohash", "item_category", "time"),
        usual=BEIJING,
    ),
    Layout(
        name="tianchi-mobile-items",
        title="Tianchi mobile recommendation 2015, the items",
        read=_tianchi_items,
        columns=("item_id", "item_category"),
        places=("item_id", "item_geohash", "item_category"),
    ),
    Layout(
        name="tmall",
        title="Tmall IJCAI-15 repeat buyers, by the day in Beijing, 2014",
        read=_tmall,
        columns=("user_id", "item_id", "time_stamp", "action_type"),
        usual=Options(zone="Asia/Shanghai", year=2014),
    ),
    Layout(
        name="alibaba-2014",
        title="Alibaba competition of 2014, by the day in Beijing, 2013; items are brands",
        read=_alibaba_2014,
        columns=("user_id", "brand_id", "type", "visit_datetime"),
        encodings=CHINESE,
        usual=Options(zone="Asia/Shanghai", year=2013),
    ),
)
