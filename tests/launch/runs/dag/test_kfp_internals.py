"""What is used of kfp without being its public interface is there, and is used in one module."""

import pkgutil
import re

import pytest

from components.images import ROOT
from launch.runs.dag.kfp_internals import REPLACED, USED, load_dispatcher, replacing

PRIVATE = re.compile(r"^\s*(?:from|import) (kfp\.(?:dsl\.\w+|local\.\w+)[\w.]*)", re.MULTILINE)


@pytest.mark.parametrize("name", [*USED, *REPLACED])
def test_kfp_has_the_name(name: str) -> None:
    load_dispatcher(containers=True)  # an earlier test's run may have left it without
    assert pkgutil.resolve_name(name) is not None or name.endswith(".instance")


def test_no_other_module_imports_a_private_name() -> None:
    found = {str(path.relative_to(ROOT)): PRIVATE.findall(path.read_text()) for path in (ROOT / "launch").rglob("*.py")}
    assert [path for path, names in found.items() if names] == ["launch/runs/dag/kfp_internals.py"]


def test_what_is_replaced_is_put_back_even_after_an_error() -> None:
    name = "kfp.local.cache.get_local_cache"
    original = pkgutil.resolve_name(name)
    with pytest.raises(RuntimeError, match="inside"), replacing({name: lambda kfps: [kfps]}):
        assert pkgutil.resolve_name(name) == [original]
        raise RuntimeError("inside")
    assert pkgutil.resolve_name(name) is original
