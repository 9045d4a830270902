"""Lets a test import models/weights, and builds the small things that several of them need.

By hand, all of them:
  .venv/bin/python -B -m unittest discover -s tests/models/weights -p '*_test.py'
"""

import pathlib
import sys
import tomllib
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WEIGHTS = ROOT / "models/weights"
MODELS = ROOT / "configs/models"
sys.path.insert(0, str(WEIGHTS))
warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch.jit")


def model_toml(name):
    return tomllib.loads((MODELS / name / "model.toml").read_text())


def labels(name):
    return (MODELS / name / "labels.txt").read_text().splitlines()
