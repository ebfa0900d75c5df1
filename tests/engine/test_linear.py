"""Tests for CPU linear layers: results match nn.Linear, and packed weights use no extra memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from playground.engine import linear
from playground.engine.linear import Linears


class Small(nn.Module):
    """An output layer tied to the embeddings, as small models have it, and two layers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(300, 48)
        self.wide = nn.Linear(48, 130)
        self.narrow = nn.Linear(130, 48, bias=False)
        self.head = nn.Linear(48, 300, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.narrow(self.wide(x)))
        return y


needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="no oneDNN here",
)


@pytest.fixture(
    params=["intel-avx512", "other, small weights", pytest.param("other, large weights", marks=needs_onednn)]
)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "intel_with_avx512", lambda: request.param == "intel-avx512")
    monkeypatch.setattr(linear, "LARGE", 1 if "large" in request.param else 10**9)


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 1), (4, 1), (9, 1), (16, 1), (1, 77), (3, 40)])
def test_every_number_of_rows_gives_the_layers_own_product(processor: None, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = Small()
    x = torch.randn(*shape, 48)
    want = model(x)
    Linears(model)
    torch.testing.assert_close(model(x), want, atol=1e-5, rtol=1e-4)


@needs_onednn
def test_what_is_packed_is_there_once_and_comes_back_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "LARGE", 1)
    monkeypatch.setattr(linear, "intel_with_avx512", lambda: False)
    model = Small()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    linears = Linears(model)
    for layer in (model.wide, model.narrow):
        assert layer.weight.untyped_storage().nbytes() == 4, "the usual order is freed"
        assert layer.weight.isnan().all(), "and what is left cannot pass for the weights"
    assert model.head.weight is model.embed.weight
    torch.testing.assert_close(model.embed.weight, before["embed.weight"], atol=0, rtol=0)
    linears.remove()
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, before[name], atol=0, rtol=0)


def test_layers_that_are_to_be_left_alone_are(processor: None) -> None:
    model = Small()
    Linears(model, leave=[model.wide])
    assert "forward" not in vars(model.wide)
    assert "forward" in vars(model.narrow)
