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
from .depth import RelativeDepthd
from .expected_image import ExpectedImaged
from .fit_object import FitObjectToGridd, object_box
from .fit_to_grid import FitToGrid, FitToGridd
from .foreground import ForegroundMaskd, ObjectMaskd, foreground_mask
from .head import HeadMaskd, head_mask
from .lesion_insertion import LesionedImage, SyntheticLesion, insert_lesions
from .load_image import LoadImageFiled
from .load_mask import LoadMaskd
from .normalization import ScaleByForegroundd, scale_by_foreground
from .orientation import OrientVolumed, slice_axis, slice_plane
from .preprocessing import case_preprocessing
from .slices import SlicesOfVolume
from .spots import BrightSpotsd, bright_spots
from .synthetic_anomaly import RandSyntheticAnomaly, RandSyntheticAnomalyd
from .synthetic_lesions import RandSyntheticLesions, RandSyntheticLesionsd
from .tissue import ScaleByTissued, scale_by_tissue

__all__ = [
    "BackgroundToZerod",
    "BreastRegiond",
    "BrightSpotsd",
    "CheckImaged",
    "ChestWallLeftd",
    "CropCentersd",
    "DrawCirclesd",
    "ExpectedImaged",
    "FitObjectToGridd",
    "FitToGrid",
    "FitToGridd",
    "ForegroundMaskd",
    "HeadMaskd",
    "LesionedImage",
    "LoadImageFiled",
    "LoadMaskd",
    "ObjectMaskd",
    "OrientVolumed",
    "RandSyntheticAnomaly",
    "RandSyntheticAnomalyd",
    "RandSyntheticLesions",
    "RandSyntheticLesionsd",
    "RelativeDepthd",
    "ScaleByForegroundd",
    "ScaleByTissued",
    "SlicesOfVolume",
    "SyntheticAnomaly",
    "SyntheticLesion",
    "background_to_zero",
    "breast_region",
    "bright_spots",
    "case_preprocessing",
    "collapse_equal_colors",
    "draw_balls",
    "foreground_mask",
    "head_mask",
    "insert_anomaly",
    "insert_lesions",
    "object_box",
    "read_circles",
    "scale_by_foreground",
    "scale_by_tissue",
    "slice_axis",
    "slice_plane",
]
