from handbook.anchors import Anchors

ANCHORS = Anchors()


def page_anchors(titles):
    return [ANCHORS.add(title) for title in titles]
