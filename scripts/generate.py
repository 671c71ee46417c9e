"""Write every file of the repository that is made from the code; the tests fail while one of them is out of date.

python scripts/generate.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import accept
from gwc.discovery import load_targets
from gwc.lint.registry import RULES
from gwc.lint.rule import Rule, documentation, page
from gwc.observability import access_log
from gwc.policy.schema import json_schema
from gwc.report import matrix
from gwc.testing.schema import json_schema as tests_schema
from reference import reference

REPOSITORY = Path(__file__).parents[1]
SUPPORT = """# What each gateway keeps

This page is the output of `gwc support --format markdown`. **exact**: the gateway does what
[the language](policy.md) says. **approximate**: a weaker bound holds, stated below; compiling warns until the platform
accepts it. **unsupported**: compiling fails with exit code 3 until the platform accepts that it is left out. An
asterisk: it depends on the value, see below.

"""


def schema() -> str:
    """The output of `gwc schema`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def schema_of_tests() -> str:
    """The output of `gwc schema tests`."""
    return json.dumps(tests_schema(), indent=2, ensure_ascii=False) + "\n"


def support() -> str:
    tables = [one.target.support(profile) for one in load_targets(()) for profile in one.target.profiles]
    return SUPPORT + matrix.as_markdown(tables)


RULES_INDEX = """# Rules

What `gwc lint` looks for, one page each; `gwc rule CODE` prints the same. Each example is found by its rule, and what
to use instead is not: the tests run both.

| code | name | severity | finds |
|---|---|---|---|
"""


def rules() -> str:
    return RULES_INDEX + "".join(map(_row, RULES))


def _row(rule: type[Rule]) -> str:
    said = documentation(rule).summary.rstrip(".")
    return f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity.word} | {said} |\n"


GENERATED: dict[Path, Callable[[], str]] = {
    REPOSITORY / "policies/platform.yaml": accept.platform_policy,
    REPOSITORY / "schema/gwc-v1.json": schema,
    REPOSITORY / "schema/gwc-tests-v1.json": schema_of_tests,
    REPOSITORY / "schema/access-log-v1.json": access_log.schema_text,
    REPOSITORY / "docs/support.md": support,
    REPOSITORY / "docs/reference.md": reference,
    REPOSITORY / "docs/rules/README.md": rules,
    **{REPOSITORY / f"docs/rules/{rule.code}.md": partial(page, rule) for rule in RULES},
}


def main() -> None:
    for path, text in GENERATED.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
