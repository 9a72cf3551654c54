from handbook.anchors import Anchors


def page_anchors(titles):
    return [Anchors().add(title) for title in titles]
