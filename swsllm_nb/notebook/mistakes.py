"""What Python's own errors mean, in plain words, and how they usually come about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Mistake", "mistake_of"]


@dataclass(frozen=True)
class Mistake:
    """Each is a pair: English, German."""

    meaning: tuple[str, str]
    causes: tuple[tuple[str, str], ...]


def mistake_of(kind: type[BaseException]) -> Mistake | None:
    """What is known of an error's type, or of the nearest one it is a kind of."""
    known = (_MISTAKES.get(each.__name__) for each in kind.__mro__)
    return next(filter(None, known), None)


_MISTAKES: Final[Mapping[str, Mistake]] = {
    "NameError": Mistake(
        ("A name is used that nothing has been given yet.",
         "Ein Name wird benutzt, dem noch nichts zugewiesen ist."),
        (("The cell that defines it has not been run since the kernel started.",
          "Die Zelle, die ihn anlegt, lief seit dem Start des Kernels noch nicht."),
         ("It is misspelt, also in upper and lower case.",
          "Er ist verschrieben, auch in Groß- und Kleinschreibung."),
         ("An import is missing, or a text lacks its quotation marks.",
          "Ein import fehlt, oder einem Text fehlen die Anführungszeichen.")),
    ),
    "UnboundLocalError": Mistake(
        ("A function reads a variable of its own before it gave it a value.",
         "Eine Funktion liest eine eigene Variable, bevor sie ihr einen Wert gegeben hat."),
        ((("The function also assigns to that name, which makes it the function's own: pass it as "
          "an argument and return the new value."),
          ("Die Funktion weist dem Namen auch etwas zu, damit ist er ihr eigener: als Argument "
          "übergeben und den neuen Wert zurückgeben.")),
         ("It is set only in a branch of an if that was not taken.",
          "Sie wird nur in einem Zweig eines if gesetzt, der nicht drankam.")),
    ),
    "SyntaxError": Mistake(
        ("Python cannot read the line: it breaks the grammar of the language.",
         "Python kann die Zeile nicht lesen: Sie verletzt die Grammatik der Sprache."),
        (("A bracket or a quotation mark is not closed, often in the line above.",
          "Eine Klammer oder ein Anführungszeichen ist nicht geschlossen, oft eine Zeile darüber."),
         ("The colon after if, for, while, def or class is missing.",
          "Der Doppelpunkt nach if, for, while, def oder class fehlt."),
         ("= stands where == was meant.", "= steht, wo == gemeint war.")),
    ),
    "IndentationError": Mistake(
        ("The indentation does not fit the lines around it.",
         "Die Einrückung passt nicht zu den Zeilen darum herum."),
        (("After a colon the next line is to be indented.",
          "Nach einem Doppelpunkt ist die nächste Zeile einzurücken."),
         ("One line of a block has a space too many or too few.",
          "Eine Zeile eines Blocks hat ein Leerzeichen zu viel oder zu wenig.")),
    ),
    "TabError": Mistake(
        ("Tabs and spaces are mixed in the indentation.",
         "In der Einrückung sind Tabulatoren und Leerzeichen gemischt."),
        (("The code was copied from elsewhere: indent it anew with four spaces.",
          "Der Code ist von anderswo kopiert: mit vier Leerzeichen neu einrücken."),),
    ),
    "TypeError": Mistake(
        ("An operation or a function got a value of a kind that it cannot use.",
         ("Eine Operation oder Funktion bekam einen Wert einer Art, mit der sie nichts anfangen "
         "kann.")),
        (("A text and a number are added: turn one into the other with int(), float() or str().",
          "Text und Zahl werden addiert: mit int(), float() oder str() angleichen."),
         ("A function got too many or too few arguments.",
          "Eine Funktion bekam zu viele oder zu wenige Argumente."),
         ("A value is None, because a function has no return.",
          "Ein Wert ist None, weil eine Funktion kein return hat."),
         ("A name such as list, str or sum was overwritten with a value.",
          "Ein Name wie list, str oder sum wurde mit einem Wert überschrieben.")),
    ),
    "ValueError": Mistake(
        ("The kind of the value is right, but not the value itself.",
         "Die Art des Werts stimmt, der Wert selbst nicht."),
        (("int() or float() got a text that is no number; look at it with repr().",
          "int() oder float() bekam einen Text, der keine Zahl ist; repr() zeigt ihn genau."),
         ("A list does not have as many elements as there are names to its left.",
          "Eine Liste hat nicht so viele Elemente, wie links Namen stehen."),
         ("Two arrays have shapes that do not fit together.",
          "Zwei Arrays haben Formen, die nicht zusammenpassen.")),
    ),
    "JSONDecodeError": Mistake(
        ("A text was to be JSON, and is none.", "Ein Text sollte JSON sein und ist keins."),
        (("The text is empty, or an error page; print its beginning.",
          "Der Text ist leer oder eine Fehlerseite; gib seinen Anfang aus."),
         ("A model wrapped its JSON into ``` or a sentence: ask with --json or --schema.",
          ("Ein Modell hat sein JSON in ``` oder einen Satz gepackt: mit --json oder --schema "
          "fragen.")),
         ("JSON wants double quotation marks, and no comma after the last element.",
          "JSON will doppelte Anführungszeichen und kein Komma nach dem letzten Element.")),
    ),
    "UnicodeDecodeError": Mistake(
        ("A file's bytes are not text in the encoding it was read in.",
         "Die Bytes einer Datei sind in der gelesenen Kodierung kein Text."),
        (('The file has another encoding: try encoding="latin-1" or "cp1252".',
          'Die Datei ist anders kodiert: encoding="latin-1" oder "cp1252" versuchen.'),
         ('It is no text at all, but a picture or a zip: open it with "rb".',
          'Sie ist gar kein Text, sondern Bild oder Zip: mit "rb" öffnen.')),
    ),
    "IndexError": Mistake(
        ("A position is asked for that the list or text does not have.",
         "Gefragt ist eine Stelle, die es in der Liste oder im Text nicht gibt."),
        (("Counting begins at 0: the last of n elements is at n - 1, or at -1.",
          "Gezählt wird ab 0: Das letzte von n Elementen steht bei n - 1, oder bei -1."),
         ("The list is empty, or shorter than expected: look at len().",
          "Die Liste ist leer oder kürzer als gedacht: len() zeigt es.")),
    ),
    "KeyError": Mistake(
        ("A dictionary or a frame does not have that key or column.",
         "Ein Dictionary oder eine Tabelle hat diesen Schlüssel oder diese Spalte nicht."),
        (("The name is misspelt, or has a space in it: look at .keys() or .columns.",
          ("Der Name ist verschrieben oder enthält ein Leerzeichen: .keys() oder .columns zeigt "
          "alle.")),
         ("The number 1 and the text '1' are two different keys.",
          "Die Zahl 1 und der Text '1' sind zwei verschiedene Schlüssel.")),
    ),
    "AttributeError": Mistake(
        ("The value does not have what stands after the dot.",
         "Der Wert hat nicht, was nach dem Punkt steht."),
        (("The value is None, or of another kind than expected: look at type().",
          "Der Wert ist None oder von anderer Art als gedacht: type() zeigt es."),
         ("The name after the dot is misspelt, or belongs to another version of the library.",
          "Der Name nach dem Punkt ist verschrieben oder gehört zu einer anderen Version."),
         ("A file of yours has the name of the module, such as random.py, and hides it.",
          "Eine eigene Datei heißt wie das Modul, etwa random.py, und verdeckt es.")),
    ),
    "ZeroDivisionError": Mistake(
        ("Something is divided by zero.", "Etwas wird durch null geteilt."),
        (("The divisor is a count or a length that is 0, often because a list is empty.",
          "Der Teiler ist eine Anzahl oder Länge und ist 0, oft weil eine Liste leer ist."),),
    ),
    "FileNotFoundError": Mistake(
        ("There is no file or folder of that name where Python looks.",
         "Dort, wo Python sucht, gibt es keine Datei und keinen Ordner dieses Namens."),
        (("Names are looked up from the notebook's folder: import os; os.getcwd() shows it.",
          "Gesucht wird ab dem Ordner des Notebooks: import os; os.getcwd() zeigt ihn."),
         ("The ending is another one, such as .csv.txt, or upper and lower case differ.",
          "Die Endung ist eine andere, etwa .csv.txt, oder Groß- und Kleinschreibung weicht ab.")),
    ),
    "IsADirectoryError": Mistake(
        ("A folder was opened as if it were a file.",
         "Ein Ordner wurde geöffnet, als wäre er eine Datei."),
        (("The name of the file is missing at the end of the path.",
          "Am Ende des Pfads fehlt der Name der Datei."),),
    ),
    "PermissionError": Mistake(
        ("The system does not let you read or write there.",
         "Das System lässt dich dort nicht lesen oder schreiben."),
        (("The file is open in another program, or write-protected.",
          "Die Datei ist in einem anderen Programm offen oder schreibgeschützt."),
         ("The folder is not yours: write into the notebook's own.",
          "Der Ordner gehört dir nicht: in den des Notebooks schreiben.")),
    ),
    "ModuleNotFoundError": Mistake(
        ("The module is not installed in this kernel's Python.",
         "Das Modul ist im Python dieses Kernels nicht installiert."),
        (("Install it from a cell: %pip install NAME, then restart the kernel.",
          "In einer Zelle installieren: %pip install NAME, dann den Kernel neu starten."),
         ("The name to install is another one: sklearn is in scikit-learn.",
          "Zum Installieren heißt es anders: sklearn steckt in scikit-learn."),
         ("The notebook runs in another environment than the one you installed into.",
          "Das Notebook läuft in einer anderen Umgebung als der, in die installiert wurde.")),
    ),
    "ImportError": Mistake(
        ("The module is there, but not what was to be taken from it.",
         "Das Modul gibt es, aber nicht das, was daraus genommen werden sollte."),
        (("The name is misspelt, or your version of the library does not have it.",
          "Der Name ist verschrieben, oder diese Version der Bibliothek hat ihn nicht."),
         ("A file of yours has the name of the module and hides it.",
          "Eine eigene Datei heißt wie das Modul und verdeckt es.")),
    ),
    "RecursionError": Mistake(
        ("A function called itself again and again without end.",
         "Eine Funktion rief sich ohne Ende immer wieder selbst auf."),
        (("The case in which it stops is missing, or is never reached.",
          "Der Fall, in dem sie aufhört, fehlt oder wird nie erreicht."),),
    ),
    "MemoryError": Mistake(
        ("There is not enough memory for this.", "Dafür reicht der Speicher nicht."),
        (("Work on a part of the data, delete what is not needed, restart the kernel.",
          "Mit einem Teil der Daten arbeiten, Unnötiges löschen, den Kernel neu starten."),),
    ),
    "AssertionError": Mistake(
        ("A check in the code, an assert, was not fulfilled.",
         "Eine Prüfung im Code, ein assert, war nicht erfüllt."),
        (("In an exercise: your result is not what the check expects. Print both.",
          "In einer Aufgabe: Das Ergebnis ist nicht, was die Prüfung erwartet. Gib beide aus."),),
    ),
    "NotImplementedError": Mistake(
        ("Something is still to be written here.", "Hier ist noch etwas zu schreiben."),
        (("It is the place in the exercise for your own code.",
          "Es ist die Stelle der Aufgabe für deinen eigenen Code."),),
    ),
    "StopIteration": Mistake(
        ("next() was called, and nothing was left.",
         "next() wurde aufgerufen, und es war nichts mehr da."),
        (("The iterator is used up: make a new one, or use a for loop.",
          "Der Iterator ist aufgebraucht: einen neuen anlegen, oder eine for-Schleife nehmen."),),
    ),
    "OverflowError": Mistake(
        ("A number is too large for its kind.", "Eine Zahl ist zu groß für ihre Art."),
        (("An exponent grew too far; calculate with logarithms, or scale the data.",
          "Ein Exponent wuchs zu weit; mit Logarithmen rechnen oder die Daten skalieren."),),
    ),
    "TimeoutError": Mistake(
        ("Something did not answer in time.", "Etwas hat nicht rechtzeitig geantwortet."),
        (("The network or the server is slow: try again in a moment.",
          "Netz oder Server sind langsam: gleich noch einmal versuchen."),),
    ),
    "ConnectionError": Mistake(
        ("No connection came about, or it broke.",
         "Eine Verbindung kam nicht zustande oder brach ab."),
        (("Check the address and the network; %llm doctor looks at the course's proxy.",
          "Adresse und Netz prüfen; %llm doctor sieht nach dem Proxy des Kurses."),),
    ),
    "KeyboardInterrupt": Mistake(
        ("The cell was stopped by hand.", "Die Zelle wurde von Hand angehalten."),
        (("It is no mistake; run it again when you like.",
          "Das ist kein Fehler; sie lässt sich jederzeit wieder ausführen."),),
    ),
}  # fmt: skip
