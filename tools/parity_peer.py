"""Answers cases with the question-answering pipeline of transformers 4.57; runs in an environment that has it.

    python tools/parity_peer.py READER_FOLDER CASES.json RESULTS.json

Called by ``tools/parity.py``. Without a ``tokenizer_class`` in ``tokenizer_config.json``, ``PreTrainedTokenizerFast``
loads the ``tokenizer.json`` unchanged.
"""

import json
import sys
import warnings
from pathlib import Path

import transformers

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()


def main(folder: str, cases: str, results: str) -> None:
    """Answer the cases."""
    config = json.loads((Path(folder) / "tokenizer_config.json").read_text())
    if "tokenizer_class" in config:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    else:
        file = str(Path(folder) / "tokenizer.json")
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=file, **config)
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder)
    pipe = transformers.pipeline("question-answering", model=model, tokenizer=tokenizer, device="cpu")
    found = []
    for case in json.loads(Path(cases).read_text(encoding="utf-8")):
        try:
            found.append(pipe(question=case["question"], context=case["context"], **case["parameters"]))
        except BaseException as error:
            # The Rust code panics if a question leaves no space; a panic is not an Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            found.append({"refused": True})
    document = {"transformers": transformers.__version__, "results": found}
    Path(results).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
