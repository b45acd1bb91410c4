"""Scores of choices: one packed sequence a question gives what each choice gives alone, whatever the architecture."""

import pytest
import torch
import transformers

from essparse_lib.errors import InputError
from essparse_lib.likelihood.beginnings import shared_beginning
from essparse_lib.likelihood.encoding import EncodedQuestion, encode, leading_tokens, prefix_token
from essparse_lib.likelihood.packing import batch, pack
from essparse_lib.likelihood.scorer import Scorer
from essparse_lib.sources.tiny_models import make_tokenizer
from essparse_lib.tasks.likelihood import LikelihoodQuestion

VOCABULARY = 60
#: Configurations of architectures: what each is called, and what its tiny model has; whether it can be packed.
SMALL = dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
FAMILIES = {
    "llama": (SMALL | dict(num_key_value_heads=2), True),
    "qwen3": (SMALL | dict(num_key_value_heads=2, head_dim=8), True),
    "phi": (SMALL, True),
    "gpt_neox": (SMALL, True),
    "mistral": (SMALL | dict(num_key_value_heads=2, sliding_window=11), True),
    "gemma2": (SMALL | dict(num_key_value_heads=2, head_dim=8, sliding_window=11), True),
    "gpt2": (dict(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64), True),
    "opt": (
        dict(vocab_size=VOCABULARY, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4)
        | dict(word_embed_proj_dim=32, max_position_embeddings=64),
        True,
    ),
    "bloom": (dict(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4), False),
    "mamba": (dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4), False),
}


