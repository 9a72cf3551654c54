from handbook.anchors import Anchors


def page_anchors(titles):
    anchors = Anchors()
    return [anchors.add(title) for title in titles]
