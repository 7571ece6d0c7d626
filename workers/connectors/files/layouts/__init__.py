"""Layouts of published logs and of other products' exports, by name."""

from workers.connectors.files.layouts import alibaba, exports, jdata, retail, reviews, sessions
from workers.connectors.files.layouts.layout import Layout

_OF_LOGS = (alibaba, jdata, sessions, retail, reviews)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for module in (*_OF_LOGS, exports) for layout in module.LAYOUTS
}

PUBLISHED = frozenset(layout.name for module in _OF_LOGS for layout in module.LAYOUTS)
"""Those of published logs, which are nobody's customers and never grow old."""
