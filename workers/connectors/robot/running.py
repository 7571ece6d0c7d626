"""One run, put together from settings; needs the extra ``collect``."""

from workers.connectors.robot.browser import PageBrowser
from workers.connectors.robot.collecting import collect
from workers.connectors.robot.manners import Manners, user_agent
from workers.connectors.robot.records import Collected, Records, last_visits
from workers.connectors.robot.settings import RobotSettings
from workers.connectors.robot.site import Site


def run(site: Site, records: Records, settings: RobotSettings, *, keeps_pages: bool) -> Collected:
    """Collect a site as ``collect`` does, if we may open its first pages at all."""
    agent = user_agent(settings.contact)
    interval_s = max(settings.interval_s, site.interval_s)
    manners = Manners(settings.allowed, agent, interval_s, last=last_visits(records.folder.parent))
    for url in site.pages:
        manners.check(url)
    with PageBrowser(agent, settings.allowed) as browser:
        return collect(site, browser, manners, records, keeps_pages=keeps_pages)
