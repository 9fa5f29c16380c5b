"""The shape of the package: which way imports run, who knows what, how long it gets."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import swsllm_nb

PACKAGE = Path(swsllm_nb.__file__).parent
CORE = {"catalogue", "fields", "money", "pricing", "prompt", "sse", "tokenizer", "wire"}
HALVES = {"notebook", "proxy"}

ONLY_HERE = {
    "aiohttp": {"proxy.upstream"},
    "argon2": {"proxy.auth"},
    "asyncpg": {"proxy.postgres"},
    "click": {
        "cli",
        "cli.accounts",
        "cli.budgets",
        "cli.course",
        "cli.doctor",
        "cli.handouts",
        "cli.invoices",
        "cli.models",
        "cli.overview",
        "cli.place",
        "cli.rehearsing",
        "cli.rosters",
        "cli.running",
        "cli.selection",
        "cli.serving",
        "cli.staff",
        "cli.usage",
    },
    "cryptography": {"proxy.auth"},
    "dotenv": {"notebook.envfile"},
    "filelock": {"proxy.sqlite"},
    "httptools": {"proxy.http"},
    "ipywidgets": {"notebook.gauge_widget"},
    "jinja2": {"proxy.page.templating"},
    "jsonschema": {"notebook.schemas"},
    "httpx2": {"notebook.client", "notebook.recording", "notebook.troubles", "notebook.watched"},
    "markdown_it": {"notebook.markdown"},
    "matplotlib": {
        "notebook.pictures.axes",
        "notebook.pictures.share_pictures",
        "notebook.pictures.shown",
    },
    "msgspec": {"proxy.body", "proxy.calllog", "proxy.settings_file", "proxy.staff_orders"},
    "nh3": {"notebook.markdown"},
    "openai": {"notebook.client", "notebook.troubles"},
    "pandas": {
        "notebook.frames",
        "notebook.pictures.burn_picture",
        "notebook.pictures.history",
        "notebook.pictures.repriced",
        "notebook.pictures.shares",
    },
    "prometheus_client": {"proxy.metrics"},
    "pygments": {"notebook.colouring"},
    "starlette": {
        "proxy.staff_api",
        "proxy.page.arrival",
        "proxy.page.guard",
        "proxy.page.site",
        "proxy.page.visit",
        "proxy.views",
    },
    "tiktoken": {"tokenizer"},
    "tqdm": {"cli.progress"},
    "uvicorn": {"proxy.http", "proxy.serve"},
}
MODULE_LINES = 300
FUNCTION_LINES = 45


@cache
def modules() -> dict[str, Path]:
    paths = sorted(PACKAGE.rglob("*.py"))
    names = (path.relative_to(PACKAGE).with_suffix("").as_posix() for path in paths)
    return {
        name.replace("/", ".").removesuffix(".__init__"): path
        for name, path in zip(names, paths, strict=True)
    }


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(node: ast.AST, path: Path) -> Iterator[tuple[str, bool]]:
    """Absolute names that a file imports, each with whether that happens inside a function."""

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} imports relatively"
                yield from ((f"{child.module}.{alias.name}", inside) for alias in child.names)
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            yield from visit(child, inside or function)

    return visit(node, False)


def own(name: str) -> str | None:
    """Our module that an absolute name means, without the package's name."""
    if not name.startswith("swsllm_nb"):
        return None
    inside = name.removeprefix("swsllm_nb").strip(".")
    known = modules()
    return inside if inside in known else inside.rpartition(".")[0]


def half(module: str) -> str:
    return module.partition(".")[0]


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_the_halves_never_import_each_other_and_the_core_imports_neither(module: str) -> None:
    allowed = {half(module)} if half(module) in HALVES else set()
    for name, inside_a_function in imported(tree(MODULES[module]), MODULES[module]):
        target = own(name)
        if target is None or half(target) not in HALVES:
            continue
        door = half(module) in ("__init__", "cli", "__main__")
        assert half(target) in allowed or (door and inside_a_function), f"{module} → {target}"


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_needs_the_standard_library_alone_until_a_text_is_counted(module: str) -> None:
    for name, inside_a_function in imported(tree(MODULES[module]), MODULES[module]):
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names or top == "swsllm_nb"
        assert known or (top == "tiktoken" and inside_a_function), name


def test_one_place_knows_each_outside_thing() -> None:
    users: dict[str, set[str]] = {library: set() for library in ONLY_HERE}
    for module, path in MODULES.items():
        for name, _ in imported(tree(path), path):
            users.get(name.partition(".")[0], set()).add(module)
    assert users == ONLY_HERE


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {
            target
            for name, inside in imported(tree(path), path)
            if not inside and (target := own(name)) is not None and target != module
        }
        for module, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_stay_short(module: str) -> None:
    path = MODULES[module]
    assert len(path.read_text("utf-8").splitlines()) <= MODULE_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_at_module_level_can_be_changed(module: str) -> None:
    for node in tree(MODULES[module]).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(
            node.value, (ast.Dict, ast.List, ast.Set)
        ):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name = ast.unparse(target)
            final = isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation)
            assert final or name == "__all__", f"{name} in {module}"
