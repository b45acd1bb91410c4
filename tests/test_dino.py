"""DINO: its loss by hand, what the teacher follows, what the centre does, and that collapse can be seen."""

import math

import pytest
import torch
from torch.nn import functional as F
from transformers import ViTConfig, ViTModel

from essparse_lib.training.dino import Dino, ProjectionHead

SHAPE = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4
)


@pytest.fixture
def dino():
    torch.manual_seed(0)
    return Dino(ViTModel(ViTConfig(**SHAPE), add_pooling_layer=False), outputs=10, momentum=0.9)


def views(images=6, progress=0.5):
    torch.manual_seed(1)
    return {
        "large": torch.randn(images, 2, 3, 8, 8),
        "small": torch.randn(images, 3, 3, 4, 4),
        "progress": torch.full((images,), progress),
    }


def scores(model, head, image):
    token = model(pixel_values=image[None], interpolate_pos_encoding=image.shape[-1] != 8).last_hidden_state[:, 0]
    return head(token)[0]


def test_the_loss_is_the_papers(dino):
    batch = views(images=2)
    dino.eval()
    dino.centre.normal_()
    with torch.no_grad():
        loss, count = 0.0, 0
        for n in range(2):
            every = [*batch["large"][n], *batch["small"][n]]
            for i in range(2):  # the teacher's views
                target = scores(dino.teacher, dino.teacher_head, every[i]) - dino.centre
                target = (target / 0.04).softmax(-1)
                for j in range(5):
                    if i != j:
                        prediction = (scores(dino.student, dino.head, every[j]) / 0.1).log_softmax(-1)
                        loss, count = loss - float((target * prediction).sum()), count + 1
        assert float(dino(**batch).loss) == pytest.approx(loss / count, rel=1e-4)


def test_without_small_views_there_are_two_pairs_an_image(dino):
    batch = views()
    dino.eval()
    with torch.no_grad():
        assert math.isfinite(dino(**{**batch, "small": batch["small"][:, :0]}).loss)


def test_the_teacher_follows_while_training_and_only_then(dino):
    batch = views(progress=0.25)
    before = [p.clone() for p in dino.teacher.parameters()]
    with torch.no_grad():
        for parameter in dino.student.parameters():
            parameter += 1
    dino.eval()
    dino(**batch)
    assert all(torch.equal(b, p) for b, p in zip(before, dino.teacher.parameters(), strict=True))
    dino.train()
    dino(**batch)
    moved = 0.1 * (math.cos(math.pi * 0.25) + 1) / 2  # 1 − momentum, on its way to 0
    for b, p in zip(before, dino.teacher.parameters(), strict=True):
        torch.testing.assert_close(p, b + moved)
    last = [p.clone() for p in dino.teacher.parameters()]
    dino(**views(progress=1.0))
    assert all(torch.equal(b, p) for b, p in zip(last, dino.teacher.parameters(), strict=True))


def test_the_student_alone_gets_gradients(dino):
    dino(**views()).loss.backward()
    assert all(p.grad is None for part in (dino.teacher, dino.teacher_head) for p in part.parameters())
    assert all(p.grad is not None for part in (dino.student, dino.head) for p in part.parameters())


def test_the_centre_moves_towards_the_teachers_mean(dino):
    batch = views()
    with torch.no_grad():
        mean = dino._scores(dino.teacher, dino.teacher_head, batch["large"]).mean((0, 1))
    dino(**batch)
    torch.testing.assert_close(dino.centre, 0.1 * mean)
    dino.eval()
    dino(**batch)
    torch.testing.assert_close(dino.centre, 0.1 * mean)


def test_collapse_is_seen_in_the_entropies(dino):
    batch = views(images=32)
    dino.eval()
    mean_entropy, entropy_of_mean = dino.entropies(batch["large"])
    assert 0 <= mean_entropy <= entropy_of_mean <= math.log(10) + 1e-5
    with torch.no_grad():
        dino.centre[3] = -100.0  # one output dominates for all images
    assert dino.entropies(batch["large"]) == pytest.approx((0, 0), abs=1e-3)
    with torch.no_grad():  # every image has the same scores, which the centre removes
        dino.teacher_head.layers[-1].weight.zero_()
        dino.centre.copy_(dino.teacher_head(torch.zeros(1, 16))[0])
    assert dino.entropies(batch["large"]) == pytest.approx((math.log(10),) * 2, abs=1e-3)


@torch.no_grad()
def test_scores_are_cosines():
    head = ProjectionHead(8, 5).eval()
    cosines = head(torch.randn(7, 8))
    assert float(cosines.abs().max()) <= 1 + 1e-6
    narrow = F.normalize(head.layers(torch.ones(1, 8)), dim=-1)
    assert torch.allclose(head(torch.ones(1, 8)), narrow @ F.normalize(head.directions.weight, dim=-1).T, atol=1e-6)
