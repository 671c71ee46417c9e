"""What Envoy complains of, without the configuration that it repeats."""

from __future__ import annotations

import re


def redact(complaint: str) -> str:
    """The reason on one line: no quoted text, no braces."""
    if rule := re.search(r"caused by ([^|{}\"]*(field: \"\w+\", reason: [^)]*)?)\)?\s*\Z", complaint):
        return rule[1].strip()[:200]
    lines = [line for line in complaint.splitlines() if line.strip()]
    text = re.sub(r"^\[[^\]]*\](\[[^\]]*\])*\s*", "", lines[0]) if lines else "no reason given"
    text = re.sub(r"error initializing config(uration)? '[^']*':?", "", text)
    text = re.split(r"[{\"]", text, maxsplit=1)[0]
    return re.sub(r"\s+", " ", text).strip(" :.")[:200] or "no reason that could be shown"
