"""Our lists keep the promises of targets/README.md."""

import csv
import re
import tomllib
from pathlib import Path

import pytest

from probe.inputs.categories import BY_CODE, CATEGORIES
from probe.inputs.folders import data_folder
from probe.inputs.targets import whole_list
from probe.model.target import parse_target

FOLDER = data_folder("targets")
COLUMNS = ["url", "category_code", "category_description", "date_added", "source", "notes"]
LISTS = sorted(FOLDER.glob("*.csv"))
EACH = pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
EMPTY_ON_PURPOSE = {"PORN", "PROV", "HATE", "MILX"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        assert reader.fieldnames == COLUMNS
        return list(reader)


@EACH
def test_every_row_is_whole(path: Path) -> None:
    for row in rows(path):
        target = parse_target(row["url"])
        assert target.normal == row["url"], row["url"]
        assert row["category_description"] == BY_CODE[row["category_code"]].description, row["url"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["date_added"]), row["url"]
        assert re.match(r"https?://[^\s/]+/\S*$", row["source"]), row["url"]
        assert row["notes"] and len(row["notes"]) <= 120, row["url"]


@EACH
def test_sites_not_pages_and_each_once(path: Path) -> None:
    whole = whole_list(path)
    assert whole.errors == () and len(whole.targets) == len(rows(path))
    assert all(p.target.normal.count("/") == 3 for p in whole.targets)
    assert not {p.category for p in whole.targets} & EMPTY_ON_PURPOSE


@EACH
def test_bytes_are_plain(path: Path) -> None:
    data = path.read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf") and b"\r" not in data and data.endswith(b"\n")


def test_sizes_that_the_readme_promises() -> None:
    assert len(rows(FOLDER / "pk.csv")) >= 150 and len(rows(FOLDER / "global.csv")) >= 200


def test_one_site_in_two_lists_has_one_category() -> None:
    codes: dict[str, set[str]] = {}
    for path in LISTS:
        for row in rows(path):
            codes.setdefault(row["url"], set()).add(row["category_code"])
    assert {url for url, found in codes.items() if len(found) > 1} == set()


def test_control_content_is_canaries() -> None:
    assert all("canary" in row["notes"] for path in LISTS for row in rows(path) if row["category_code"] == "CTRL")


def test_the_readme_tells_the_same_categories_and_gates() -> None:
    if not (FOLDER / "README.md").exists():
        pytest.skip("an installed package carries no README")
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    told = {
        m[1]: (m[2].strip(), m[3] == "yes") for m in re.finditer(r"(?m)^\| ([A-Z]{2,5}) \| ([^|]+)\| (yes|no) \|", text)
    }
    assert told == {c.code: (c.description, bool(c.gated)) for c in CATEGORIES}


def test_services_are_hosts_that_stand_once() -> None:
    services = tomllib.loads((FOLDER / "services.toml").read_text(encoding="utf-8"))["service"]
    hosts = [host for service in services for host in service["hosts"]]
    assert len(hosts) == len(set(hosts)) and len({s["id"] for s in services}) == len(services)
    for service in services:
        assert re.fullmatch(r"[a-z0-9-]+", service["id"]) and service["name"] and len(service["hosts"]) >= 2
        assert all(parse_target(host).host == host for host in service["hosts"])
