"""Layouts of published logs and of other products' exports, by name."""

from workers.connectors.files.layouts import alibaba, exports, jdata, retail, reviews, sessions
from workers.connectors.files.layouts.layout import Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for module in (alibaba, jdata, sessions, retail, reviews, exports)
    for layout in module.LAYOUTS
}
