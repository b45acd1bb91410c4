"""Small torch models that several test files share: not in ``helpers``, which loads no torch."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.fc1 = nn.Linear(*weight.T.shape, bias=False)
        self.fc1.weight = nn.Parameter(weight)

    def forward(self, x):
        return self.fc1(x)


class Net(nn.Module):
    """A chain of blocks of one linear layer, ``layers.0.fc1`` and so on, with these weight matrices."""

    def __init__(self, *matrices):
        super().__init__()
        self.layers = nn.ModuleList(Layer(weight.clone()) for weight in matrices)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def llama():
    """Return a language model of one block."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=99,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=64,
            eos_token_id=2,
        )
    )


def train_adapter(model, mask):
    """Train what an adapter leaves to be trained, three steps on one text, with a mask held."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    tokens = torch.arange(9)[None]
    with mask.held(model, optimizer):
        for _ in range(3):
            model(tokens, labels=tokens).loss.backward()
            optimizer.step()
            optimizer.zero_grad()


#: Kinds of PEFT's adapters, each with its configuration's class and settings for ``llama``.
ADAPTERS = {
    "LoRA": ("LoraConfig", {"r": 4, "target_modules": ["q_proj"]}),
    "LoRA and a head": ("LoraConfig", {"r": 4, "target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "LoRA and a matrix": ("LoraConfig", {"r": 4, "target_modules": ["q_proj"], "modules_to_save": ["up_proj"]}),
    "LoRA and tokens": ("LoraConfig", {"r": 4, "target_modules": ["q_proj"], "trainable_token_indices": [1, 2]}),
    "DoRA everywhere": ("LoraConfig", {"r": 4, "target_modules": "all-linear", "use_dora": True}),
    "AdaLoRA": ("AdaLoraConfig", {"target_modules": ["q_proj"], "total_step": 10}),
    "LoHa": ("LoHaConfig", {"target_modules": ["q_proj"]}),
    "LoKr": ("LoKrConfig", {"target_modules": ["q_proj"]}),
    "IA3": ("IA3Config", {"target_modules": ["q_proj", "down_proj"], "feedforward_modules": ["down_proj"]}),
    "VeRA": ("VeraConfig", {"r": 4, "target_modules": ["q_proj"]}),
    "OFT": ("OFTConfig", {"target_modules": ["q_proj"], "oft_block_size": 4}),
    "HRA": ("HRAConfig", {"target_modules": ["q_proj"]}),
    "norms": ("LNTuningConfig", {"target_modules": ["input_layernorm"]}),
    "prefix": ("PrefixTuningConfig", {"num_virtual_tokens": 3, "task_type": "CAUSAL_LM"}),
    "prompt": ("PromptTuningConfig", {"num_virtual_tokens": 3, "task_type": "CAUSAL_LM"}),
    "Llama-Adapter": ("AdaptionPromptConfig", {"adapter_len": 2, "adapter_layers": 1, "task_type": "CAUSAL_LM"}),
}
