"""Options to the fields of a request, by the rules of the model that is asked."""

from collections.abc import Mapping
from typing import Any, Final

from swsllm_nb.catalogue import Model, default_catalogue
from swsllm_nb.notebook.answer import Question
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.options import Options
from swsllm_nb.notebook.schemas import response_format

__all__ = ["default_model", "options_not_taken", "question_of"]

_SAMPLING: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_TUNING: Final = (*_SAMPLING, "reasoning_effort")


def question_of(name: str, messages: tuple[Mapping[str, str], ...], options: Options) -> Question:
    """The request's body. Raises LLMError for an option that the model does not take.

    A model that the catalogue does not know gets what was chosen: its server will say.
    """
    model = default_catalogue().find(name)
    given = {field: getattr(options, field) for field in (*_TUNING, "seed")}
    given["stop"] = list(options.stop) if options.stop else None
    given["response_format"] = response_format(options.schema, plain=bool(options.json))
    fields = {field: value for field, value in given.items() if value is not None}
    if model:
        _check_taken(model, name, fields)
    if options.max_tokens is not None:
        fields[model.cap_field if model else "max_tokens"] = options.max_tokens
    return Question(name, messages, fields, stream=options.stream is not False)


def default_model() -> str:
    """The name of the model that is asked where none was chosen."""
    model = default_catalogue().default
    return (model.aliases or (model.id,))[0]


def options_not_taken(model: Model) -> list[str]:
    """The options, such as ``--temperature``, that are refused for this model before sending."""
    return [_flag(field) for field in (*_TUNING, "seed", "stop") if not _is_taken(model, field)]


def _check_taken(model: Model, name: str, fields: Mapping[str, Any]) -> None:
    for field in fields:
        if _is_taken(model, field):
            continue
        taken = [each for each in _TUNING if _is_taken(model, each)]
        instead = ", ".join(map(_flag, taken))
        raise LLMError(
            say(
                f"{name} does not take {_flag(field)}, so nothing was sent; what it takes instead "
                f"is {instead or 'no such option'}.",
                f"{name} kennt {_flag(field)} nicht, es wurde nichts gesendet; stattdessen kennt "
                f"es {instead or 'keine solche Option'}.",
            )
        )


def _is_taken(model: Model, field: str) -> bool:
    return field in model.fields and field not in model.unsupported


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"
