"""A registered router, at work: what serving loads, decides with and teaches.

    champion = krins.load_router("models:/my-suite@champion")
    decision = champion.decide(task)
    champion.learn(task, decision.arm, champion.reward_of(quality=1.0, cost_usd=0.03))

Invariants: it goes on where the study's router stood, to the last bit; after loading nothing is read or written.
Left out: threads (one champion has one owner), keeping what it learns (`krins.routing.state_file`), and calling models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from krins.domain import Task
from krins.errors import RegistryError
from krins.interfaces import FloatArray
from krins.routing.features import FeatureMap
from krins.routing.reward import reward_of
from krins.routing.router import Decision, Router
from krins.runs.store import Store, default_home
from krins.runs.tracking.registry import DATA_TAG, Registered, fetch, parse_model_uri
from krins.studies.champion_file import Contents, read_files
from krins.studies.tune_result import TuneResult
from krins.suite import Reward


@dataclass(frozen=True)
class Champion:
    """A router that won a study, with all that it needs to meet new tasks."""

    name: str
    """Of the registered model."""
    version: str
    router: Router
    features: FeatureMap | None
    """Fitted on the tuning tasks; None for a router that does not look at tasks."""
    reward: Reward
    exploration_floor: float
    """The suite's; a floor that the router itself states stands in its policy."""
    data_sha256: str | None
    """Of the outcome table that it was tuned on."""
    evidence: TuneResult
    """The study: how it was found, and its figures on unseen tasks."""

    def features_of(self, task: Task) -> FloatArray | None:
        """Shape (n_features,); None for a router that does not look at tasks."""
        return None if self.features is None else self.features.transform([task])[0]

    def decide(self, task: Task) -> Decision:
        """Choose a model for a task; it counts as pending until `learn`, or `router.abandon`."""
        return self.router.decide(self.features_of(task))

    def learn(
        self,
        task: Task,
        arm: str,
        reward: float,
        *,
        probability: float | None = None,
        quality: float | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Learn from the outcome of one choice: now, or later.

        Args:
            reward: `reward_of` what came of it.
            probability: with which the arm was chosen.
            quality, cost_usd: for routers with an objective of their own.

        Raises:
            ValueError: as `Router.learn`.
        """
        self.router.learn(
            arm,
            reward,
            probability=probability,
            features=self.features_of(task),
            quality=quality,
            cost_usd=cost_usd,
        )

    def reward_of(self, quality: float, cost_usd: float | None = None, latency_seconds: float | None = None) -> float:
        """What an outcome is worth, by the formula that the router was tuned for.

        Raises:
            ValueError: the formula charges for something that is not given.
        """
        return reward_of(self.reward, quality, cost_usd, latency_seconds)


def load_router(
    uri: str, tracking_uri: str | None = None, home: Path | None = None, data_sha256: str | None = None
) -> Champion:
    """The router that a study registered, state and all.

    Args:
        uri: models:/NAME@champion, any other alias, or models:/NAME/VERSION.
        tracking_uri: an MLflow server or database; by default MLFLOW_TRACKING_URI, else the database under `home`.
        home: where state lives, by default KRINS_HOME or .krins in the current folder.
        data_sha256: of the outcome table that it must have been tuned on; None: of any.

    Raises:
        RegistryError: there is no such model, version or alias, or it was tuned on other data.
        StateError: its files were damaged.
        TrackingFault: the registry is out of reach.
    """
    which = parse_model_uri(uri)
    found = fetch(Store(home or default_home()), tracking_uri, which)
    contents = read_files(dict(found.files))
    _check_data(found, contents.evidence.data_sha256, data_sha256)
    return _champion(found, contents)


def _check_data(found: Registered, own: str | None, asked: str | None) -> None:
    what = f"{found.name!r} version {found.version}"
    if found.tags.get(DATA_TAG, "") != (own or ""):
        raise RegistryError(
            f"{what} says that it was tuned on data {found.tags.get(DATA_TAG)!r}, and its files say {own!r}",
            "its tag or its files were exchanged: load another version, or tune anew",
        )
    if asked is not None and asked != own:
        raise RegistryError(
            f"{what} was tuned on the data with SHA-256 {own}, not on {asked}",
            "tune on that data, or load it without asking for certain data",
        )


def _champion(found: Registered, contents: Contents) -> Champion:
    router = contents.router
    features = contents.features if router.n_features is not None else None
    if features is not None:
        features.transform([Task("", prompt="none")])  # an embedding reads its table now, and not at the first decision
    return Champion(
        name=found.name,
        version=found.version,
        router=router,
        features=features,
        reward=contents.reward,
        exploration_floor=contents.exploration_floor,
        data_sha256=contents.evidence.data_sha256,
        evidence=contents.evidence,
    )
