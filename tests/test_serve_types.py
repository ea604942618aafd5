"""The page's types for the responses of the API use the field names of the API."""

import re
from pathlib import Path

import pytest

from quoth.serve.http import schema

TYPES = Path(schema.__file__).parents[2] / "page" / "types.js"
pytestmark = pytest.mark.serve

# Type in types.js -> schema of the API.
SCHEMAS = {
    "Quote": schema.Quote,
    "Result": schema.AnswerResponse,
    "Window": schema.ExplainedWindow,
    "Rejected": schema.RejectedQuote,
    "ReaderFacts": schema.ReaderResponse,
}


def properties(name):
    text = re.sub(r"^ \* ?", "", TYPES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = re.findall(rf"@typedef {{object}} {name}\b(.*?)(?=@typedef|\Z)", text, re.DOTALL)
    return set(re.findall(r"@property {.*} \[?(\w+)", found))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_page_uses_the_field_names_of_the_api(name):
    assert properties(name)
    assert properties(name) <= set(SCHEMAS[name].model_fields)


def test_the_page_uses_the_field_names_of_the_api_for_explanations():
    (parts,) = re.findall(r"Result & { (.*) }} Explanation", TYPES.read_text(encoding="utf-8"))
    assert set(re.findall(r"(\w+):", parts)) <= set(schema.ExplainResponse.model_fields)
