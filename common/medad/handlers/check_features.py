# SPDX-License-Identifier: Apache-2.0
"""Check that kept features are those of the backbone in use, before training begins."""

from ignite.engine import Engine, Events

from ..loading import FeatureDataset
from ..networks import FrozenFeatures


class CheckFeatures:
    """Compare the backbone with the features when a run starts, after whatever loads weights into the network.

    Features are computed before a run starts. A resumed training, or a federated round, gets its weights later, and
    the backbone with them: if it is another one, training and inference would see different features.

    Args:
        features: part of the network that is trained.
        dataset: the features of the training images.
    """

    def __init__(self, features: FrozenFeatures, dataset: FeatureDataset) -> None:
        self.features = features
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Check when the run starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Check, on every rank.

        Raises:
            InputError: if the backbone is another one.
        """
        self.dataset.require_features(self.features)
