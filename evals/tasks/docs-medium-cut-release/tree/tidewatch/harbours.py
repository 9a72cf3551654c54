"""Harbours, and how high the water stands there."""

import json
import math
from pathlib import Path


class Harbour:
    def __init__(self, name, waves):
        self.name = name
        self._waves = waves
        """Each with its height in centimetres, its period in hours and its phase in radians."""

    def height_cm(self, hour):
        return sum(wave["cm"] * math.cos(2 * math.pi * hour / wave["hours"] + wave["phase"]) for wave in self._waves)

    def height(self, hour):
        return self.height_cm(hour) / 100


def load_harbour(path):
    content = json.loads(Path(path).read_text())
    return Harbour(content["name"], content["waves"])
