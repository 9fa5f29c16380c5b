"""What a student is told of each kind of failure, in English and in German, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["SENTENCES", "Sentence"]


@dataclass(frozen=True)
class Sentence:
    """A template in both languages; ``{message}`` is what the server said, as a sentence.

    ``final``: doing the same again cannot succeed. ``waiting`` is the reason, in both languages,
    that is shown while a call waits for its next try; None where it is not tried by itself.
    """

    english: str
    german: str
    final: bool = False
    waiting: tuple[str, str] | None = None


_ASK: Final = ("ask the teaching staff", "das Lehrpersonal fragen")
_MAY_COST: Final = (
    "It may have cost something all the same; %llm shows what is left.",
    "Gekostet haben kann es trotzdem etwas; %llm zeigt, was übrig ist.",
)
_NO_SERVER: Final = ("No server answers at {base_url}", "Unter {base_url} antwortet kein Server")
_BUSY: Final = ("The server is busy ({status})", "Der Server ist ausgelastet ({status})")

SENTENCES: Final[Mapping[str, Sentence]] = {
    "no_server": Sentence(
        f"{_NO_SERVER[0]}. Check the address, the network and that the proxy is running, then run "
        f"the cell again; if it stays so, {_ASK[0]}.",
        f"{_NO_SERVER[1]}. Bitte die Adresse und das Netz prüfen und ob der Proxy läuft, dann die "
        f"Zelle noch einmal ausführen; wenn es so bleibt, {_ASK[1]}.",
        waiting=_NO_SERVER,
    ),
    "no_such_host": Sentence(
        "The name in {base_url} leads to no machine, so nothing was sent. Check its spelling and "
        f"the network, perhaps the VPN; if both are right, {_ASK[0]}.",
        "Der Name in {base_url} führt zu keinem Rechner, es wurde nichts gesendet. Bitte die "
        f"Schreibweise und das Netz prüfen, vielleicht das VPN; wenn beides stimmt, {_ASK[1]}.",
        final=True,
    ),
    "web_proxy": Sentence(
        "The web proxy that HTTP_PROXY or HTTPS_PROXY names did not let the call through, so "
        f"nothing was sent. Correct it or take it away; if you did not set it, {_ASK[0]}.",
        "Der Web-Proxy aus HTTP_PROXY oder HTTPS_PROXY lässt den Aufruf nicht durch, es wurde "
        "nichts gesendet. Bitte die Variable berichtigen oder löschen; wer sie nicht selbst "
        "gesetzt hat, kann das Lehrpersonal fragen.",
        final=True,
    ),
    "untrusted": Sentence(
        "This machine does not trust the certificate of {base_url}, so nothing was sent. Check the "
        f"address and this machine's clock; if both are right, {_ASK[0]}.",
        "Dieser Rechner traut dem Zertifikat von {base_url} nicht, es wurde nichts gesendet. Bitte "
        f"die Adresse und die Uhr dieses Rechners prüfen; wenn beides stimmt, {_ASK[1]}.",
        final=True,
    ),
    "no_tls": Sentence(
        "No encrypted connection to {base_url} could be made, so nothing was sent. Check whether "
        f"the address begins with http:// or with https://; if it is right, {_ASK[0]}.",
        "Zu {base_url} kam keine verschlüsselte Verbindung zustande, es wurde nichts gesendet. "
        "Bitte prüfen, ob die Adresse mit http:// oder mit https:// beginnt; wenn sie stimmt, "
        f"{_ASK[1]}.",
        final=True,
    ),
    "timeout": Sentence(
        "The server at {base_url} did not answer in time{seconds}. Run the cell again; if it stays "
        f"so, {_ASK[0]}. {_MAY_COST[0]}",
        "Der Server unter {base_url} hat nicht rechtzeitig geantwortet{seconds}. Bitte die Zelle "
        f"noch einmal ausführen; wenn es so bleibt, {_ASK[1]}. {_MAY_COST[1]}",
    ),
    "cut": Sentence(
        "The connection to {base_url} broke before the answer was complete. Run the cell again; if "
        f"it stays so, {_ASK[0]}. {_MAY_COST[0]}",
        "Die Verbindung zu {base_url} brach ab, bevor die Antwort vollständig war. Bitte die Zelle "
        f"noch einmal ausführen; wenn es so bleibt, {_ASK[1]}. {_MAY_COST[1]}",
    ),
    "unreadable": Sentence(
        "What {base_url} answered is no chat completion. Check the base URL: the address of the "
        "API, which often ends in /v1.",
        "Was {base_url} geantwortet hat, ist keine Chat-Completion. Bitte die Basis-URL prüfen: "
        "die Adresse der API, die oft auf /v1 endet.",
        final=True,
    ),
    "wrong_key": Sentence(
        "The server at {base_url} does not accept your key ({status}). Copy it again from the "
        f"course page into SWSLLM_API_KEY; if that does not help, {_ASK[0]}.",
        "Der Server unter {base_url} nimmt den Schlüssel nicht an ({status}). Bitte ihn von der "
        f"Kursseite noch einmal nach SWSLLM_API_KEY kopieren; wenn das nicht hilft, {_ASK[1]}.",
        final=True,
    ),
    "not_allowed": Sentence(
        f"The server does not allow this call ({{status}}).{{message}} If you need it, {_ASK[0]}.",
        "Der Server erlaubt diesen Aufruf nicht ({status}).{message} Wer ihn braucht, kann das "
        "Lehrpersonal fragen.",
        final=True,
    ),
    "no_model": Sentence(
        "The server at {base_url} does not have the model {model} ({status}).{message} "
        "Models with a known price: {models}; choose one with -m.",
        "Der Server unter {base_url} hat das Modell {model} nicht ({status}).{message} "
        "Modelle mit bekanntem Preis: {models}; mit -m eins davon wählen.",
        final=True,
    ),
    "no_page": Sentence(
        "There is no chat completion at {base_url} ({status}).{message} Check the base URL: the "
        "address of the API, which often ends in /v1.",
        "Unter {base_url} gibt es keine Chat-Completion ({status}).{message} Bitte die Basis-URL "
        "prüfen: die Adresse der API, die oft auf /v1 endet.",
        final=True,
    ),
    "no_money": Sentence(
        f"Your budget does not cover this call ({{status}}).{{message}} For more, {_ASK[0]}.",
        "Das Budget reicht für diesen Aufruf nicht ({status}).{message} Für mehr bitte "
        f"{_ASK[1]}.",
        final=True,
    ),
    "too_long": Sentence(
        "The question is too long for the model ({status}).{message} Shorten it, or begin the "
        "conversation anew with --new.",
        "Die Frage ist zu lang für das Modell ({status}).{message} Bitte kürzen oder das Gespräch "
        "mit --new neu beginnen.",
        final=True,
    ),
    "too_fast": Sentence(
        "Too many calls at once ({status}).{message} Wait {pause} and run the cell again.",
        "Zu viele Aufrufe auf einmal ({status}).{message} Bitte {pause} warten und die Zelle noch "
        "einmal ausführen.",
        waiting=_BUSY,
    ),
    "refused": Sentence(
        "The server refused the call ({status}).{message}",
        "Der Server hat den Aufruf abgelehnt ({status}).{message}",
        final=True,
    ),
    "refused_unsaid": Sentence(
        f"The server refused the call ({{status}}) and did not say why: {_ASK[0]}.",
        f"Der Server hat den Aufruf abgelehnt ({{status}}) und nicht gesagt, warum: {_ASK[1]}.",
        final=True,
    ),
    "overloaded": Sentence(
        "The server is busy or starting ({status}).{message} It is not your code: run the cell "
        f"again in a minute, and if it stays so, {_ASK[0]}.",
        "Der Server ist ausgelastet oder startet gerade ({status}).{message} Am eigenen Code liegt "
        "es nicht: bitte die Zelle in einer Minute noch einmal ausführen und, wenn es so bleibt, "
        f"{_ASK[1]}.",
        waiting=_BUSY,
    ),
    "broken": Sentence(
        "The server had a fault of its own ({status}).{message} It is not your code: run the cell "
        f"again in a minute, and if it stays, {_ASK[0]}.",
        "Der Server hatte selbst einen Fehler ({status}).{message} Am eigenen Code liegt es nicht: "
        "bitte die Zelle in einer Minute noch einmal ausführen und, wenn es so bleibt, "
        f"{_ASK[1]}.",
        waiting=("The server had a fault ({status})", "Der Server hatte einen Fehler ({status})"),
    ),
    "stopped_midway": Sentence(
        f"The server broke off the answer.{{message}} Run the cell again. {_MAY_COST[0]}",
        "Der Server hat die Antwort abgebrochen.{message} Bitte die Zelle noch einmal ausführen. "
        f"{_MAY_COST[1]}",
    ),
    "cut_short": Sentence(
        "The answer was cut at its token limit, so it cannot be read as what was asked for. It was "
        "paid for and is in swsllm_nb.log(). Raise max_tokens, then run the cell again.",
        "Die Antwort wurde am Token-Limit abgeschnitten und lässt sich nicht als das Verlangte "
        "lesen. Sie ist bezahlt und steht in swsllm_nb.log(). Bitte max_tokens erhöhen und die "
        "Zelle noch einmal ausführen.",
        final=True,
    ),
    "filtered": Sentence(
        "The provider's content filter stopped the answer; what had come is paid for. Put the "
        f"question in other words and run the cell again; if it stays so, {_ASK[0]}.",
        "Der Inhaltsfilter des Anbieters hat die Antwort angehalten; was schon kam, ist bezahlt. "
        "Bitte anders fragen und die Zelle noch einmal ausführen; wenn es so bleibt, "
        f"{_ASK[1]}.",
        final=True,
    ),
    "here": Sentence(
        "The call failed on this machine and not at the server ({reason}). Look at what it was "
        f"given, then run the cell again; if it stays so, {_ASK[0]}. {_MAY_COST[0]}",
        "Der Aufruf ist auf diesem Rechner gescheitert und nicht am Server ({reason}). Bitte die "
        "Angaben prüfen, dann die Zelle noch einmal ausführen; wenn es so bleibt, "
        f"{_ASK[1]}. {_MAY_COST[1]}",
        final=True,
    ),
    "other": Sentence(
        f"The call failed.{{message}} If it fails again, {_ASK[0]}.",
        f"Der Aufruf ist gescheitert.{{message}} Wenn es wieder passiert, {_ASK[1]}.",
        final=True,
    ),
}
"""By our own code for what broke, or by the kind that a server's code and status mean."""
