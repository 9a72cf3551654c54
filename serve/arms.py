"""The models that a replica can ask: all that its arguments name, and the arms of the routers that it meets.

A champion that takes over may have arms which no router had before; the catalogue knows some of them. Invariants: an
arm is admitted with its price, its base URL and its key at hand, or not at all; none is ever taken away, for a rollback
may want it. Left out: asking (`serve.gateway`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from krins.models.catalogue import resolve_all
from krins.models.providers import check_provider
from krins.models.spec import ModelSpec
from krins.suite import LiveModel


class Arms:
    """`specs`, by name, grows in place."""

    def __init__(self, stated: Sequence[LiveModel]) -> None:
        self._stated = {model.name: model for model in stated}
        self.specs: dict[str, ModelSpec] = {}
        self._tell: Callable[[Mapping[str, ModelSpec]], None] | None = None

    def admit(self, arms: Sequence[str]) -> None:
        """See to it that these can be asked, and those that the arguments name.

        Raises:
            UserError: of one of them nobody knows how, or it may not be; then none is admitted.
        """
        names = [name for name in dict.fromkeys([*arms, *self._stated]) if name not in self.specs]
        if not names:
            return
        found = resolve_all([self._stated.get(name) or LiveModel(name=name) for name in names])
        new = {name: spec for name, spec in found.items() if name not in self.specs}
        for spec in new.values():
            check_provider(spec)
        if self._tell is not None:
            self._tell(new)
        self.specs |= new

    def follow(self, tell: Callable[[Mapping[str, ModelSpec]], None]) -> None:
        """Tell of those that come from now on."""
        self._tell = tell
