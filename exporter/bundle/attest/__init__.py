"""What a bundle is made of and how it was made, in the words of two standards: CycloneDX and in-toto."""

from exporter.bundle.attest.problems import attestation_problems
from exporter.bundle.attest.write import write_attestations

__all__ = ["attestation_problems", "write_attestations"]
