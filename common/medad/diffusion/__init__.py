# SPDX-License-Identifier: Apache-2.0
"""Diffusion as pure functions: the network's answer, the noise and what else happens at a step are passed in."""

from .bound import bound_weight
from .chain import OnStep, Step, ancestral_step, ddim_step, denoise_ancestral, denoise_ddim, encode_ddim
from .guidance import classifier_free_guided, classifier_guided, guide, log_probability_gradient
from .harmonization import harmonic_mean, harmonize, soft_mask
from .levels import highest_level, level_grid, read_levels
from .predict import Predict, Prediction, network_predictor, timesteps_of
from .process import (
    add_noise,
    clean_from_noise,
    clean_from_velocity,
    noise_from_clean,
    posterior_mean,
    posterior_variance,
)
from .schedule import Schedule
from .seeding import noise_seeds
from .value_range import check_value_range, from_network_range, to_network_range

__all__ = [
    "OnStep",
    "Predict",
    "Prediction",
    "Schedule",
    "Step",
    "add_noise",
    "ancestral_step",
    "bound_weight",
    "check_value_range",
    "classifier_free_guided",
    "classifier_guided",
    "clean_from_noise",
    "clean_from_velocity",
    "ddim_step",
    "denoise_ancestral",
    "denoise_ddim",
    "encode_ddim",
    "from_network_range",
    "guide",
    "harmonic_mean",
    "harmonize",
    "highest_level",
    "level_grid",
    "log_probability_gradient",
    "network_predictor",
    "noise_from_clean",
    "noise_seeds",
    "posterior_mean",
    "posterior_variance",
    "read_levels",
    "soft_mask",
    "timesteps_of",
    "to_network_range",
]
