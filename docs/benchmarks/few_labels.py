# SPDX-License-Identifier: Apache-2.0
"""Make a data set with few marked images of another one: ``python few_labels.py DATASET COUNT OUT``.

``OUT/datalist.json`` names the files of ``DATASET``; its split ``training_abnormal`` has ``COUNT`` images, drawn
by the SHA-256 of seed 0 and case, so that more images include fewer.
"""

import argparse
import json
from pathlib import Path

from medad.datalists import draw_order, load_splits


def main() -> None:
    """Write the data list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    splits = load_splits(args.dataset)[""]
    by_case = {item["case"]: item for item in splits["training_abnormal"]}
    splits["training_abnormal"] = [by_case[case] for case in draw_order(by_case, 0)[: args.count]]
    subjects = {item["subject_id"] for item in splits["training_abnormal"]}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "datalist.json").write_text(json.dumps(splits, indent=1) + "\n", encoding="utf-8")
    print(f"{len(splits['training_abnormal'])} marked images of {len(subjects)} subjects")


if __name__ == "__main__":
    main()