def model_of(family, **changes):
    """Return a causal language model with large random weights, so that what it sees matters."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **FAMILIES[family][0], **changes)
    for token in ("pad_token_id", "bos_token_id", "eos_token_id"):
        setattr(config, token, 0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(std=0.25)
    return model


def questions(count=12, seed=0, topic="", beginning=()):
    """Return questions of random tokens, of unlike lengths."""
    draw = torch.Generator().manual_seed(seed)

    def tokens(low, high):
        size = int(torch.randint(low, high, (), generator=draw))
        return tuple(torch.randint(1, VOCABULARY, (size,), generator=draw).tolist())

    return [
        EncodedQuestion((*beginning, *tokens(1, 9)), tuple(tokens(1, 6) for _ in range(2 + number % 3)), topic)
        for number in range(count)
    ]


@torch.no_grad()
def alone(model, question):
    """Return the log-probability of each choice, and whether it is greedy, from a pass of its own."""
    found = []
    for choice in question.choices:
        tokens = torch.tensor([[*question.context, *choice]])
        outputs = model(input_ids=tokens[:, :-1]).logits[0, len(question.context) - 1 :].float().log_softmax(-1)
        targets = torch.tensor(choice)
        found.append((float(outputs.gather(1, targets[:, None]).sum()), bool((outputs.argmax(-1) == targets).all())))
    return found


def differences(model, scorer, asked):
    """Return the largest difference in nats, and how many choices are greedy in one of the two alone."""
    pairs = [
        (score, expected)
        for scores, question in zip(scorer.scores(asked), asked, strict=True)
        for score, expected in zip(scores, alone(model, question), strict=True)
    ]
    return (
        max(abs(score.log_probability - expected[0]) for score, expected in pairs),
        sum(score.greedy != expected[1] for score, expected in pairs),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_each_architecture_is_scored_as_choice_by_choice(family):
    model = model_of(family)
    scorer = Scorer(model)
    assert scorer.packs == FAMILIES[family][1]
    assert differences(model, scorer, questions()) == (pytest.approx(0, abs=1e-4), 0)
    assert not model.training


@pytest.mark.parametrize("family", ["llama", "opt", "gemma2", "mamba"])
@pytest.mark.parametrize("tokens_at_once", [1, 40, 10_000])
def test_batches_and_shared_beginnings_change_no_score(family, tokens_at_once):
    model = model_of(family)
    asked = [
        *questions(5, 1, "a", beginning=tuple(range(1, 20))),
        *questions(3, 2),
        *questions(4, 3, "b", beginning=tuple(range(20, 40))),
        *questions(1, 4, "c", beginning=tuple(range(1, 20))),
    ]
    scorer = Scorer(model, tokens_at_once)
    assert differences(model, scorer, asked) == (pytest.approx(0, abs=1e-4), 0)


def test_what_contexts_begin_with_alike_is_read_once():
    model, beginning = model_of("llama"), tuple(range(1, 41))
    asked = questions(10, 1, "a", beginning)
    scorer = Scorer(model)
    scorer.scores(asked)
    together = sum(len(pack(question, len(beginning))) for question in asked) + len(beginning)
    assert scorer.tokens <= together
    scorer.shares, scorer.tokens = False, 0
    scorer.scores(asked)
    assert scorer.tokens == sum(len(pack(question)) for question in asked)


def test_a_model_that_only_seems_to_take_positions_is_read_plainly(monkeypatch):
    model = model_of("llama")
    forward = model.forward

    def without_positions(input_ids=None, attention_mask=None, position_ids=None, **options):
        return forward(input_ids=input_ids, attention_mask=attention_mask, **options)

    monkeypatch.setattr(model, "forward", without_positions)
    scorer = Scorer(model)
    assert not scorer.packs
    assert differences(model, scorer, questions()) == (pytest.approx(0, abs=1e-4), 0)


SCALED = dict(rope_type="longrope", rope_theta=1e4, factor=4.0, original_max_position_embeddings=16)
FACTORS = dict(short_factor=[1.0] * 4, long_factor=[2.0, 3.0, 4.0, 5.0])


def mixed():
    """Return questions of up to 9 tokens and longer ones, some of which begin alike."""
    long = tuple(range(1, 31))
    return [*questions(4, 5), *questions(4, 6, "a", long), *questions(2, 7, "b", long[::-1]), *questions(3, 8)]


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_positions_that_the_longest_text_of_a_batch_scales_change_no_score(family):
    model = model_of(family, rope_parameters=SCALED | FACTORS)
    scorer = Scorer(model)
    assert scorer.packs
    assert differences(model, scorer, mixed()) == (pytest.approx(0, abs=1e-4), 0)


def test_a_model_that_reads_long_texts_in_another_way_is_read_plainly_where_they_are_long(monkeypatch):
    model = model_of("llama")
    forward = model.forward

    def by_length(input_ids=None, attention_mask=None, position_ids=None, **options):
        logits = forward(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, **options)
        if input_ids.shape[1] > 20:  # what no entry of the configuration says
            logits.logits = logits.logits * (1 + input_ids.shape[1] / 100)
        return logits

    monkeypatch.setattr(model, "forward", by_length)
    scorer = Scorer(model)
    assert scorer.packs
    before = scorer.tokens
    assert differences(model, scorer, questions(6, 3)) == (pytest.approx(0, abs=1e-4), 0)
    assert scorer.tokens - before == sum(len(pack(question)) for question in questions(6, 3))
    assert differences(model, scorer, mixed()) == (pytest.approx(0, abs=1e-4), 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_models_of_sixteen_bits_are_read_packed(dtype):
    model = model_of("llama")
    asked = questions()
    exact = [score.log_probability for row in Scorer(model).scores(asked) for score in row]
    scorer = Scorer(model.to(dtype))
    rounded = [score.log_probability for row in scorer.scores(asked) for score in row]
    assert scorer.packs
    assert rounded == pytest.approx(exact, abs=0.5)


def test_models_that_see_later_tokens_or_have_no_head_are_refused():
    shape = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    config = transformers.BertConfig(**shape, intermediate_size=32)
    model = transformers.BertForMaskedLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    with pytest.raises(InputError, match="BertForMaskedLM depend on later tokens"):
        Scorer(model)
    with pytest.raises(InputError, match="LlamaModel has no outputs for the next token"):
        Scorer(model_of("llama").model)


def test_small_outputs_do_not_hide_that_they_see_later_tokens():
    shape = dict(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    with pytest.raises(InputError, match="BertLMHeadModel depend on later tokens"):
        Scorer(transformers.BertLMHeadModel(transformers.BertConfig(**shape, intermediate_size=32)))
    decoder = transformers.BertConfig(**shape, intermediate_size=32, is_decoder=True)
    assert Scorer(transformers.BertLMHeadModel(decoder))


def test_what_a_model_cannot_read_is_refused_in_one_line(monkeypatch):
    model = model_of("llama")
    asked = questions()
    scorer = Scorer(model)
    for odd in (EncodedQuestion((VOCABULARY,), ((1,),)), EncodedQuestion((1,), ((1,), (2, VOCABULARY)))):
        with pytest.raises(InputError, match="makes token 60 of a text, and the model knows 60 tokens"):
            scorer.scores([*asked, odd])
    monkeypatch.setattr(model, "forward", lambda input_ids, language: None)
    with pytest.raises(InputError, match="a short text by LlamaForCausalLM cannot be read .*'language'"):
        Scorer(model)


def test_a_model_with_weights_that_are_no_numbers_is_refused():
    model = model_of("llama")
    scorer = Scorer(model)
    with torch.no_grad():
        model.lm_head.weight[3] = float("nan")
    with pytest.raises(InputError, match="log-probability is NaN or infinite"):
        scorer.scores(questions())
    with pytest.raises(InputError, match="log-probability is NaN or infinite"):  # not that it sees later tokens
        Scorer(model).scores(questions())


def test_padding_sees_and_is_seen_by_nothing_else():
    packed = [pack(EncodedQuestion((1, 2), ((3, 4),))), pack(EncodedQuestion((1,), ((3,), (4, 5))))]
    visible = batch(packed, torch.device("cpu")).visible[:, 0]
    assert visible[0].tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert visible[1].tolist() == [[True, False, False], [False, True, False], [False, True, True]]


def test_the_first_of_equal_beginnings_leaves_a_token_to_read():
    assert shared_beginning([(1, 2, 3)] * 3) == 2


# Tokens

TOKENIZER = make_tokenizer("<s> $A </s> $B </s>", bos_token="<s>", eos_token="</s>")


def question(context, *choices, answer=0):
    return LikelihoodQuestion(context=context, choices=choices, answer=answer)


def numbers(text):
    return tuple(TOKENIZER(text, add_special_tokens=False)["input_ids"])


def test_a_context_has_what_the_tokenizer_puts_before_a_text_and_nothing_of_what_it_puts_after():
    assert leading_tokens(TOKENIZER) == (TOKENIZER.bos_token_id,)
    [encoded], cut = encode([question("the film", " good", " bad plot")], TOKENIZER)
    assert encoded.context == (TOKENIZER.bos_token_id, *numbers("the film"))
    assert encoded.choices == (numbers("good"), numbers("bad plot"))
    assert cut == 0


def test_an_empty_context_is_the_prefix():
    [encoded], _ = encode([question("", " the film", " film the")], TOKENIZER)
    assert encoded.context == (TOKENIZER.bos_token_id,)
    [encoded], _ = encode([question("", " the film", " film the")], TOKENIZER, prefix="<mask>")
    assert encoded.context == (TOKENIZER.mask_token_id,)
    with pytest.raises(InputError, match="prefix 'nowhere' is no token of the model"):
        prefix_token(TOKENIZER, "nowhere")


def test_long_contexts_lose_their_beginning_and_are_counted():
    asked = [question("the film has a plot and its actors", " good", " bad"), question("the film", " good")]
    encoded, cut = encode(asked, TOKENIZER, longest=4)
    assert [len(each.context) for each in encoded] == [4, 3]
    assert encoded[0].context == numbers("plot and its actors")
    assert cut == 1
    with pytest.raises(InputError, match="the model takes 2"):
        encode([question("the", " good bad good bad")], TOKENIZER, longest=2)


def test_a_choice_without_a_token_is_refused():
    with pytest.raises(InputError, match="no token of a choice"):
        encode([question("the film", " good", " ")], TOKENIZER)
