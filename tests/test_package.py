"""The package as a whole: which way its imports run, what each room does without, how long files and functions are."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import mcc_zoo

PACKAGE = Path(mcc_zoo.__file__).parent
ROOT = PACKAGE.parent
SOURCE_FOLDERS = ("mcc_zoo", "experiments", "benchmarks", "serving", "examples")
SOURCE_SUFFIXES = {".py", ".pyi", ".html", ".css", ".js", ".j2", ".jinja"}
MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION = 350, 60


def name_module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}
PACKAGES = sorted(name for name, path in MODULES.items() if path.name == "__init__.py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def walk(node: ast.AST, in_functions: bool) -> Iterator[ast.AST]:
    """Walk over the code that runs: without `if TYPE_CHECKING:`, and if asked without the bodies of functions."""
    yield node
    if is_type_checking(node):
        children: Iterable[ast.AST] = node.orelse
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not in_functions:
        children = ()
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from walk(child, in_functions)


def read_imports(path: Path, in_functions: bool = True) -> set[str]:
    """List the modules that a file imports, by their full names; `from package import module` counts as the module."""
    package = name_module(path) if path.stem == "__init__" else name_module(path).rpartition(".")[0]
    found = set()
    for node in walk(ast.parse(path.read_text(encoding="utf-8")), in_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            submodules = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else module for name in submodules}
    return found


@functools.cache
def imports_of(module: str, in_functions: bool) -> frozenset[str]:
    """List what is imported with a module: what its file imports, and the packages that these lie in."""
    imported = read_imports(MODULES[module], in_functions)
    packages = {".".join(name.split(".")[:end]) for name in imported for end in range(1, len(name.split(".")))}
    return frozenset(imported | packages)


def find_reach(modules: Iterable[str], in_functions: bool = False) -> set[str]:
    """List all modules that come with some of ours, directly or through others."""
    reached: set[str] = set()
    waiting = list(modules)
    assert waiting, "no modules to start from"
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imports_of(module, in_functions) if module in MODULES else ()
    return reached


def below(*rooms: str) -> list[str]:
    """List the modules of rooms; each is a file or a folder of the package."""
    found = [[name for name in MODULES if f"{name}.".startswith(f"mcc_zoo.{room}.")] for room in rooms]
    assert all(found), f"one of {rooms} is not there"
    return [name for names in found for name in names]


def external(reached: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in reached} - {"mcc_zoo"}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    """In each folder, the files and folders can be put in an order in which each imports from earlier ones only.

    The stub of a package that loads lazily counts as the package's imports.
    """
    graph: dict[str, set[str]] = {}
    files = [*MODULES.values(), *PACKAGE.rglob("*.pyi")]
    for path in files:
        if not f"{name_module(path)}.".startswith(f"{package}."):
            continue
        importer = child_of(package, name_module(path))
        inside = {name for name in read_imports(path) if f"{name}.".startswith(f"{package}.")}
        graph.setdefault(importer, set()).update({child_of(package, name) for name in inside} - {importer})
    assert graph
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"imports run in a circle in {package}: {' <- '.join(error.args[1])}")


def child_of(package: str, module: str) -> str:
    """Name the file or folder of a package that a module is or lies in; the package's own __init__ is one of them."""
    return module.removeprefix(package).split(".")[1] if module != package else "__init__"


def test_the_rooms_know_each_other() -> None:
    """The test above is not empty: it sees imports between rooms, in functions and through packages."""
    assert len(PACKAGES) > 8
    assert "mcc_zoo.export.verify" in read_imports(MODULES["mcc_zoo.cli.models"])
    assert "mcc_zoo.export.verify" not in read_imports(MODULES["mcc_zoo.cli.models"], in_functions=False)
    assert "tensorflow" in find_reach(below("models"))
    assert {"soundfile", "soxr"} <= external(find_reach(below("audio"), in_functions=True))


def test_only_the_command_line_imports_typer() -> None:
    assert {name.split(".")[1] for name in MODULES if "typer" in read_imports(MODULES[name])} == {"cli"}


def test_the_front_end_of_the_model_reaches_no_decoder() -> None:
    reached = find_reach(below("features.log_mel", "features.front_end", "features.chunking"), in_functions=True)
    assert not external(reached) & {"soundfile", "av", "soxr", "tensorflow_io"}
    assert not reached & set(below("audio.decoders", "audio.reading", "audio.subprocess_decoder"))


def test_inference_reaches_no_training() -> None:
    assert not find_reach(below("inference"), in_functions=True) & set(below("training", "experiment"))


@pytest.mark.parametrize(
    "room",
    [
        "atomic", "audio", "catalogue.engines.ray_data", "catalogue.inputs", "catalogue.run", "cli.main", "datasets",
        "evaluation", "export.metadata", "export.model_card", "features.chunking", "features.front_end",
        "inference.locate", "paper", "progress", "tensorflow_start", "recipes", "termination", "text", "version",
    ],
)  # fmt: skip
def test_what_does_without_tensorflow(room: str) -> None:
    """At import, that is: a function may import what it needs."""
    assert not external(find_reach(below(room))) & {"tensorflow", "keras", "tensorflow_io", "tensorflow_serving"}


def test_the_command_line_starts_without_slow_packages() -> None:
    assert not external(find_reach(below("cli.main"))) & {"matplotlib", "sklearn", "scipy", "pandas", "ray"}


def source_files() -> list[Path]:
    found = []
    for folder in SOURCE_FOLDERS:
        files = [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SOURCE_SUFFIXES]
        assert files, f"{folder} holds no source files"
        found += files
    return found


def test_no_source_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()}
    long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}
    assert not long


def test_no_function_is_long() -> None:
    long = {}
    for path in source_files():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines
    assert not long


def test_the_version_is_that_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\S+?),? ", changelog, re.MULTILINE)
    assert found and found[1] == mcc_zoo.__version__


def test_public_names_are_there_and_documented() -> None:
    assert mcc_zoo.__all__
    for name in mcc_zoo.__all__:
        assert getattr(mcc_zoo, name).__doc__, name
