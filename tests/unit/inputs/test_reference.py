"""Seeds into a Reference: right when they are right, one clear error when they are not."""

import shutil
from pathlib import Path

import pytest

from probe.inputs.folders import data_folder
from probe.inputs.reference import load_reference
from probe.model.errors import SeedError
from tests.tools.digest_seeds import main as redigest


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    shutil.copytree(data_folder("seeds"), folder)
    return folder


def change(seeds: Path, name: str, old: str, new: str, *, fresh: bool = True) -> None:
    """Replace a text in a seed file and, if `fresh`, bring its digest up to date."""
    text = (seeds / name).read_text(encoding="utf-8")
    assert old in text
    (seeds / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    if fresh:
        assert redigest(["--seeds", str(seeds)]) == 0


def test_ours_is_whole_and_cached() -> None:
    reference = load_reference()
    assert reference is load_reference()
    assert len(reference.default_resolvers) >= 3 and len(reference.canaries) >= 5
    assert reference.network_names[17557].startswith("PTCL")


def test_the_digest_follows_what_judging_depends_on(seeds: Path) -> None:
    before = load_reference(seeds).digest
    assert before == load_reference().digest
    change(seeds, "wsws-pakistan-2024.toml", "World Socialist", "World  Socialist")
    assert load_reference(seeds / ".").digest == before
    change(seeds, "fingerprints.toml", "because = ", "because  = ")
    assert load_reference(seeds / "." / ".." / "seeds").digest != before


def test_a_changed_file_is_refused(seeds: Path) -> None:
    change(seeds, "canaries.toml", "python.org", "pyth0n.example", fresh=False)
    with pytest.raises(SeedError, match=r"canaries\.toml: is not what the manifest"):
        load_reference(seeds)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("fingerprints.toml", "schema = 1", "schema = 2", "schema 2"),
        ("fingerprints.toml", 'kind = "blockpage"', 'kind = "blokpage"', "kind"),
        ("fingerprints.toml", "scope_asn = [45669]", 'scope_asn = ["45669"]', "scope_asn"),
        ("fingerprints.toml", 'id = "FP-PK-002"', 'id = "FP-PK-001"', "twice"),
        ("resolvers.toml", 'default = ["google"', 'default = ["goggle"', "goggle"),
        ("resolvers.toml", "[[resolver]]", "[[resolver]", "not TOML"),
        ("special_addresses.csv", "10.0.0.0/8", "10.0.0.1/8", "line 4"),
        ("special_addresses.csv", "RFC 1918,false", "RFC 1918,no", "line 4"),
        ("networks/pk.csv", "17557,", "AS17557,", "line 2"),
        ("canaries.toml", 'operator = "CERN"', "operator = 7", "operator"),
    ],
)
def test_malformed_seeds_say_where(seeds: Path, name: str, old: str, new: str, reason: str) -> None:
    change(seeds, name, old, new)
    with pytest.raises(SeedError, match=reason) as caught:
        load_reference(seeds)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_pattern_that_does_not_compile_is_named(seeds: Path) -> None:
    change(seeds, "fingerprints.toml", "pattern = 'prohibited for", "regex = true\npattern = '(prohibited for")
    with pytest.raises(SeedError, match="FP-PK-001: pattern"):
        load_reference(seeds)


def test_missing_pieces(seeds: Path, tmp_path: Path) -> None:
    (seeds / "resolvers.toml").unlink()
    with pytest.raises(SeedError, match=r"resolvers\.toml"):
        load_reference(seeds)
    with pytest.raises(SeedError, match="manifest"):
        load_reference(tmp_path / "nowhere")


def test_a_manifest_cannot_reach_outside(seeds: Path) -> None:
    change(seeds, "manifest.toml", 'path = "canaries.toml"', 'path = "../canaries.toml"', fresh=False)
    with pytest.raises(SeedError, match="outside"):
        load_reference(seeds)
