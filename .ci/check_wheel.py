"""What must hold where only the wheel is installed, without any extra."""

import subprocess
import sys
from importlib import resources
from pathlib import Path

import swsllm_nb
from swsllm_nb.catalogue import default_catalogue

package = Path(swsllm_nb.__file__).parent
assert "site-packages" in package.parts, package
assert default_catalogue().default
KEPT = (
    "o200k_base.tiktoken",
    "py.typed",
    "_notebooks/student/00_start_here.ipynb",
    "deploy/README.md",
    "deploy/nginx.conf",
    "proxy/page/static/page.css",
    "proxy/page/templates/student.html",
    "proxy/page/german/students.json",
)
for name in KEPT:
    assert resources.files("swsllm_nb").joinpath(name).is_file(), name
assert not list(package.parent.glob("tests*")), "tests do not belong into the wheel"

shell = "%load_ext swsllm_nb"
subprocess.run([sys.executable, "-m", "IPython", "-c", shell], check=True)

missing = subprocess.run(
    [sys.executable, "-m", "swsllm_nb", "serve", "--upstream", "practice"],
    capture_output=True,
    text=True,
    check=False,
)
assert missing.returncode != 0, missing
assert "pip install 'swsllm-nb[lab]'" in missing.stderr, missing.stderr
assert "Traceback" not in missing.stderr, missing.stderr
print("the wheel is whole")
