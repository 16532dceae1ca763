"""What is wrong with the settings of an agent: config.yaml, an address."""


class ConfigError(ValueError, SystemExit):
    """A setting is missing or wrong; reads as a sentence.

    It is a program's end as well: where nobody catches it the sentence is printed, without a traceback, and the exit
    code is 1.
    """

    def __init__(self, sentence: str) -> None:
        sentence = " ".join(sentence.split())
        super().__init__(sentence)
        self.code = f"build-dashboard: {sentence}"
