# SPDX-License-Identifier: Apache-2.0
"""A small language model: word trigrams of Python's own documentation.

Every Python ships the text of its language reference in ``pydoc_data.topics``. Three
words at a time, that is enough to sample sentences that sound like it::

    model = TrigramModel.of_python_docs()
    model.sample(random.Random(1), topic="exceptions", prompt="An exception")
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pydoc_data.topics import topics as PYTHON_DOCS

START, END = "<s>", "</s>"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“])")
# A word with its quotes, dots and brackets, or one mark that ends a phrase.
TOKEN = re.compile(r"[^\s,;:.!?]+(?:[.,:][^\s,;:.!?]+)*|[,;:.!?]")
PAIRS = {'"': '"', "(": ")", "“": "”", "[": "]"}

Context = tuple[str, str]


class TrigramModel:
    """P(word | the two words before it), with more weight on one topic's text."""

    def __init__(self, sentences: dict[str, list[str]]) -> None:
        """Learns from the sentences of each topic."""
        self.topics = list(sentences)
        self.known = {s for group in sentences.values() for s in group}
        self._counts: dict[Context, Counter[str]] = defaultdict(Counter)
        self._by_topic: dict[str, dict[Context, Counter[str]]] = {}
        self._pairs: dict[str, Counter[str]] = defaultdict(Counter)
        self._words: Counter[str] = Counter()
        for topic, group in sentences.items():
            mine: dict[Context, Counter[str]] = defaultdict(Counter)
            for sentence in group:
                words = [START, START, *TOKEN.findall(sentence), END]
                for a, b, c in zip(words, words[1:], words[2:], strict=False):
                    mine[a, b][c] += 1
                    self._counts[a, b][c] += 1
                    self._pairs[b][c] += 1
                    self._words[c] += 1
            self._by_topic[topic] = mine
        self._total = self._words.total()

    @classmethod
    def of_python_docs(cls) -> TrigramModel:
        """The model of the language reference that this Python ships."""
        return cls({topic: list(prose(text)) for topic, text in PYTHON_DOCS.items()})

    def sample(
        self,
        rng: random.Random,
        *,
        topic: str = "",
        prompt: str = "",
        temperature: float = 1.0,
        min_words: int = 7,
        max_words: int = 40,
    ) -> str:
        """Draws one sentence.

        Args:
            rng: where the luck comes from; the same state gives the same sentence.
            topic: a name out of ``topics`` whose text counts ten times.
            prompt: how the sentence begins; its last words are what it goes on from.
            temperature: below 1 prefers the likely, above 1 the unlikely.
            min_words: do not end before, if there is any other way on.
            max_words: where to stop a sentence that does not end.
        """
        words = TOKEN.findall(prompt)
        mine = self._by_topic.get(topic, {})
        context = self._context(words)
        while len(words) < max_words:
            followers = self._counts[context] + Counter(
                {word: 10 * n for word, n in mine.get(context, {}).items()}
            )
            if len(words) < min_words and followers.keys() - {".", END}:
                del followers["."], followers[END]
            weights = [n ** (1 / temperature) for n in followers.values()]
            word = rng.choices(list(followers), weights)[0]
            if word == END:
                break
            words.append(word)
            context = (context[1], word)
        return join(words)

    def _context(self, words: list[str]) -> Context:
        """The last two words, or what is nearest to them in the text."""
        padded = (START, START, *words)
        context = (padded[-2], padded[-1])
        if context in self._counts:
            return context
        ending_alike = [pair for pair in self._counts if pair[1] == context[1]]
        return max(
            ending_alike,
            key=lambda pair: self._counts[pair].total(),
            default=(START, START),
        )

    def perplexity(self, sentence: str) -> float:
        """How surprising the words are on average; low is fluent (or copied)."""
        words = [START, START, *TOKEN.findall(sentence), END]
        bits = 0.0
        for a, b, c in zip(words, words[1:], words[2:], strict=False):
            pair, word = self._counts.get((a, b), Counter()), self._pairs.get(b)
            p = 0.6 * pair[c] / (pair.total() or 1)
            p += 0.3 * (word[c] / word.total() if word else 0.0)
            p += 0.1 * (self._words[c] + 0.1) / (self._total + 1)
            bits -= math.log2(p)
        return float(2 ** (bits / (len(words) - 2)))

    def related(self, topic: str, n: int) -> list[str]:
        """The topics whose words are closest to those of ``topic``, itself first."""
        own = self._word_weights(topic)

        def overlap(other: str) -> float:
            theirs = self._word_weights(other)
            shared = sum(own[w] * theirs[w] for w in own.keys() & theirs.keys())
            return shared / math.hypot(*theirs.values()) if theirs else 0.0

        return sorted(self.topics, key=lambda t: (t != topic, -overlap(t)))[:n]

    def _word_weights(self, topic: str) -> dict[str, float]:
        mine: Counter[str] = Counter()
        for followers in self._by_topic[topic].values():
            mine.update(followers)
        return {
            word: n * math.log(self._total / self._words[word])
            for word, n in mine.items()
            if len(word) > 3
        }


def prose(text: str) -> Iterator[str]:
    """The sentences of a page of documentation, without code, grammar and tables."""
    for block in re.split(r"\n\s*\n", text):
        paragraph = " ".join(block.split())
        looks_like_prose = re.match(r"[A-Z\"][\w\"]* ?", paragraph) and not re.search(
            r"::=|>>>|\*\*\*|===|---|\s=\s|[|{}\\]|\]_|^Changed in|^Added in|^See also",
            paragraph,
        )
        if looks_like_prose:
            for sentence in SENTENCE_END.split(paragraph):
                words = len(sentence.split())
                whole = sentence.endswith(".") and not sentence.endswith(
                    ("i.e.", "e.g.", "etc.")
                )
                if whole and 5 <= words <= 40 and balanced(sentence):
                    yield sentence


def balanced(sentence: str) -> bool:
    """Whether quotes and brackets are closed."""
    open_marks: list[str] = []
    for char in sentence:
        if open_marks and char == open_marks[-1]:
            open_marks.pop()
        elif char in PAIRS:
            open_marks.append(PAIRS[char])
        elif char in PAIRS.values():
            return False
    return not open_marks


def join(words: Iterable[str]) -> str:
    """Words as text: no space before a mark."""
    return re.sub(r" ([,;:.!?])(?= |$)", r"\1", " ".join(words))


if __name__ == "__main__":
    python_docs = TrigramModel.of_python_docs()
    dice = random.Random(1)
    for name in python_docs.related("exceptions", 4):
        print(f"{name}: {python_docs.sample(dice, topic=name, temperature=0.7)}")
