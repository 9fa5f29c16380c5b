"""Draws the README's picture: a fortnight of a student who is not real, priced by the catalogue.

python tests/readme_picture.py notebooks/images/burn_down.png
"""

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import matplotlib
import pandas as pd

from swsllm_nb import burn_down
from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import PICO_PER_USD, pico_from_usd
from swsllm_nb.pricing import cost
from swsllm_nb.wire import CALL_COLUMNS, Usage

BUDGET_USD = "5.00"
FIRST_DAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


def calls(seed: int = 7) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    cheap, dear, _ = default_catalogue().models
    left_pico = pico_from_usd(BUDGET_USD)
    for day in range(12):
        calls_today = rng.choice([0, 3, 8, 16, 24])
        minutes = sorted(rng.randint(0, 600) for _ in range(calls_today))
        for minute in minutes:
            model = rng.choice([cheap, dear, dear])
            usage = Usage(rng.randint(500, 30_000), rng.randint(200, 4_000))
            charged_pico = cost(model.prices, usage)
            left_pico -= charged_pico
            yield {
                "at": FIRST_DAY + timedelta(days=day, minutes=minute),
                "model": model.id,
                "cost_usd": float(Decimal(charged_pico) / PICO_PER_USD),
                "remaining_usd": float(Decimal(left_pico) / PICO_PER_USD),
                "cost_source": "proxy",
                "status": "ok",
            }


def main(path: str) -> None:
    matplotlib.use("agg")
    frame = pd.DataFrame(calls()).reindex(columns=list(CALL_COLUMNS))
    axes = burn_down(frame, budget_usd=BUDGET_USD)
    figure = axes.get_figure()
    assert figure is not None
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
