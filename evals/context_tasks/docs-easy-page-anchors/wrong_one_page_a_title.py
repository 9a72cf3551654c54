# Wrong: makes each anchor as if its title were alone on the page.
from handbook.anchors import Anchors


def page_anchors(titles):
    return [Anchors().add(title) for title in titles]
