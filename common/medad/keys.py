# SPDX-License-Identifier: Apache-2.0
"""The fixed words: the dictionary keys that every transform, engine and handler of medad shares."""

from monai.utils.enums import StrEnum

NORMAL, ABNORMAL = 0, 1
"""Values of a label and of a decision."""


class Keys(StrEnum):
    """Names of the entries of one case, from the data list to the files written.

    The label convention is the same everywhere: 0 is normal, 1 is abnormal.
    """

    IMAGE = "image"
    """Input image ``(C, *spatial)``."""
    LABEL = "label"
    """Image-level truth: 0 normal, 1 abnormal."""
    MASK = "mask"
    """Pixel-level truth ``(1, *spatial)`` on the grid of the file, 0/1."""
    FOREGROUND = "foreground"
    """Where the object is (head, breast, ...), 0/1."""
    SUBJECT_ID = "subject_id"
    """Whose image it is; images of one subject are not exchangeable with others."""
    DATASET = "dataset"
    """Which of several data sets it is from; a case of a single data set has no such entry."""
    CASE = "case"
    """Unique, file-name-safe name of the image; names its output folder."""
    SOURCE = "source_file"
    """Where the image lies, below the folder of the data; for people, never opened."""
    PRED = "pred"
    """The network's or inferer's output; after post-processing the 0/1 mask."""
    RECONSTRUCTION = "reconstruction"
    """The pseudo-healthy image ``(C, *spatial)``."""
    ANOMALY_MAP = "anomaly_map"
    """Anomaly per voxel ``(1, *spatial)``, at least 0, on one fixed scale."""
    ANOMALY_SCORE = "anomaly_score"
    """Anomaly of the whole image, one number."""
    P_VALUE = "p_value"
    """Conformal p-value of the score against the calibration normals."""
    DECISION = "decision"
    """0 normal, 1 abnormal, at the chosen image false-positive rate."""
    NOTE = "note"
    """What makes p-value, decision or mask less reliable than they look, in sentences; empty where nothing does."""
    DETECTIONS = "detections"
    """Points where something was found, with scores and sizes: ``Candidates`` on the grid of the file."""
    CIRCLES = "circles"
    """Annotated lesions as circles or balls ``(n, 1 + axes)``: center and radius in voxels of the file."""
    RESULT = "result"
    """Score, p-value and decision by name: what MONAI Label hands to its client beside the image."""
