"""Say which part of a block a matrix is, by the names that the common families of transformers give their modules."""

from __future__ import annotations

#: The last parts of the names, by role. Longer endings are looked up first. They are the names of (in this order) BERT,
#: Llama and OPT, MPNet and T5, DistilBERT, DeBERTa, XLNet and Funnel, RWKV, and of the fused projections, whose parts
#: ``layouts`` tells apart.
_COMPONENTS = {
    "query": (
        *("query", "q_proj", "attn.q", "q", "q_lin", "query_proj", "q_head", "q_attn", "wq", "to_q", "q_proj_weight"),
        *("q_a_proj", "q_b_proj"),
    ),
    "key": ("key", "k_proj", "attn.k", "k", "k_lin", "key_proj", "k_head", "wk", "to_k", "k_proj_weight"),
    "value": ("value", "v_proj", "attn.v", "v", "v_lin", "value_proj", "v_head", "wv", "to_v", "v_proj_weight"),
    "key, value": ("kv_proj", "kv_a_proj_with_mqa", "kv_b_proj", "to_kv", "kv"),
    "query, key, value": (
        *("c_attn", "qkv", "qkv_proj", "Wqkv", "query_key_value", "in_proj_weight", "W_pack", "in_proj_qkv"),
        *("attention.self.in_proj", "to_qkv"),
    ),
    "attention output": (
        *("attention.output.dense", "crossattention.output.dense", "out_proj", "o_proj", "attn.o", "attn.c_proj", "o"),
        *("crossattention.c_proj", "attention.out_lin", "attention.dense", "self_attention.dense", "attn.Wo"),
        *("attn.proj", "post_proj", "attention.output", "attention.projection", "wo_proj", "linear_out", "to_out.0"),
        *("attention_output.dense", "attention.proj", "attn.out_lin", "self_attn.proj", "out_lin"),
    ),
    "position": ("r_proj", "pos_proj", "pos_q_proj", "pos_key_proj", "pos_query_proj", "rel_attn.r", "r_kernel"),
    "intermediate": (
        *("intermediate.dense", "fc1", "up_proj", "gate_proj", "mlp.c_fc", "gate_up_proj", "ffn.lin1", "lin1", "ffn"),
        *("dense_h_to_4h", "mlp.Wi", "mlp.fc_in", "linear1", "layer_1", "wi", "wi_0", "wi_1", "ffn.linear_1"),
        *("intermediate_dense", "linear_1", "w1", "w3", "v1", "weights_in", "pwconv1", "mlp.fc", "c_fc", "experts.w1"),
        *("mlp.w12", "feed_forward.w1", "pointwise_conv1", "input_linear", "mlp.gate", "mlp.up", "fc11", "fc12"),
    ),
    "output": (
        *("output.dense", "fc2", "down_proj", "mlp.c_proj", "ffn.lin2", "lin2", "ffn_output", "dense_4h_to_h"),
        *("mlp.Wo", "mlp.fc_out", "linear2", "layer_2", "DenseReluDense.wo", "mlp.wo", "wo", "ffn.linear_2"),
        *("output_dense", "linear_2", "w2", "weights_out", "pwconv2", "mlp.w3", "pointwise_conv2", "output_linear"),
        *("feed_forward.w2", "mlp.down", "mlp.proj"),
    ),
    "input projection": ("mixer.in_proj", "mamba.in_proj", "mamba.in_proj_states"),
    "selection": ("mixer.x_proj", "mamba.x_proj", "mamba.x_proj_weight"),
    "time step": ("mixer.dt_proj", "mamba.dt_proj", "mamba.dt_proj_weight"),
    "output projection": ("mixer.out_proj", "mamba.out_proj"),
    "receptance": ("receptance",),
}
_ENDINGS = sorted(
    ((ending, component) for component, endings in _COMPONENTS.items() for ending in endings),
    key=lambda pair: -len(pair[0]),
)

#: The components that read the hidden states in attention.
ATTENTION = frozenset({"query", "key", "value", "key, value", "query, key, value"})


def component_of(name: str) -> str:
    """Return the role of a matrix from the name of its module inside the block, or ``other``.

    Args:
        name: such as ``attention.self.query``; of a parameter that is not called ``weight``, with its own name.

    >>> component_of("attention.self.query"), component_of("mlp.experts.down_proj"), component_of("mlp.mystery")
    ('query', 'output', 'other')
    """
    for ending, role in _ENDINGS:
        if name == ending or name.endswith(f".{ending}"):
            return role
    return "other"
