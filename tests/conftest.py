import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# Without the extra [serve] (make test-base), these cannot even be imported.
collect_ignore_glob = [] if find_spec("fastapi") else ["test_serve*.py"]
# The same without [tables].
collect_ignore_glob += [] if find_spec("pyarrow") else ["test_tables*.py"]

# Libraries must not query the hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

IN_CI = os.environ.get("CI") == "true"

# Examples of a property test: few, so that the quick tests stay quick. `make test-long` runs them all again, with more.
EXAMPLES = int(os.environ.get("QUOTH_EXAMPLES", "15"))

# A slow machine is not an error. In CI, the same examples are drawn each time, so that only changes cause failures.
settings.register_profile("quoth", deadline=None, derandomize=IN_CI, max_examples=EXAMPLES)
settings.load_profile("quoth")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """Keep compiled networks of the tests out of the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def quoth(capsys):
    """Run the command line in this process; return its exit status, stdout and stderr."""
    from quoth.cli import main

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        return stopped.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def squad_folder():
    """The folder of the full SQuAD files; skips the test if QUOTH_DATA is not set."""
    if not os.environ.get("QUOTH_DATA"):
        pytest.skip("QUOTH_DATA is not set")
    return Path(os.environ["QUOTH_DATA"]) / "squad"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """In CI, a skipped test is a failure, because it was not run at all."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and exitstatus == 0 and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("In CI a skip is a failure.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
