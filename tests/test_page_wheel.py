"""The install line of the page: the wheel that it names is this package, and can be installed."""

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import swsllm_nb
from swsllm_nb.proxy.page.wheel import own_wheel, wheel_name


def test_the_wheel_that_students_install_is_this_package(tmp_path: Path) -> None:
    wheel = tmp_path / wheel_name()
    wheel.write_bytes(own_wheel())
    target = tmp_path / "installed"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--disable-pip-version-check", "--target", str(target), str(wheel)),
        ],
        check=True,
    )
    here = Path(swsllm_nb.__file__).parent
    for name in ("__init__.py", "catalogue.json", "notebook/magics.py", "o200k_base.tiktoken"):
        assert (target / "swsllm_nb" / name).read_bytes() == (here / name).read_bytes()
    assert (target / "bin" / "swsllm").exists()


def test_the_wheel_is_the_same_each_time_and_has_nothing_of_this_machine() -> None:
    own_wheel.cache_clear()
    first = own_wheel()
    own_wheel.cache_clear()
    assert own_wheel() == first
    with zipfile.ZipFile(BytesIO(first)) as archive:
        names = archive.namelist()
    assert not [name for name in names if "__pycache__" in name or name.startswith(("/", ".."))]
    assert all(name.split("/")[0].startswith("swsllm_nb") for name in names)
