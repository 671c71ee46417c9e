"""`python -m storyline [-t envoy|nginx|kong] [--model auto|double|smollm2]`

Exits with 1 where something is not as the policies say, with 4 where something to run is missing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import httpx

from gwc.discovery import load_targets
from gwc.target import Engine, EngineMissingError, Target
from storyline import acts, trouble
from storyline.models import Model, chosen
from storyline.stage import HOST, UNITS, Stage, stage
from storyline.telling import Teller

STORY: tuple[acts.Act, ...] = (
    acts.the_edge_keeps_the_text,
    acts.the_gateway_knows_who_asks,
    acts.an_answer_streams_and_is_paid_for,
    acts.one_trace_goes_through_both,
    trouble.one_user_asks_too_often,
    trouble.a_budget_is_spent,
    trouble.the_model_fails,
    trouble.a_failed_dependency_is_not_the_services_bad_health,
    trouble.the_model_is_back,
)


def told(target: Target, engine: Engine, model: Model, directory: Path) -> Teller:
    """The whole story on one gateway. Raises EngineMissingError or RuntimeError where it cannot begin."""
    tell = Teller()
    with stage(target, engine, model, directory) as running:
        introduced(running, tell)
        for act in STORY:
            played(act, running, tell)
    return tell


def played(act: acts.Act, running: Stage, tell: Teller) -> None:
    """An answer that cannot even be read is an observation, too; the story goes on."""
    try:
        act(running, tell)
    except (LookupError, ValueError, httpx.HTTPError) as error:
        tell.check("every answer can be read", False, repr(error))


def introduced(running: Stage, tell: Teller) -> None:
    print(
        f"\n{running.target.name} runs policies/ at {running.edge.base_url} as {HOST}; behind it the AssistantService."
    )
    tell.say(f"Its model is {running.model.about}.")
    tell.say(f"Of the policies only this is other here: addresses, the signing key, all traces, a budget of {UNITS}.")


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # nothing that was started stays behind
    try:
        model, target = chosen(options.model), load_targets([options.target])[0].target
        with tempfile.TemporaryDirectory(prefix="gwc-story-") as directory:
            tell = told(target, target.engine, model, Path(directory))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (EngineMissingError, ModuleNotFoundError, RuntimeError) as missing:
        print(f"the story cannot be told: {missing}", file=sys.stderr)
        return 4
    return verdict(tell)


def verdict(tell: Teller) -> int:
    """Prints it, and what was wrong; the exit code."""
    print(f"\n{tell.checked - len(tell.wrong)} of {tell.checked} observations are what the policies say.")
    for one in tell.wrong:
        print(f"  WRONG in act {one}")
    return 1 if tell.wrong else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/story", description="The service behind a real gateway, step by step."
    )
    parser.add_argument("-t", "--target", choices=("envoy", "nginx", "kong"), default="envoy", help="the gateway")
    models = ("auto", "double", "smollm2")
    parser.add_argument(
        "--model", choices=models, default="auto", help="auto: the real small one where it is installed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
