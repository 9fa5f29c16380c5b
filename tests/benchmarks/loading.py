"""How long ``%load_ext swsllm_nb`` takes in a fresh IPython, beside ``import openai``.

    python tests/benchmarks/loading.py [ROUNDS]

Prints medians and their ratio; the aim is at most 0.15.
"""

import statistics
import subprocess
import sys

LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
start = time.perf_counter()
shell.run_line_magic("load_ext", "swsllm_nb")
print(time.perf_counter() - start)
"""

IMPORT_OPENAI = """
import time
from IPython.core.interactiveshell import InteractiveShell
start = time.perf_counter()
import openai
print(time.perf_counter() - start)
"""


def seconds(code: str) -> float:
    """What a fresh process prints of its own time, in seconds."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout)


def main(rounds: int = 15) -> None:
    for code in (LOAD_EXT, IMPORT_OPENAI):
        seconds(code)
    pairs = [(seconds(LOAD_EXT), seconds(IMPORT_OPENAI)) for _ in range(rounds)]
    load, whole = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"%load_ext swsllm_nb  {load * 1000:7.1f} ms  (median of {rounds})")
    print(f"import openai        {whole * 1000:7.1f} ms")
    print(f"ratio                {load / whole:7.3f}     (aim: at most 0.15)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
