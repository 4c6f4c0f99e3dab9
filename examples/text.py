"""Texts: an encoder that knows what a comment is about knows who wrote it, by words that it was never asked about.

You learn to audit and to sanitize a model that takes several inputs (tokens and their mask), and how padding is left
out. About two minutes on 2 cores; needs `pip install 'irene-audit[text]'`. A small BERT is built and trained here, on
sentences made of templates; nothing is downloaded.

    python examples/text.py
"""

import contextlib
import importlib.util
import sys
import tempfile
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

import irene

TONE = {
    "good": ["lovely", "great", "warm", "perfect"],
    "bad": ["awful", "broken", "cold", "late"],
}
AGE = {
    "teen": ["totally", "literally", "like"],
    "adult": ["rather", "indeed", "quite"],
}
FILL = ["the", "order", "was", "and", "food", "came", "we", "think", "service"]
VOCABULARY = {word: number for number, word in enumerate(["[PAD]", *FILL, *chain(*TONE.values(), *AGE.values())])}
LENGTH = 12


class Classifier(nn.Module):
    """A BERT of two layers; what its last layer is given is the bottleneck: the mean over the tokens that count."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        sizes: dict[str, Any] = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
        }
        config = BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=LENGTH, **sizes)
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(32, 2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the scores of bad and good, (n, 2), of tokens (n, t) and their mask (n, t)."""
        tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        counts = attention_mask.unsqueeze(-1).to(tokens.dtype)
        return self.head((tokens * counts).sum(1) / counts.sum(1))


def comments(n: int) -> tuple[dict[str, torch.Tensor], dict[str, list[str]]]:
    """Return n comments as tokens and masks, with their tone and the age of who wrote them."""
    random = np.random.default_rng(0)
    tokens = torch.zeros(n, LENGTH, dtype=torch.long)
    labels: dict[str, list[str]] = {"tone": [], "age": []}
    for row in range(n):
        tone, age = random.choice(["good", "bad"]), random.choice(["teen", "adult"])
        words = [*random.choice(FILL, random.integers(4, 9)), random.choice(TONE[tone]), random.choice(AGE[age])]
        random.shuffle(words)
        tokens[row, : len(words)] = torch.tensor([VOCABULARY[word] for word in words])
        labels["tone"].append(tone)
        labels["age"].append(age)
    return {"input_ids": tokens, "attention_mask": (tokens > 0).long()}, labels


def train(model: nn.Module, inputs: dict[str, torch.Tensor], answers: torch.Tensor) -> None:
    """Train on the tone alone, as anybody would."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(4):
        for rows in torch.randperm(len(answers)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(**{k: v[rows] for k, v in inputs.items()}), answers[rows]).backward()
            optimizer.step()


def main() -> None:
    """Train, save, audit, sanitize, and audit what came out."""
    if importlib.util.find_spec("transformers") is None:
        sys.exit("This example needs transformers, which is not installed: pip install 'irene-audit[text]'.")
    torch.manual_seed(0)
    inputs, labels = comments(9000)
    half = len(labels["tone"]) // 2  # the first half shapes models, the second is for attackers alone

    def rows(part: slice) -> irene.LabelledData:
        return irene.labelled({k: v[part] for k, v in inputs.items()}, {k: v[part] for k, v in labels.items()})

    model = Classifier()
    answers = torch.tensor([tone == "good" for tone in labels["tone"][:half]]).long()  # in the alphabet's order
    train(model, {k: v[:half] for k, v in inputs.items()}, answers)
    torch.save(model.state_dict(), "model.pt")

    loaded = irene.load("model.pt", f"{__file__}:Classifier")
    settings = irene.Settings(ceiling=False)  # numbers of tokens are no features: the input itself is not attacked
    before = irene.audit(loaded, rows(slice(half, None)), task="tone", private="age", settings=settings)
    options = irene.SanitizeOptions(epochs=2)
    irene.sanitize(loaded, rows(slice(half)), "clean.pt", task="tone", private="age", options=options)
    clean = irene.load("clean.pt", f"{__file__}:Classifier")
    after = irene.audit(clean, rows(slice(half, None)), task="tone", private="age", settings=settings)

    for when, result in (("Before", before), ("After", after)):
        found, task = result.private[0], result.task
        read, floor = found.measurement.score, found.measurement.floor_score
        print(f"{when}: {found.decided.verdict} at {found.layer}. The age is read in {read.value:.1%} of cases,")
        print(f"  the predicted tone alone gives {floor.value:.1%}; the tone is right in {task.accuracy.value:.1%}.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        main()
