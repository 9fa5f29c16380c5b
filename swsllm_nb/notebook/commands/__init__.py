"""The words of ``%llm``, each a function of the desk and the words that follow it."""
