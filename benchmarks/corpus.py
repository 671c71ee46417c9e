"""Policies for a thousand services: what `gwc lint` and its peers are given to read."""

from __future__ import annotations

import json
import random
from pathlib import Path

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
owner: team-platform
listen: {http: "127.0.0.1:8080"}
identity:
  gateway_secret: {header: X-Gateway-Secret, secret: {env: GATEWAY_SECRET}}
  jwt: {issuer: "https://id.example.com/", audience: [shop], jwks: {file: keys.json}}
limits:
  - {per: ip, rate: 100000/min, burst: 2000}
defaults:
  auth: {any_of: [jwt]}
  timeouts: {connect: 1s, request: 15s, idle: 60s}
bounds:
  timeouts.request: {max: 120s}
  limits.ip: required
environments:
  prod:
    concurrency: 1000000
"""
KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "a",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
SERVICE = """\
# yaml-language-server: $schema=../schema/gwc-v1.json
apiVersion: gwc/v1
kind: Service
service: {name}
owner: team-{team}
description: The service {number} of the benchmark.
base_path: /{name}

upstream:
  endpoints:
    - url: http://{name}-a.internal:{port}
    - url: http://{name}-b.internal:{port}
  concurrency: 64
  breaker: {{failures: 9, open: 10s}}
  health: {{path: /readyz, every: 5s}}

timeouts:
  connect: 1s
  request: 10s
  idle: 60s
retries:
  attempts: 2
  when: [connect, reset, 502, 503, 504]
  per_try: 3s
  backoff:
    base: 25ms
    max: 250ms
  budget: 20%

limits:
  - per: ip
    rate: 300/min
    burst: 60
  - per: user
    rate: 120/min
    burst: 30
    mode: shadow

headers:
  request:
    set: {{X-Team: team-{team}}}
    remove: [X-Debug]
  response:
    remove: [X-Powered-By, X-Runtime]

routes:
"""
READ = """\
  - name: read-{number}
    path: /v1/things-{number}/{{id}}
    methods: [GET, HEAD]
    cache:
      ttl: {ttl}s
      scope: user
"""
WRITE = """\
  - name: write-{number}
    path: /v1/things-{number}
    methods: [POST]
    retries: none
    limits:
      - {{per: user, rate: {rate}/min, burst: 5}}
"""
PRODUCTION = """\
environments:
  prod:
    upstream:
      concurrency: 256
"""


def write(directory: Path, services: int) -> None:
    """A platform, its keys, and as many services of 5 to 14 routes; the same ones for the same number."""
    chance = random.Random(services)
    directory.mkdir(parents=True)
    (directory / "keys.json").write_text(json.dumps({"keys": [KEY]}), encoding="utf-8")
    (directory / "platform.yaml").write_text(PLATFORM, encoding="utf-8")
    for number in range(services):
        (directory / f"service-{number:04}.yaml").write_text(_service(number, chance), encoding="utf-8")


def _service(number: int, chance: random.Random) -> str:
    name, team = f"service-{number:04}", chance.randrange(40)
    kinds = [chance.choice((READ, WRITE)) for _ in range(chance.randint(5, 14))]
    routes = (
        kind.format(number=index, ttl=chance.randint(5, 60), rate=chance.randint(10, 90))
        for index, kind in enumerate(kinds)
    )
    head = SERVICE.format(name=name, team=team, number=number, port=8000 + number % 1000)
    return head + "".join(routes) + PRODUCTION
