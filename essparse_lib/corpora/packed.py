"""A whole corpus as blocks of tokens of one length, made once and kept in the cache.

Every document is followed by [SEP], and the documents by one another: that stream of tokens is cut into pieces of
``length`` − 1, and each block is [CLS] and a piece. Nothing is padded; what is left at the end is dropped.

Blocks are parted by chunks of 64 consecutive ones (fewer where a corpus is small), since neighbours share documents.
A chunk's place in a fixed order is its number times the golden ratio, without the whole part: the first chunks of that
order lie evenly over the corpus however many are taken, so that every part has the same mix of sources. The last 2% of
the order are held out; a part of the training blocks, such as 60%, is the beginning of the rest. No seed has a say.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import built, cache_folder
from .corpus import Corpus, fingerprint
from .tokenizer import FORMAT, batches, tokenizer_folder

CHUNK = 64  # blocks
HELD_OUT = 0.02
_FORMAT = 1  # raised when the same corpus would give other blocks
_BATCH = 1_000_000  # characters tokenised at once
_COUNTS = ("documents", "characters", "words", "tokens")


@dataclass(frozen=True, eq=False, kw_only=True)
class Packed:
    """A corpus as blocks of tokens.

    Attributes:
        tokenizer_folder: what ``from_pretrained`` reads.
        train: token numbers of shape (blocks, length), memory-mapped, read-only.
        held_out: likewise, not to be trained on.
        vocabulary: how many tokens there are.
        fingerprint: of what was asked for: corpus, vocabulary, length, format; 16 hexadecimal digits.
        content: of what came of it: SHA-256 over the tokenizer's file and all tokens; 16 hexadecimal digits.
        documents: how many there are.
        characters: how many they have.
        words: how many they have between white space.
        tokens: how many they have, with a [SEP] each.
    """

    tokenizer_folder: Path
    train: np.ndarray
    held_out: np.ndarray
    vocabulary: int
    fingerprint: str
    content: str
    documents: int
    characters: int
    words: int
    tokens: int

    def part(self, fraction: float) -> np.ndarray:
        """The numbers of the training blocks that are this part of the corpus, ascending; the same for every seed.

        Smaller parts lie in larger ones. A part consists of whole chunks, and is right to half a chunk.

        Args:
            fraction: of the training blocks, above 0 to 1.

        Raises:
            InputError: it is not.
        """
        if not isinstance(fraction, (int, float)) or not 0 < fraction <= 1:
            raise InputError(f"fraction {fraction!r} of the corpus is not allowed: give a number above 0, at most 1")
        blocks = len(self.train) + len(self.held_out)
        size, order = _chunks(blocks)
        training = order[: len(order) - _held_out(len(order))]
        kept = np.zeros(len(order), dtype=bool)
        kept[training[: max(1, round(fraction * len(training)))]] = True
        in_training = np.zeros(len(order), dtype=bool)
        in_training[training] = True
        chunk_of = np.arange(blocks) // size
        return np.flatnonzero(kept[chunk_of[in_training[chunk_of]]])

    def unigram_entropy(self) -> float:
        """What the frequencies of tokens alone foresee: nats a held-out token, [CLS] not counted.

        The frequencies are those of the training blocks, each token once more than it occurs there.
        """
        seen = _frequencies(self.train, self.vocabulary) + 1
        held_out = _frequencies(self.held_out, self.vocabulary)
        return float(-(held_out / held_out.sum()) @ np.log(seen / seen.sum()))


def packed(corpus: Corpus, vocabulary: int, length: int) -> Packed:
    """The corpus as blocks of tokens, from the cache or made now.

    Where the corpus has a key, it is found again without reading a document. Memory does not grow with the corpus; on
    the disk it takes two bytes a token, and twice that while it is made.

    Args:
        corpus: the documents.
        vocabulary: how many tokens the tokenizer trained on them has, at most 65,535.
        length: tokens a block, [CLS] among them.

    Raises:
        InputError: as of ``wordpiece``; a length below 2; a corpus too short for two blocks.

    >>> texts = ["the cat sat", "the cats ran"] * 9
    >>> corpus = Corpus(name="cats", load=lambda: iter(texts), source="made here")
    >>> blocks = packed(corpus, 29, 10)
    >>> blocks.train.shape, blocks.held_out.shape, blocks.words
    ((7, 10), (1, 10), 54)
    >>> blocks.part(0.5)
    array([0, 2, 4, 6])
    """
    if not isinstance(length, int) or length < 2:
        raise InputError(f"length {length!r} is not allowed: give a whole number from 2, such as 128")
    name = fingerprint(corpus, vocabulary, length, FORMAT, _FORMAT)
    folder = built(cache_folder() / "corpora" / name, lambda target: _pack(corpus, vocabulary, length, target))
    facts = json.loads((folder / "facts.json").read_text())
    train, held_out = (np.load(folder / f"{part}.npy", mmap_mode="r") for part in ("train", "held_out"))
    return Packed(tokenizer_folder=folder / "tokenizer", train=train, held_out=held_out, fingerprint=name, **facts)


def _pack(corpus: Corpus, vocabulary: int, length: int, target: Path) -> None:
    trained = tokenizer_folder(corpus, vocabulary)
    shutil.copytree(trained, target / "tokenizer")
    digest = hashlib.sha256((trained / "tokenizer.json").read_bytes())
    stream = target / "stream"
    counts, cls = _tokenise(corpus, trained, stream, digest)
    blocks = counts["tokens"] // (length - 1)
    if blocks < 2:
        raise InputError(
            f"corpus {corpus.name!r} is too short: its {counts['tokens']} tokens give {blocks} blocks of length "
            f"{length}, but one is to train on and one held out; choose a smaller length"
        )
    _cut(np.memmap(stream, dtype=np.uint16, mode="r"), blocks, length, cls, target)
    stream.unlink()
    facts = {"vocabulary": vocabulary, "content": digest.hexdigest()[:16], **counts}
    (target / "facts.json").write_text(json.dumps(facts, indent=1))


def _tokenise(corpus: Corpus, trained: Path, stream: Path, digest: hashlib._Hash) -> tuple[dict[str, int], int]:
    """Write the stream of tokens; how much there was of everything, and the number of [CLS]."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(trained / "tokenizer.json"))
    vocab = tokenizer.get_vocab()
    cls, sep = vocab["[CLS]"], vocab["[SEP]"]
    counts = dict.fromkeys(_COUNTS, 0)
    with stream.open("wb") as file:
        for batch in batches(corpus.load(), _BATCH):
            rows = [e.ids for e in tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
            tokens = np.fromiter((t for row in rows for t in (*row, sep)), dtype="<u2")
            file.write(tokens.tobytes())
            digest.update(tokens.tobytes())
            sizes = (len(batch), sum(map(len, batch)), sum(len(text.split()) for text in batch), len(tokens))
            for name, size in zip(_COUNTS, sizes, strict=True):
                counts[name] += size
    return counts, cls


def _cut(stream: np.ndarray, blocks: int, length: int, cls: int, target: Path) -> None:
    """Write the blocks of both kinds, a chunk at a time."""
    size, order = _chunks(blocks)
    held_out = np.zeros(len(order), dtype=bool)
    held_out[order[len(order) - _held_out(len(order)) :]] = True
    sizes = np.diff(np.minimum(np.arange(len(order) + 1) * size, blocks))  # the last may have fewer
    parts = {
        kind: np.lib.format.open_memmap(
            target / f"{name}.npy", mode="w+", dtype=np.uint16, shape=(int(sizes[held_out == kind].sum()), length)
        )
        for name, kind in (("train", False), ("held_out", True))
    }
    filled = {False: 0, True: 0}
    for chunk, kind in enumerate(held_out.tolist()):
        start, count = chunk * size, int(sizes[chunk])
        rows = parts[kind][filled[kind] : filled[kind] + count]
        rows[:, 0] = cls
        rows[:, 1:] = stream[start * (length - 1) : (start + count) * (length - 1)].reshape(count, length - 1)
        filled[kind] += count
    for part in parts.values():
        part.flush()


def _chunks(blocks: int) -> tuple[int, np.ndarray]:
    """How many blocks a chunk has, and the chunks' numbers in the fixed order."""
    size = max(1, min(CHUNK, int(blocks * HELD_OUT)))  # so that the share held out is a whole chunk at least
    numbers = np.arange(-(-blocks // size), dtype=np.uint64)
    golden = np.uint64(2654435769)  # 2³² over the golden ratio (Knuth, The Art of Computer Programming 3, §6.4)
    return size, np.argsort((numbers * golden) % np.uint64(2**32), kind="stable")


def _held_out(chunks: int) -> int:
    """How many chunks are held out."""
    return max(1, round(HELD_OUT * chunks))


def _frequencies(blocks: np.ndarray, vocabulary: int) -> np.ndarray:
    """How often each token occurs, [CLS] at the beginning of a block not counted."""
    counts = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(blocks), 4096):
        counts += np.bincount(blocks[start : start + 4096, 1:].ravel(), minlength=vocabulary)
    return counts
