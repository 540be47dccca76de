# SPDX-License-Identifier: Apache-2.0
"""Candidates for a lesion: the connected components of {map > threshold} that have the size of one."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.transforms import Transform

from ..checks import check_at_least, check_channel_first, check_spatial_dims, check_within
from ..keys import Keys
from ..morphology import components
from ..transforms import slice_axis
from .grid import entry


class Candidates(NamedTuple):
    """Candidates of one image, the highest mean value first.

    Attributes:
        centroids: ``(n, axes)`` float64, in voxels: the mean position of the voxels, not weighted with the map, so that
            a crop around it shows the component in its middle.
        sizes: ``(n,)`` int64, in voxels.
        means: ``(n,)`` float64, mean of the map over the component.
        maxima: ``(n,)`` float64, largest value of the map in the component.
    """

    centroids: torch.Tensor
    sizes: torch.Tensor
    means: torch.Tensor
    maxima: torch.Tensor


def find_candidates(
    anomaly_map: torch.Tensor,
    spatial_dims: int,
    threshold: float,
    min_size: float = 1,
    max_size: float | None = None,
    connectivity: int = 1,
) -> Candidates:
    """Find the components of a map above a threshold.

    The components are found on the CPU.

    Args:
        anomaly_map: ``(1, *spatial)``; with ``spatial_dims=2`` also a volume, treated slice by slice; the last
            coordinate of a centroid is then its slice.
        spatial_dims: 2 or 3.
        threshold: a voxel belongs to a component if the map is larger.
        min_size: smallest size of a candidate, in voxels.
        max_size: largest size, in voxels; None for no limit.
        connectivity: how many axes a neighbor may differ in, 1 (faces) to ``spatial_dims``.

    Returns:
        The candidates, on the device of the map; candidates of the same mean in the order of their first voxel.

    Raises:
        ValueError: if an argument is out of its range or the shape does not fit.
    """
    return _find(anomaly_map, spatial_dims, threshold, min_size, max_size, connectivity)[0]


def score_candidates(
    anomaly_map: torch.Tensor,
    score: Callable[[Candidates], torch.Tensor],
    spatial_dims: int,
    threshold: float,
    min_size: float = 1,
    max_size: float | None = None,
    connectivity: int = 1,
) -> torch.Tensor:
    """Give every candidate a score, and nothing else any.

    Args:
        anomaly_map: see :func:`find_candidates`, like all that is not listed here.
        score: from the candidates of the map to their scores ``(n,)``, at least 0.
        spatial_dims: see there.
        threshold: see there.
        min_size: see there.
        max_size: see there.
        connectivity: see there.

    Returns:
        ``(1, *spatial)``: its score in the voxels of each candidate, 0 elsewhere.

    Raises:
        ValueError: as there.
    """
    candidates, labels, chosen = _find(anomaly_map, spatial_dims, threshold, min_size, max_size, connectivity)
    of_label = anomaly_map.new_zeros(int(labels.max(initial=0)) + 1)  # 0 is the background
    of_label[torch.from_numpy(chosen + 1).to(of_label.device)] = score(candidates).to(of_label)
    return of_label.as_subclass(torch.Tensor)[torch.from_numpy(labels).to(of_label.device)][None]


def _find(
    anomaly_map: torch.Tensor,
    spatial_dims: int,
    threshold: float,
    min_size: float,
    max_size: float | None,
    connectivity: int,
) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Give the candidates, the labels of all components, and those of the candidates less 1."""
    check_channel_first(anomaly_map, spatial_dims)
    if len(anomaly_map) != 1:
        raise ValueError(f"the anomaly map has {len(anomaly_map)} channels, expected 1")
    _check_settings(spatial_dims, threshold, min_size, max_size, connectivity)
    values = anomaly_map.as_subclass(torch.Tensor)[0].detach()
    above = (values > threshold).cpu().numpy()  # in the precision of the map, as everywhere
    labels, count = components(above, spatial_dims, connectivity)
    found, value = labels[above] - 1, values.double().cpu().numpy()[above]
    sizes = np.bincount(found, minlength=count)
    sums = [np.bincount(found, weights, minlength=count) for weights in (value, *above.nonzero())]
    means, *centroids = (total / sizes for total in sums)  # a component has a voxel: no size is 0
    maxima = np.full(count, -np.inf)
    np.maximum.at(maxima, found, value)
    fits = np.flatnonzero((sizes >= min_size) & (sizes <= (np.inf if max_size is None else max_size)))
    order = fits[np.argsort(-means[fits], kind="stable")]
    columns = (np.stack(centroids, axis=1), sizes, means, maxima)
    found_ones = Candidates(*(torch.from_numpy(column[order]).to(anomaly_map.device) for column in columns))
    return found_ones, labels, order


class FindCandidatesd(Transform):
    """Add the candidates of a case, see :func:`find_candidates`.

    Args:
        spatial_dims: 2 or 3; with 2, a volume is treated slice by slice: those that the network saw, however the axes
            of the file run. Centroids are in voxels of the file.
        threshold: a voxel belongs to a component if the map is larger.
        min_size: smallest size of a candidate, in voxels.
        max_size: largest size, in voxels; None for no limit.
        connectivity: how many axes a neighbor may differ in, 1 (faces) to ``spatial_dims``.
        map_key: the anomaly map.
        candidates_key: where the :class:`Candidates` go.

    Shape:
        anomaly_map: ``(1, *spatial)``, unchanged.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(
        self,
        spatial_dims: int,
        threshold: float,
        min_size: float = 1,
        max_size: float | None = None,
        connectivity: int = 1,
        map_key: str = Keys.ANOMALY_MAP,
        candidates_key: str = "candidates",
    ) -> None:
        _check_settings(spatial_dims, threshold, min_size, max_size, connectivity)
        self.spatial_dims = spatial_dims
        self.threshold = threshold
        self.min_size = min_size
        self.max_size = max_size
        self.connectivity = connectivity
        self.map_key = map_key
        self.candidates_key = candidates_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Find the candidates of one case."""
        anomaly_map = entry(data, self.map_key, "FindCandidatesd")
        last = slice_axis(anomaly_map) if self.spatial_dims == 2 and anomaly_map.ndim == 4 else anomaly_map.ndim - 2
        slices = anomaly_map.as_subclass(torch.Tensor).movedim(1 + last, -1)
        settings = (self.threshold, self.min_size, self.max_size, self.connectivity)
        found = find_candidates(slices, self.spatial_dims, *settings)
        axes = np.insert(np.arange(anomaly_map.ndim - 2), last, anomaly_map.ndim - 2)  # of the file, among those found
        return {**data, self.candidates_key: found._replace(centroids=found.centroids[:, axes.tolist()])}


def _check_settings(
    spatial_dims: int, threshold: float, min_size: float, max_size: float | None, connectivity: int
) -> None:
    check_spatial_dims(spatial_dims)
    check_within("[-inf, inf]", threshold=threshold)
    check_at_least(0, min_size=min_size)
    if max_size is not None:
        check_at_least(min_size, max_size=max_size)
    check_within(f"[1, {spatial_dims}]", connectivity=connectivity)
