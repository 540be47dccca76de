# SPDX-License-Identifier: Apache-2.0
"""medad: MEDical Anomaly Detection on MONAI, one package under all bundles."""

__version__ = "0.1.0"
