"""What the openai library raises in a cell becomes the same one sentence as a magic's."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from swsllm_nb.notebook.errors import explain, scrub

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["explain_openai_errors"]


def explain_openai_errors(
    shell: "InteractiveShell", live_key: Callable[[], str]
) -> Callable[[], None]:
    """Every error of the openai library is shown as its sentence; other handlers keep theirs.

    What is returned undoes it.
    """
    from swsllm_nb.notebook.client import OpenAIError, trouble_of

    earlier_kinds: tuple[type[BaseException], ...] = shell.custom_exceptions
    earlier_handler = shell.CustomTB

    def handle(
        shell: Any, kind: Any, error: BaseException, trace: Any, tb_offset: int | None = None
    ) -> Any:
        if not isinstance(error, OpenAIError):
            return earlier_handler(kind, error, trace, tb_offset=tb_offset)
        key = live_key()
        # A kernel tells its front end the error's own text as well.
        error.args = tuple(
            scrub(each, key) if isinstance(each, str) else each for each in error.args
        )
        sentence = explain(trouble_of(error), key).with_traceback(trace)
        shell.showtraceback((type(sentence), sentence, trace))
        return []

    register: Callable[..., None] = shell.set_custom_exc
    kinds = (*earlier_kinds, OpenAIError)
    register(kinds, handle)

    def restore() -> None:
        if shell.custom_exceptions is kinds:
            shell.custom_exceptions = earlier_kinds
            shell.CustomTB = earlier_handler

    return restore
