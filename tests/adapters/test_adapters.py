"""Haystack, LangChain and MCP, each with its real library."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quoth.corpus import Corpus
from quoth.errors import ConfigError
from quoth.reader import Reader
from support.folders import fill

pytestmark = pytest.mark.long

KNOWN = str(Path(__file__).parents[1] / "tiny" / "known")
QUESTION = "After how many hours is the oil changed?"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    fill(folder / "files")
    path = folder / "c.quoth"
    with Corpus.open(path) as opened:
        opened.add(folder / "files")
    return str(path)


@pytest.fixture(scope="module")
def expected(corpus):
    with Corpus.open(corpus) as opened:
        return opened.answer(Reader.load(KNOWN), QUESTION, top_k=2, null_threshold="never")


def test_haystack_finds_reads_and_saves_its_pipeline(corpus):
    from haystack import Document, Pipeline

    from quoth.adapters.haystack import CorpusRetriever, QuotingReader

    pipeline = Pipeline()
    pipeline.add_component("retriever", CorpusRetriever(corpus, top_k=2))
    pipeline.add_component("reader", QuotingReader(KNOWN, top_k=2, null_threshold="never"))
    pipeline.connect("retriever.documents", "reader.documents")
    pipeline = Pipeline.loads(pipeline.dumps(), allowed_modules=["quoth.adapters.haystack"])
    asked = {"retriever": {"query": QUESTION}, "reader": {"query": QUESTION}}
    result = pipeline.run(asked, include_outputs_from={"retriever"})
    documents, answers = result["retriever"]["documents"], result["reader"]["answers"]
    assert documents[0].content == "Change the oil after 500 hours."
    assert (documents[0].meta["page"], Path(documents[0].meta["name"]).name) == (2, "pump.pdf")
    assert 0 < len(answers) <= 2
    for answer in answers:
        span = answer.document_offset
        assert answer.document.content[span.start : span.end] == answer.data
        assert 0 <= answer.score <= 1
    reader = QuotingReader(KNOWN, null_threshold=-1_000.0)
    assert reader.run(query=QUESTION, documents=[Document(content=None)]) == {"answers": []}
    assert reader.run(query="Which zebra?", documents=[Document(content="The pump turns slowly.")])["answers"] == []


def test_haystack_searches_in_any_thread_and_refuses_a_top_k_of_0(corpus):
    from haystack import Document

    from quoth.adapters.haystack import CorpusRetriever, QuotingReader

    retriever = CorpusRetriever(corpus)
    retriever.warm_up()
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda query: retriever.run(query)["documents"], ["oil", "oil"]))
    assert found == [retriever.run("oil")["documents"]] * 2
    assert found[0]
    with pytest.raises(ConfigError, match="k must be at least 1, but is 0"):
        retriever.run("oil", top_k=0)
    with pytest.raises(ConfigError, match="top_k must be at least 1, but is 0"):
        QuotingReader(KNOWN).run("oil?", [Document(content="The oil.")], top_k=0)


def test_langchain_retrieves_and_answers(corpus, expected):
    from langchain_core.runnables import RunnableLambda

    from quoth.adapters.langchain import CorpusAnswer, CorpusRetriever

    documents = CorpusRetriever(corpus=corpus, k=2).invoke(QUESTION)
    assert documents[0].page_content == "Change the oil after 500 hours."
    assert (documents[0].metadata["page"], Path(documents[0].metadata["source"]).name) == (2, "pump.pdf")
    answering = CorpusAnswer(corpus=corpus, reader=KNOWN, top_k=2, null_threshold="never")
    found = answering.invoke(QUESTION)
    assert [answer["text"] for answer in found["answers"]] == [answer.text for answer in expected.answers]
    assert found["answers"][0]["citation"] == expected.best.to_citation()
    chain = answering | RunnableLambda(lambda found: found["answers"][0]["text"])
    assert chain.batch([QUESTION, QUESTION]) == [expected.best.text] * 2
    assert asyncio.run(chain.ainvoke(QUESTION)) == expected.best.text
    none = CorpusAnswer(corpus=corpus, reader=KNOWN).invoke("zebra?")
    assert (none["no_answer"], none["reason"]) == (True, "no passage contains a word of the question")


def talk(*flags, calls):
    """Start ``quoth mcp`` as an agent does, and return its tools and the results of some calls."""
    from mcp import ClientSession, StdioServerParameters, stdio_client

    async def session():
        words = ["-m", "quoth", "mcp", *flags]
        async with (
            stdio_client(StdioServerParameters(command=sys.executable, args=words)) as (read, write),
            ClientSession(read, write) as client,
        ):
            await client.initialize()
            tools = (await client.list_tools()).tools
            return tools, [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(session())


def content(result):
    return json.loads(result.content[0].text)


def test_an_agent_asks_searches_and_verifies(corpus):
    calls = [
        ("ask", {"question": QUESTION}),
        ("search", {"query": "oil", "top_k": 1}),
        ("verify", {"quotes": '"Change the oil after 500 hours", "after 600 hours", "no zebras"'}),
        ("ask", {"question": "Who kept it?", "contexts": ["Ida kept it.", "Ana left."]}),
        ("ask", {"question": ""}),
        ("verify", {"quotes": '[{"said": "x"}]', "contexts": ["x"]}),
    ]
    tools, results = talk("--corpus", corpus, "--reader", KNOWN, calls=calls)
    assert sorted(tool.name for tool in tools) == ["ask", "search", "verify"]
    assert all(tool.description for tool in tools)
    asked, found, checked, read, empty, bad = results
    with Corpus.open(corpus) as opened:
        texts = {document.name: document.text for document in opened.documents()}
    for answer in content(asked)["answers"]:
        assert texts[answer["document"]][answer["start"] : answer["end"]] == answer["text"]
    [passage] = content(found)["passages"]
    assert (passage["text"], passage["page"]) == ("Change the oil after 500 hours.", 2)
    assert [verdict["status"] for verdict in content(checked)["quotes"]] == ["exact", "near", "absent"]
    contexts = ["Ida kept it.", "Ana left."]
    for answer in content(read)["answers"]:
        assert contexts[answer["context"]][answer["start"] : answer["end"]] == answer["text"]
    assert empty.is_error
    assert bad.is_error
    assert 'must have a text under "quote"' in bad.content[0].text


def test_without_a_corpus_each_call_brings_its_texts(tmp_path):
    calls = [("verify", {"quotes": "two months", "contexts": ["It is two months."]}), ("ask", {"question": "Why?"})]
    tools, [checked, asked] = talk("--reader", KNOWN, calls=calls)
    assert sorted(tool.name for tool in tools) == ["ask", "verify"]
    assert content(checked)["quotes"][0]["status"] == "exact"
    assert asked.is_error
    assert "start it with --corpus CORPUS" in asked.content[0].text
