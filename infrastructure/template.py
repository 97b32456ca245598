"""Where the template is, and what SAM made of it last."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "template.yaml"
TRANSFORMED = ROOT / "tests" / "infrastructure" / "transformed.json"
DIGEST = "template_sha256"
"""Under `Metadata` of the transformed template: of what it was made."""


def digest(template: str) -> str:
    """What tells one template from another."""
    return hashlib.sha256(template.encode()).hexdigest()
