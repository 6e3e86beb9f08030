"""Results → report.json, junit.xml, index.html (one self-contained page with pictures)."""

from exporter.report.write import write_report

__all__ = ["write_report"]
