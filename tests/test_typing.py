"""The public API as a user's type checker sees it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import quoth

TYPED = Path(__file__).with_name("typed")
# Libraries whose sources mypy would read for a minute. Their types do not matter for these calls.
SKIPPED = (
    "accelerate datasets mlflow numpy onnx onnxruntime openvino optuna pandas pyarrow tokenizers torch transformers"
)
CONFIG = f"""
[mypy]
strict = true
follow_imports = silent
ignore_missing_imports = true
disallow_subclassing_any = false

[mypy-{",".join(f"{name}.*" for name in SKIPPED.split())}]
follow_imports = skip
"""


@pytest.mark.long
@pytest.mark.torch
def test_a_type_checker_accepts_valid_calls_and_rejects_wrong_ones(tmp_path):
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--config-file", config, "valid.py", "wrong.py"]
    environment = os.environ | {"MYPYPATH": str(Path(quoth.__file__).parents[1])}
    done = subprocess.run(command, cwd=TYPED, env=environment, capture_output=True, text=True, check=False)
    found = re.findall(r"^(\S+):(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    lines = (TYPED / "wrong.py").read_text(encoding="utf-8").splitlines()
    expected = [
        ("wrong.py", str(number), line.split("  # ")[1]) for number, line in enumerate(lines, 1) if "  # " in line
    ]
    assert found == expected != [], done.stdout + done.stderr
