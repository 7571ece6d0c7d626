"""Which clients are programs: by the name they give, by what a driven browser cannot hide."""

from functools import lru_cache

from crawleruseragents import is_crawler

HEADLESS = ("headless", "phantomjs", "electron/", "slimerjs", "puppeteer", "playwright")


@lru_cache(maxsize=4_096)
def is_robot(user_agent: str) -> bool:
    """Whether a user agent is that of a crawler or of a browser without a screen."""
    lower = user_agent.lower()
    return any(sign in lower for sign in HEADLESS) or is_crawler(user_agent)
