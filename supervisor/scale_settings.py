"""How many workers there shall be, and whether the supervisor drains those that are too many."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sessions.settings import StoreSettings
from supervisor.scale import LONGEST_SCALE_IN_S, ScaleRules


class ScaleSettings(StoreSettings):
    """What the number of workers goes by; docs/scaling.md explains it."""

    scale_reserve: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="How many places shall always be free, for calls that come before another "
        "worker does; unset: a fifth of the load, or what it grew by within a minute of the last "
        "half hour.",
    )
    scale_min_workers: int = Field(
        1, ge=0, le=10_000, description="So many workers are wanted at least."
    )
    scale_max_workers: int = Field(
        100, ge=1, le=10_000, description="So many workers are wanted at most."
    )
    scale_in_after_s: float = Field(
        300.0,
        ge=0,
        le=LONGEST_SCALE_IN_S,
        description="Fewer workers are wanted once fewer were enough for so long; in steps of a "
        "minute.",
    )
    scale_in: bool = Field(
        False,
        description="Whether the supervisor drains workers that are not wanted any more, the "
        "emptiest first, and lets them take calls again when they are.",
    )
    scale_in_interval_s: float = Field(
        2.0, gt=0, le=300, description="How often it looks whether there are too many, or too few."
    )
    scale_in_pause_s: float = Field(
        60.0, ge=0, le=3600, description="How long after one worker the next one is drained."
    )

    @property
    def scale_rules(self) -> ScaleRules:
        """What the number of workers is worked out by."""
        return ScaleRules(
            reserve=self.scale_reserve,
            min_workers=self.scale_min_workers,
            max_workers=self.scale_max_workers,
            worker_capacity=self.worker_capacity,
            scale_in_after_s=self.scale_in_after_s,
        )

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.scale_min_workers > self.scale_max_workers:
            raise ValueError("SCALE_MAX_WORKERS must be SCALE_MIN_WORKERS or more")
        return self
