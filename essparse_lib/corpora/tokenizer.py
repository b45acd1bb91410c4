"""Train BERT's tokenizer on a corpus: WordPiece over lower-cased text without accents.

The trainer of the library ``tokenizers`` numbers a letter's continuation (``##e``) in the order in which it meets the
words of a hash table, and equally frequent pieces by these numbers. So two trainings differ. Here the trainer gets the
letters and continuations beforehand, in the order of their code points. Then two trainings give the same file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files import cache_folder
from ..sources.sealed import sealed
from .corpus import Corpus, fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LARGEST = 65_535  # token numbers are kept in 16 bits

#: A character that is rarer than one in a million does not enter the alphabet: words with it are [UNK].
_RAREST = 1e-6
_LARGEST_ALPHABET = 1000  # as in BERT
_LEAST_FREQUENCY = 2  # of a pair of pieces that are merged into one, as in BERT
_BATCH = 4_000_000  # characters counted at a time
FORMAT = 1  # raised when the way from a corpus to a tokenizer changes


def wordpiece(corpus: Corpus, vocabulary: int) -> PreTrainedTokenizerFast:
    """Return BERT's tokenizer with exactly ``vocabulary`` tokens, trained on a corpus or read from the cache.

    It lower-cases a text, removes accents, and splits it at white space and punctuation, and words into the longest
    pieces that it knows. One text becomes ``[CLS] A [SEP]``, a pair ``[CLS] A [SEP] B [SEP]`` with token types 0 and 1.

    Args:
        corpus: the corpus to train on.
        vocabulary: number of tokens, the five special ones among them; at most 65,535.

    Raises:
        InputError: the corpus is empty or cannot be had; or the vocabulary is larger than its text supports, or too
            small for its letters.

    Source:
        Devlin et al. 2019 (arXiv 1810.04805), §3; Wu et al. 2016 (arXiv 1609.08144), §4.1.

    >>> texts = ["the cat sat", "the cats ran"] * 9
    >>> corpus = Corpus(name="cats", load=lambda: iter(texts), source="made here")
    >>> wordpiece(corpus, 29).tokenize("The Cät is a rat")
    ['the', 'cat', '[UNK]', 'a', 'r', '##at']
    """
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(tokenizer_folder(corpus, vocabulary))


def tokenizer_folder(corpus: Corpus, vocabulary: int) -> Path:
    """Return the folder with the files of ``wordpiece``'s tokenizer, which is trained if it is not in the cache.

    Args:
        corpus: the corpus to train on.
        vocabulary: number of tokens, the five special ones among them; at most 65,535.

    Raises:
        InputError: the corpus or the vocabulary is not allowed, as for ``wordpiece``.
    """
    if not isinstance(vocabulary, int) or not len(SPECIAL) < vocabulary <= LARGEST:
        raise InputError(
            f"vocabulary {vocabulary!r} is not allowed: give a whole number from {len(SPECIAL) + 1} to {LARGEST:,}"
        )
    name = f"tokenizer-{fingerprint(corpus, vocabulary, FORMAT)}"
    return sealed(cache_folder() / "corpora" / name, lambda target: _train(corpus, vocabulary, target))


def _train(corpus: Corpus, vocabulary: int, target: Path) -> None:
    """Train a tokenizer and write it into a folder."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    def empty(vocab: dict[str, int] | None) -> Tokenizer:
        tokenizer = Tokenizer(models.WordPiece(vocab or {}, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # which implies NFD without accents
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer

    tokenizer = empty(None)
    letters = _alphabet(corpus, tokenizer)
    inner = [f"##{letter}" for letter in letters if _continues(letter, tokenizer)]
    least = len(SPECIAL) + len(letters) + len(inner)
    if vocabulary < least:
        raise InputError(
            f"vocabulary {vocabulary} is too small for corpus {corpus.name!r}: {len(letters)} letters, {len(inner)} "
            f"of them also within words, and the {len(SPECIAL)} special tokens are {least} already"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=_LEAST_FREQUENCY,
        special_tokens=[*SPECIAL, *inner],  # the trainer lets us number special tokens only
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.load(), trainer)
    vocab = tokenizer.get_vocab()
    if len(vocab) < vocabulary:
        raise InputError(
            f"vocabulary {vocabulary:,} is larger than the text of corpus {corpus.name!r} supports: "
            f"ask for at most {len(vocab):,}"
        )
    final = empty(vocab)  # in it, continuations are ordinary tokens
    final.decoder = decoders.WordPiece()
    final.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=final,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{token.strip('[]').lower()}_token": token for token in SPECIAL},
    ).save_pretrained(target)


def _alphabet(corpus: Corpus, tokenizer: Any) -> list[str]:
    """Return the characters of the normalised text that are not too rare, in the order of their code points."""
    raw = np.zeros(sys.maxunicode + 1, dtype=np.int64)
    for batch in batches(corpus.load(), _BATCH):
        text = "".join(batch).encode("utf-32-le", errors="replace")
        counts = np.bincount(np.frombuffer(text, dtype="<u4"))
        raw[: len(counts)] += counts
    if not raw.any():
        raise InputError(f"corpus {corpus.name!r} is empty: there is nothing to train a tokenizer on")
    normalised: dict[str, int] = {}
    for code in np.flatnonzero(raw):  # the normaliser treats each character by itself
        for letter in tokenizer.normalizer.normalize_str(chr(code)):
            normalised[letter] = normalised.get(letter, 0) + int(raw[code])
    letters = {letter: count for letter, count in normalised.items() if not letter.isspace()}
    least = _RAREST * sum(letters.values())
    frequent = [letter for letter, count in letters.items() if count >= least]
    kept = sorted(frequent, key=lambda letter: (-letters[letter], letter))
    return sorted(kept[:_LARGEST_ALPHABET])


def _continues(letter: str, tokenizer: Any) -> bool:
    """Return whether a letter can stand within a word; punctuation and Chinese characters cannot."""
    normalised = tokenizer.normalizer.normalize_str(f"a{letter}")
    return len(tokenizer.pre_tokenizer.pre_tokenize_str(normalised)) == 1


def batches(documents: Iterator[str], characters: int) -> Iterator[list[str]]:
    """Yield lists of consecutive documents that have at least so many characters; the last list may have fewer.

    Args:
        documents: the documents.
        characters: least number of characters of a list.
    """
    batch, size = [], 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
