"""The alerts and the board ask for figures that exist, and every alert leads to what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from payments.services import figures
from tests.outside import ON_SQLITE
from tests.servers import REPOSITORY
from tests.test_docs import anchors, words_in_code_font

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
ELSEWHERE = {"up", "probe_success", "probe_ssl_earliest_cert_expiry", "node_systemd_unit_state"}
"""Prometheus' own, the blackbox exporter's, the node exporter's."""

WORDS = frozenset(
    {
        *(
            "sum",
            "max",
            "min",
            "rate",
            "increase",
            "histogram_quantile",
            "absent",
            "time",
            "vector",
        ),
        *("by", "on", "and", "or", "unless", "offset"),
    }
)
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
MATCHED = re.compile(r"\{([^}]*)\}")


@cache
def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@cache
def panels() -> list[dict[str, Any]]:
    board = json.loads((REPOSITORY / "deploy" / "grafana" / "paychime.json").read_text())
    found: list[dict[str, Any]] = board["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", []))


def figures_of(expression: str) -> set[str]:
    """The names that are neither words of the language nor labels."""
    plain = GROUPED.sub("", MATCHED.sub("", expression))
    plain = re.sub(r"\[\w+\]|\boffset \w+", "", plain)
    return set(re.findall(r"\b[a-z_]+\b", plain)) - WORDS


def labels_of(name: str) -> set[str]:
    """Of a figure of ours."""
    for one in vars(figures).values():
        if isinstance(one, (Counter, Gauge, Histogram)):
            (metric,) = one.describe()
            if name.startswith(metric.name):
                return set(one._labelnames)  # no public name tells them before the first value
    return set()


@ON_SQLITE
def test_whatever_is_asked_for_is_told(app: Flask) -> None:
    told = app.test_client().get("/metrics").get_data(as_text=True)
    exported = {
        name
        for family in text_string_to_metric_families(told)
        for name in (
            *(sample.name for sample in family.samples),
            *(f"{family.name}{end}" for end in ("_total", "_bucket") if family.type != "gauge"),
        )
    }
    asked = set().union(*map(figures_of, expressions()))
    assert len(asked) > 20
    assert asked - exported == ELSEWHERE


def test_whatever_is_asked_for_is_documented() -> None:
    asked = set().union(*map(figures_of, expressions()))
    bare = {name.removesuffix("_bucket") for name in asked}
    assert bare - words_in_code_font() == set()


def test_figures_are_asked_for_by_labels_that_they_have() -> None:
    given = {"job", "instance", "le"}
    checked = 0
    for expression in expressions():
        names = {name for name in figures_of(expression) if name.startswith("paychime_")}
        asked = {
            label.strip() for group in GROUPED.findall(expression) for label in group.split(",")
        }
        for matchers in MATCHED.findall(expression):
            asked |= set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", matchers))
        asked -= given | {""}
        if names and asked:
            assert asked <= set().union(*map(labels_of, names)), expression
            checked += 1
    assert checked > 15


@ON_SQLITE
def test_the_callbacks_of_the_alert_are_all_there_are(app: Flask) -> None:
    (rule,) = (one for one in alerts() if one["alert"] == "PaychimeCallbacksFail")
    (pattern,) = set(re.findall(r'endpoint=~"([^"]+)"', rule["expr"]))
    matched = {
        name for name in app.view_functions if re.fullmatch(pattern.replace("\\\\", "\\"), name)
    }
    assert matched == {
        f"web.{name}" for name in ("callback", "momo_callback", "campay_callback")
    } | {"web.payment_webhook"}


def test_every_alert_says_how_bad_it_is_and_leads_to_what_to_do() -> None:
    page = REPOSITORY / "docs" / "operate.md"
    for rule in alerts():
        name = rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert rule["annotations"]["summary"].endswith((".", "?")), name
        assert rule["annotations"]["runbook"] == f"docs/operate.md#{name.lower()}"
        assert name.lower() in anchors(page), name
    sections = re.findall(r"^#+ (Paychime[A-Z]\w+)$", page.read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in alerts()]


def test_the_panels_of_the_board_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="Prometheus' own tool is not here")
@pytest.mark.parametrize(
    "command",
    ["check config prometheus.yml", "check rules rules.yml", "test rules rules_test.yml"],
)
def test_prometheus_takes_them(command: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *command.split()], cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
