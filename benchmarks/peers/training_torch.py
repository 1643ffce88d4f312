"""The same networks in PyTorch. Arguments: architecture, tracks, and `eager` or `compile`."""

import sys

import torch
from serve import serve
from torch import Tensor, nn
from tracks import BANDS, BATCH, CHUNKS, FRAMES, LABELS, make_tracks

architecture, count, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Network(nn.Module):
    """(tracks, CHUNKS, BANDS, FRAMES) to scores: of each chunk, or of the track where there is an LSTM."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.channels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(1, 32, kernel), nn.ReLU(), nn.MaxPool2d(pool), nn.Flatten())
            for kernel, pool in (((1, 60), (40, 1)), ((32, 1), (1, 80)), ((13, 9), (4, 4)))
        )
        self.fusion = nn.Sequential(nn.Dropout(0.5), nn.LazyLinear(400), nn.ReLU())
        self.lstm = nn.LSTM(400, 200, batch_first=True) if architecture == "mcclstm" else None
        if self.lstm is not None:  # it has two biases, which are added; the others have one
            nn.init.zeros_(self.lstm.bias_hh_l0.requires_grad_(False))
        self.scores = nn.Sequential(nn.Dropout(0.5), nn.LazyLinear(LABELS))

    def forward(self, chunks: Tensor) -> Tensor:
        """Read every chunk, then the sequence."""
        image = chunks.reshape(-1, 1, BANDS, FRAMES)
        x = self.fusion(torch.cat([channel(image) for channel in self.channels], dim=1))
        x = x.reshape(-1, CHUNKS, 400)
        return self.scores(x if self.lstm is None else self.lstm(x)[0][:, -1])


chunks, labels = map(torch.from_numpy, make_tracks(count))
network = Network()
network(chunks[:1])  # the lazy layers learn their sizes
parameters = [weight for weight in network.parameters() if weight.requires_grad]
optimizer = torch.optim.Adam(parameters, 1e-3, fused=True)
scores_of = torch.compile(network) if mode == "compile" else network


def step(batch: Tensor) -> float:
    """Train on the tracks of these numbers."""
    scores = scores_of(chunks[batch])
    truth = labels[batch] if scores.ndim == 2 else labels[batch].repeat_interleave(CHUNKS)
    loss = nn.functional.cross_entropy(scores.reshape(-1, LABELS), truth)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def work() -> dict[str, float]:
    """Train for an epoch."""
    losses = [step(batch) for batch in torch.randperm(count).split(BATCH)]
    return {"parameters": sum(weight.numel() for weight in parameters), "loss": sum(losses) / len(losses)}


serve(work)
