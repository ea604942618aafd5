import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no defect.
settings.register_profile("quoth", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("quoth")


@pytest.fixture(scope="session")
def squad_folder():
    """The folder of the full SQuAD files. Without QUOTH_DATA a test is skipped by name; in CI, a skip is a failure."""
    if "QUOTH_DATA" not in os.environ:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("QUOTH_DATA is not set")
    return Path(os.environ["QUOTH_DATA"]) / "squad"
