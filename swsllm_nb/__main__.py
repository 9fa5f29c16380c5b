"""``python -m swsllm_nb`` is ``swsllm``."""

from swsllm_nb.cli import main

if __name__ == "__main__":
    main()
