"""Spend per model and day as stacked bars: where each bar goes, for a template to draw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

__all__ = ["OTHER", "DailySpend", "Stack", "Stacks", "stacked"]

OTHER: Final = ""
"""The name of what is drawn together because there are too many models for a picture."""

_COLOURS = 6
_MOST_BARS = 62
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class DailySpend:
    """What one model cost on one day, in pico-dollars; '' is what belongs to no model."""

    day: date
    model: str
    amount_pico: int


@dataclass(frozen=True)
class Stack:
    """A model's bars as an SVG path, and what they cost together."""

    model: str
    path: str
    amount_pico: int


@dataclass(frozen=True)
class Stacks:
    """A picture of ``width`` by ``height``; the largest model lies at the bottom.

    ``lines`` are heights with the pico-dollars they stand for, ``labels`` the days below the bars.
    A bar is ``bar_days`` long: one day, or more where there are too many days for a picture.
    """

    width: int
    height: int
    stacks: Sequence[Stack]
    lines: Sequence[tuple[float, int]]
    labels: Sequence[tuple[float, date]]
    bar_days: int


def stacked(
    spend: Iterable[DailySpend], begins: date, ends: date, *, width: int = 400, height: int = 150
) -> Stacks:
    """The days from ``begins`` to ``ends``, both included. Credits count as nothing spent."""
    days = (ends - begins).days + 1
    bar_days = -(-days // _MOST_BARS)
    bars = -(-days // bar_days)
    models = _by_model([row for row in spend if begins <= row.day <= ends], begins, bar_days, bars)
    totals = [sum(column) for column in zip(*models.values(), strict=True)] or [0] * bars
    step_pico = _step(max(totals))
    top_pico = -(-max(totals) // step_pico) * step_pico or step_pico
    scale = height / top_pico
    bar = width / bars
    below = [0] * bars
    stacks = []
    for model, amounts in models.items():
        path = "".join(
            _rectangle(at * bar, height - base * scale, bar * 0.8, amount * scale)
            for at, (base, amount) in enumerate(zip(below, amounts, strict=True))
            if amount
        )
        below = [base + amount for base, amount in zip(below, amounts, strict=True)]
        stacks.append(Stack(model, path, sum(amounts)))
    lines = [(round(height - pico * scale, 1), pico) for pico in range(0, top_pico + 1, step_pico)]
    return Stacks(width, height, stacks, lines, _labels(begins, bars, bar_days, bar), bar_days)


def _by_model(
    spend: Sequence[DailySpend], begins: date, bar_days: int, bars: int
) -> dict[str, list[int]]:
    """Each model's amounts per bar, the dearest model first, the cheapest ones in one."""
    models: dict[str, list[int]] = {}
    for row in spend:
        amounts = models.setdefault(row.model or OTHER, [0] * bars)
        amounts[(row.day - begins).days // bar_days] += max(0, row.amount_pico)
    ranked = sorted(models, key=lambda model: (model == OTHER, -sum(models[model]), model))
    shown = {model: models[model] for model in ranked[: _COLOURS - 1] if any(models[model])}
    rest = [models[model] for model in ranked[_COLOURS - 1 :] if any(models[model])]
    if rest:
        rest += [shown.pop(OTHER)] if OTHER in shown else []
        shown[OTHER] = [sum(column) for column in zip(*rest, strict=True)]
    return shown


def _step(most_pico: int) -> int:
    """A round number of which at most five reach the top."""
    power: int = 10 ** max(0, len(str(most_pico)) - 2)
    wanted = (power * factor * step for factor in (1, 10, 100) for step in _STEPS)
    return next(step for step in wanted if step * 5 >= most_pico)


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v-{height:.1f}h-{width:.1f}z"


def _labels(begins: date, bars: int, bar_days: int, bar: float) -> list[tuple[float, date]]:
    every = -(-bars // 4)
    return [
        (round(at * bar, 1), begins + timedelta(days=at * bar_days)) for at in range(0, bars, every)
    ]
