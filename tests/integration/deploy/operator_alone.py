# SPDX-License-Identifier: Apache-2.0
"""The smallest application: a volume from a file, the operator of the SDK, its result to a file."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from monai.bundle import ConfigParser
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application, Image, IOType, Operator, OperatorSpec
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator


class VolumeSource(Operator):
    """Emit a volume as the SDK has volumes: slices first, and beside it the geometry and what its values are."""

    def __init__(self, fragment: Any, *args: Any, path: Path, values: dict[str, str], **kwargs: Any) -> None:
        self.path = path
        self.values = values
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.output("image")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        with np.load(self.path) as file:
            volume, affine = file["volume"], file["affine"]
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        names = ("row_pixel_spacing", "col_pixel_spacing", "depth_pixel_spacing")
        metadata = {**dict(zip(names, sizes, strict=True)), "nifti_affine_transform": affine, **self.values}
        op_output.emit(Image(volume.T, metadata), "image")


class ResultSink(Operator):
    """Save what arrives."""

    def __init__(self, fragment: Any, *args: Any, path: Path, **kwargs: Any) -> None:
        self.path = path
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("pred")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        np.save(self.path, op_input.receive("pred").asnumpy().T)


def values_of(bundle: Path) -> dict[str, str]:
    """What the metadata of an image say of its values where a bundle has loaded it."""
    sys.path.insert(0, str(bundle))
    parser = ConfigParser(ConfigParser.load_config_file(bundle / "configs" / "inference.json"))
    return dict(parser.get_parsed_content("preprocessing").transforms[0].values_entry)


class OperatorAlone(Application):
    """Source, operator, sink."""

    def compose(self) -> None:
        context = Application.init_app_context(self.argv)
        bundle = Path(context.model_path).resolve()
        context.models = None
        source, result = Path(context.input_path).resolve(), Path(context.output_path).resolve() / "pred.npy"
        os.chdir(bundle)
        operator = MonaiBundleInferenceOperator(
            self,
            app_context=context,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            bundle_path=bundle,
            name="operator",
        )
        volume = VolumeSource(self, CountCondition(self, 1), path=source, values=values_of(bundle), name="source")
        self.add_flow(volume, operator)
        self.add_flow(operator, ResultSink(self, path=result, name="sink"))


if __name__ == "__main__":
    OperatorAlone().run()
