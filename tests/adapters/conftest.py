"""The adapters are tested with the real libraries, in an environment of their own: make test-adapters."""

from importlib.util import find_spec

collect_ignore_glob = [] if all(map(find_spec, ("mcp", "haystack", "langchain_core"))) else ["test_*.py"]
