# SPDX-License-Identifier: Apache-2.0
"""Download of published weights: from an address, or with timm, which has addresses of its own."""

import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import torch
from monai.utils import optional_import

from ..errors import InputError, brief

_HASH = re.compile(r"-([0-9a-f]{8,})\.\w+$")  # in a file name: how its SHA-256 starts; torch.hub also takes "-b0." so


def download_file(url: str, path: Path) -> None:
    """Download a file with a progress bar, and check its hash where its name carries one.

    Args:
        url: address.
        path: where to write it; nothing stands there after an error.

    Raises:
        InputError: if the address is not reachable, or the file has another hash.
    """
    named = _HASH.search(url)
    remedy = "Download it on another machine and give that file as --backbone_weights."
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=named and named.group(1))
    except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise InputError(
            f"not reachable ({brief(error)})", where=url, expected="a network that leads there", remedy=remedy
        ) from None
    except RuntimeError as error:
        raise InputError(
            brief(error), where=url, expected="the file that its name promises", remedy=f"Try again. {remedy}"
        ) from None


def save_timm_weights(name: str, path: Path) -> None:
    """Let timm fetch the weights of one of its networks, and write them to a file.

    Args:
        name: network of timm.
        path: where to write them.

    Raises:
        InputError: if they are not reachable, or there are none.
    """
    timm, _ = optional_import("timm")
    where = f"timm:{name}"
    try:
        network = timm.create_model(name, pretrained=True, features_only=True, in_chans=3)
    except OSError as error:  # huggingface_hub's own errors are of this kind
        raise InputError(
            f"weights not reachable ({brief(error)})",
            where=where,
            expected="a network that leads to huggingface.co",
            remedy="Run this command on another machine and copy the file that it writes.",
        ) from None
    except RuntimeError as error:
        raise InputError(
            f"timm has no weights of it ({brief(error)})",
            where=where,
            expected="one of timm.list_models(pretrained=True)",
            remedy="Name one of these.",
        ) from None
    torch.save(network.state_dict(), path)
