# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms before the network: load, check, orient, mask, scale, fit to the grid, corrupt."""

from .anomaly_insertion import SyntheticAnomaly, insert_anomaly
from .background import BackgroundToZerod, background_to_zero
from .balls import draw_balls
from .breast import BreastRegiond, ChestWallLeftd, breast_region
from .check_image import CheckImaged
from .circles import DrawCirclesd, read_circles
from .colors import collapse_equal_colors
from .crop_centers import CropCentersd
from .fit_to_grid import FitToGrid, FitToGridd
from .foreground import ForegroundMaskd, foreground_mask
from .load_image import LoadImageFiled
from .load_mask import LoadMaskd
from .normalization import ScaleByForegroundd, scale_by_foreground
from .orientation import OrientVolumed, slice_axis, slice_plane
from .preprocessing import case_preprocessing
from .slices import SlicesOfVolume
from .spots import BrightSpotsd, bright_spots
from .synthetic_anomaly import RandSyntheticAnomaly, RandSyntheticAnomalyd

__all__ = [
    "BackgroundToZerod",
    "BreastRegiond",
    "BrightSpotsd",
    "CheckImaged",
    "ChestWallLeftd",
    "CropCentersd",
    "DrawCirclesd",
    "FitToGrid",
    "FitToGridd",
    "ForegroundMaskd",
    "LoadImageFiled",
    "LoadMaskd",
    "OrientVolumed",
    "RandSyntheticAnomaly",
    "RandSyntheticAnomalyd",
    "ScaleByForegroundd",
    "SlicesOfVolume",
    "SyntheticAnomaly",
    "background_to_zero",
    "breast_region",
    "bright_spots",
    "case_preprocessing",
    "collapse_equal_colors",
    "draw_balls",
    "foreground_mask",
    "insert_anomaly",
    "read_circles",
    "scale_by_foreground",
    "slice_axis",
    "slice_plane",
]
