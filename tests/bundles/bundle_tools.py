# SPDX-License-Identifier: Apache-2.0
"""What the tests of all bundles share."""

import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from medad.errors import MedadError, find_medad_error
from monai.bundle import ConfigWorkflow
from torch import Tensor, nn

State = dict[str, Tensor]
ROOT = Path(__file__).resolve().parents[2]
BUNDLES = sorted(folder for folder in (ROOT / "bundles").iterdir() if (folder / "configs").is_dir())
# one bundle of each kind: a reconstruction, diffusion that is trained with labels, features of a frozen backbone
KINDS = ("denoising_autoencoder", "guided_ddim", "uniad")
# variants that change the score only build on one that brings its network
NEEDS = {"variant_grad_kl": "variant_vae", "variant_grad_elbo": "variant_vae", "variant_grad_combi": "variant_vae"}
VARIANTS = [
    (bundle, " ".join(filter(None, (NEEDS.get(path.stem), path.stem))))
    for bundle in BUNDLES
    for path in sorted((bundle / "configs").glob("variant_*.json"))
]
VARIANT_IDS = [f"{bundle.name}-{names}" for bundle, names in VARIANTS]


def of_each_kind() -> list[Path]:
    """Give one bundle of each kind."""
    return [folder for folder in BUNDLES if folder.name in KINDS]


def asked(marker: str = "", runs: bool = True) -> list[Any]:
    """Give the bundles that a test is about, as its parameters: `make test` asks some, `make test-slow` the others.

    Args:
        marker: ``one_bundle`` for what no method changes, such as commands; ``each_kind`` for what a method changes
            little; nothing for what each bundle promises, and ``one_fast`` where that takes half a minute.
        runs: whether the test runs a bundle, which takes seconds; what only reads it is asked of all in `make test`.
    """
    kinds = of_each_kind()
    chosen, fast = {
        "one_bundle": (kinds[:1], kinds[:1]),
        "each_kind": (kinds, kinds[:1]),
        "one_fast": (BUNDLES, kinds[:1]),
        "": (BUNDLES, kinds if runs else BUNDLES),
    }[marker]
    return [folder if folder in fast else pytest.param(folder, marks=pytest.mark.slow) for folder in chosen]


def usually(bundle: Path, *names: str) -> None:
    """Skip a test that takes minutes, but for some bundles and with ``CI_FULL=1``."""
    if bundle.name not in names and os.environ.get("CI_FULL") != "1":
        pytest.skip("it takes minutes; CI_FULL=1 asks every bundle")


def config_files(bundle: Path, *names: str) -> list[str]:
    """Paths of config files, base first."""
    return [str(bundle / "configs" / f"{name}.json") for name in names]


def build(bundle: Path, names: str, kind: str = "train", **overrides: Any) -> ConfigWorkflow:
    """Build and initialize a workflow from the named configs, such as ``"train smoke"``."""
    workflow = ConfigWorkflow(
        config_file=config_files(bundle, *names.split()),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=str(bundle / "configs" / "logging.conf"),
        workflow_type=kind,
        bundle_root=str(bundle),
        **{key: str(value) if isinstance(value, Path) else value for key, value in overrides.items()},
    )
    workflow.initialize()
    return workflow


def build_in(bundle: Path, data: Path, folder: Path, names: str = "train smoke", **overrides: Any) -> ConfigWorkflow:
    """Build a workflow on a data set with weights, calibration and logs in one folder."""
    paths = {"ckpt_path": folder / "model.pt", "calibration_path": folder / "calibration.json"}
    trains = {} if names.startswith("inference") else {"ckpt_dir": folder}
    return build(bundle, names, **{"dataset_dir": data, "output_dir": folder / "log", **paths, **trains, **overrides})


def train_in(bundle: Path, data: Path, folder: Path, names: str = "train smoke", **overrides: Any) -> State:
    """Train without calibration, and give the weights of ``model.pt``."""
    build_in(bundle, data, folder, names, **overrides).parser.get_parsed_content("train#trainer").run()
    state: State = torch.load(folder / "model.pt", weights_only=True)
    return state


def other_weights(state: State) -> State:
    """Change every learned number a little; masks and hashes in a state dict stay."""
    return {name: value + 1e-3 if value.is_floating_point() else value for name, value in state.items()}


def reconstructs(bundle: Path) -> bool:
    """Ask whether the metadata of a bundle promise a reconstruction of the image."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    return "reconstruction" in metadata["network_data_format"]["post_processed_outputs"]


def same_weights(one: State, other: State, prefix: str = "") -> bool:
    """Ask whether two state dicts hold the same names and values where names begin with ``prefix``."""
    first, second = ({name: state[name] for name in state if name.startswith(prefix)} for state in (one, other))
    assert first, f"nothing begins with {prefix!r}"
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@dataclass(frozen=True)
class SmokeModel:
    """A bundle trained for an epoch with smoke.json, and the folder of its weights."""

    bundle: Path
    models: Path
    data: Path

    @property
    def state(self) -> State:
        """Its weights, read anew."""
        state: State = torch.load(self.models / "model.pt", weights_only=True)
        return state

    @property
    def paths(self) -> dict[str, str]:
        """Overrides that point a config to the model and the data."""
        return {
            "dataset_dir": str(self.data),
            "ckpt_path": str(self.models / "model.pt"),
            "calibration_path": str(self.models / "calibration.json"),
        }


SmokeModels = Callable[[Path], SmokeModel]
"""Gives the smoke model of a bundle, trained once for all tests."""


def train_smoke_model(
    bundle: Path, data: Path, models: Path, output_dir: Path, names: str = "train smoke"
) -> SmokeModel:
    """Train for an epoch, then calibrate.

    Args:
        bundle: folder of the bundle.
        data: phantom data set.
        models: where the weights and the calibration go.
        output_dir: where everything else goes.
        names: the configs.
    """
    model = SmokeModel(bundle, models, data)
    workflow = build(bundle, names, **model.paths, ckpt_dir=models, output_dir=output_dir)
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    return model


def real_inputs(network: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """What a network is called with: images, and a timestep for each where it takes them."""
    if "timesteps" in inspect.signature(network.forward).parameters:
        return images, 7 * torch.arange(len(images)) + 3
    return (images,)


def to_torchscript(network: nn.Module, images: Tensor) -> torch.jit.ScriptModule:
    """Script a network, or trace it with all its inputs: MONAI's diffusion networks, which take time, do not script."""
    inputs = real_inputs(network, images)
    return torch.jit.script(network) if len(inputs) == 1 else torch.jit.trace(network, inputs)


@contextmanager
def fails_with(kind: type[MedadError], match: str) -> Iterator[None]:
    """Expect an error for the user behind what MONAI's config parser wraps around it."""
    with pytest.raises(Exception) as caught:
        yield
    error = find_medad_error(caught.value)
    assert isinstance(error, kind), caught.value
    assert match in str(error)
