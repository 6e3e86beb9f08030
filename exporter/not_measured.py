"""A measurement that is absent, and why."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import ExportError, LostWorker


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A measurement that is absent, and why. Never a pass.

    `failed`: because something went wrong, which the next run may fare better with; `lost`: its worker was.
    """

    reason: str
    failed: bool = False
    lost: bool = False

    @classmethod
    def because(cls, error: ExportError) -> NotMeasured:
        return cls(str(error), failed=True, lost=isinstance(error, LostWorker))

    def as_json(self) -> dict[str, str]:
        return {"not_measured": self.reason}
