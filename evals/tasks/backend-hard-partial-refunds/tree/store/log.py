"""The log of events. Events are dicts of JSON values; nothing is ever changed or taken out."""

import copy
import json


class EventLog:
    def __init__(self, events=()):
        self._events = [copy.deepcopy(event) for event in events]

    def append(self, event):
        self._events.append(copy.deepcopy(event))

    def events(self):
        return copy.deepcopy(self._events)

    def dump(self):
        """One event a line, as it is stored over night."""
        return "".join(json.dumps(event) + "\n" for event in self._events)

    @classmethod
    def load(cls, text):
        return cls(json.loads(line) for line in text.splitlines())
