# SPDX-License-Identifier: Apache-2.0
"""Guarantees: what an image false-positive rate is a rate of, and the sentence that says so.

With ``S`` subjects, ``n_k`` images of the ``k``-th and ``n`` images in all::

    image                   p(s) = (1 + n / S * sum_k share_k(s)) / (n + 1)
    one_image_of_subject    p(s) = (1 + sum_k share_k(s)) / (S + 1)
    any_image_of_subject    p(s) = (1 + sum_k [max_k >= s]) / (S + 1)

where ``share_k(s)`` is the share of its images that score ``s`` or more, and ``max_k`` its highest score. All three are
the same with one image per subject.
"""

import math

from monai.utils.enums import StrEnum


class Guarantee(StrEnum):
    """What a false-positive rate ``alpha`` of images holds for.

    ``IMAGE``: a new normal image, if every calibration image is of another subject. With several of one it is
    approximate, and with few subjects more images may be called abnormal (:func:`most_called`).

    ``ONE_IMAGE_OF_SUBJECT``: one image, drawn at random, of a new normal subject, however alike the images of a subject
    are: ``alpha - 2 / (S + 1) < P(p <= alpha) <= alpha``. The upper bound needs subjects that are exchangeable, and
    images that are exchangeable within each, the lower one scores without ties. Why: were the new subject one of
    ``S + 1``, a random image of a random one of them would have this p-value with ``share(s)`` of the new subject in
    the place of the 1, which is not more.

    ``ANY_IMAGE_OF_SUBJECT``: all images of a new normal subject together, whose highest score is compared with those of
    the calibration subjects: ``alpha - 1 / (S + 1) < P(min p <= alpha) <= alpha``. For one image it is conservative.

    References:
        1. Y. Lee, R. F. Barber, R. Willett, Distribution-free inference with hierarchical data, arXiv:2306.06342
           (hierarchical exchangeability; a conformal quantile in which every subject weighs the same).
        2. R. Dunn, L. Wasserman, A. Ramdas, Distribution-free prediction sets for two-layer hierarchical models,
           Journal of the American Statistical Association 2022, arXiv:1809.07441.
    """

    IMAGE = "image"
    ONE_IMAGE_OF_SUBJECT = "one_image_of_subject"
    ANY_IMAGE_OF_SUBJECT = "any_image_of_subject"

    @property
    def unit(self) -> str:
        """What counts, in the plural: ``"images"`` or ``"subjects"``."""
        return "images" if self is Guarantee.IMAGE else "subjects"

    @property
    def p_value_is(self) -> str:
        """What a p-value is the share of, to end a sentence with."""
        return {
            Guarantee.IMAGE: "the share of calibration normals, counting the image itself, that score at least as high",
            Guarantee.ONE_IMAGE_OF_SUBJECT: "the share of images that score at least as high, in the mean over the "
            "calibration subjects and the new one, which counts in full",
            Guarantee.ANY_IMAGE_OF_SUBJECT: "the share of calibration subjects, counting the new one, with an image "
            "that scores at least as high",
        }[self]

    def promise(self, rate: float, images: int, subjects: int) -> str:
        """Say in one sentence what a rate means.

        Args:
            rate: image false-positive rate that the calibration supports.
            images: number of its normal images.
            subjects: number of their subjects.

        Returns:
            The sentence.

        Example:
            >>> print(Guarantee.ANY_IMAGE_OF_SUBJECT.promise(0.05, 140, 25))  # doctest: +NORMALIZE_WHITESPACE
            Of 100 normal subjects like the 25 used here, on average at most 5 would be called abnormal on any of their
            images.
        """
        if self is not Guarantee.IMAGE:
            where = "one randomly chosen image" if self is Guarantee.ONE_IMAGE_OF_SUBJECT else "any of their images"
            return (
                f"Of 100 normal subjects like the {subjects} used here, on average at most {100 * rate:g} would be "
                f"called abnormal on {where}."
            )
        if images == subjects:
            return (
                f"Of 100 normal images like the {images} used here, each of another subject, on average at most "
                f"{100 * rate:g} would be called abnormal."
            )
        return (
            f"Of 100 normal images like the {images} used here, about {100 * rate:g} would be called abnormal, and on "
            f"average at most {math.ceil(100 * most_called(rate, images, subjects))}, since the images of the "
            f"{subjects} subjects may be alike."
        )


def most_called(rate: float, images: int, subjects: int) -> float:
    """Bound how often a random image of a new normal subject is called abnormal under :attr:`Guarantee.IMAGE`.

    Its p-value is at most ``alpha`` where that of ``ONE_IMAGE_OF_SUBJECT``, which holds, is at most
    ``alpha + (1 - alpha) * (1 - S / n) / (S + 1)``.

    Args:
        rate: ``alpha``, the image false-positive rate.
        images: number of calibration images, ``n``.
        subjects: number of their subjects, ``S``.

    Returns:
        The bound: the rate itself with one image per subject.

    Example:
        >>> round(most_called(0.05, images=45, subjects=8), 3)
        0.137
    """
    return rate + (1 - rate) * (1 - subjects / images) / (subjects + 1)
