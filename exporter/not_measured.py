"""A measurement that is absent, and why."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.errors import ExportError, LostWorker


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A measurement that is absent, and why. Never a pass. `lost`: with its worker; another run may have it."""

    reason: str
    lost: bool = False

    @classmethod
    def because(cls, error: ExportError) -> NotMeasured:
        return cls(str(error), isinstance(error, LostWorker))

    def as_json(self) -> dict[str, str]:
        return {"not_measured": self.reason}
