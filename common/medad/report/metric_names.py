# SPDX-License-Identifier: Apache-2.0
"""Human names of the metrics, each with an explanation in a sentence."""

from typing import NamedTuple


class MetricName(NamedTuple):
    """How a metric is presented.

    Args:
        title: human name.
        text: explanation in a sentence or two.
        better: ``"higher"``, ``"lower"`` or ``""``.
        unit: unit of the value, ``""`` for a ratio.
        oracle: whether the value was chosen with the test labels.
    """

    title: str
    text: str = ""
    better: str = ""
    unit: str = ""
    oracle: bool = False


METRIC_NAMES = {
    "image_auroc": MetricName(
        "Image AUROC", "Chance that an abnormal image scores higher than a normal one; 0.5 is guessing.", "higher"
    ),
    "image_ap": MetricName(
        "Image average precision",
        "Area under the precision-recall curve of images; guessing gives the share of abnormal images.",
        "higher",
    ),
    "pixel_auroc": MetricName(
        "Pixel AUROC", "The same for pixels; the many easy normal pixels make it look good.", "higher"
    ),
    "pixel_ap": MetricName(
        "Pixel average precision",
        "Area under the precision-recall curve of pixels; guessing gives the share of abnormal pixels.",
        "higher",
    ),
    "dice": MetricName(
        "Dice", "Overlap of predicted and true mask at the calibrated threshold, set without test labels.", "higher"
    ),
    "oracle_dice": MetricName(
        "Best Dice over thresholds",
        "Dice at the threshold that suits the test set best: an upper bound, not a result.",
        "higher",
        oracle=True,
    ),
    "oracle_threshold": MetricName("Threshold of the best Dice", "The map value that gives that Dice.", oracle=True),
    "fpr95": MetricName(
        "FPR at 95 % sensitivity",
        "Share of normal pixels above the threshold that finds 95 % of the abnormal pixels.",
        "lower",
    ),
    "aupro": MetricName(
        "AUPRO",
        "Overlap per lesion, averaged over false-positive rates; small lesions count as much as large ones.",
        "higher",
    ),
    "false_positive_rate": MetricName(
        "False-positive rate on normals", "Share of normal images called abnormal at the calibrated threshold.", "lower"
    ),
    "true_positive_rate": MetricName(
        "True-positive rate", "Share of abnormal images called abnormal at the calibrated threshold.", "higher"
    ),
    "pixel_false_positive_rate": MetricName(
        "Pixel false-positive rate", "Share of normal pixels in the mask at the calibrated threshold.", "lower"
    ),
    "lesion_sensitivity": MetricName("Lesion sensitivity", "Share of lesions that the mask finds.", "higher"),
    "false_positives_per_image": MetricName(
        "False findings per image", "Regions of the mask that touch no lesion, per image.", "lower"
    ),
    "froc_mean_sensitivity": MetricName(
        "Mean FROC sensitivity",
        "Share of lesions that detections hit, averaged over 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per image.",
        "higher",
    ),
    "seconds_per_case": MetricName("Time per case", "From image to mask.", "lower", "s"),
    "peak_memory_mb": MetricName("Peak memory", "Largest memory in use.", "lower", "MB"),
}


def metric_name(key: str) -> MetricName:
    """Find how a metric is presented.

    Args:
        key: the metric's key, such as ``image_auroc``.

    Returns:
        Its presentation; an unknown key is shown as it is.
    """
    return METRIC_NAMES.get(key, MetricName(key, oracle=key.startswith("oracle_")))
