# SPDX-License-Identifier: Apache-2.0
"""Networks of diffusion models: U-Nets and the classifier that guides them."""
