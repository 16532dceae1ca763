"""Write every generated part of the documents into its place: `make reference`."""

from tools.reference.documents import ROOT, documents

for path, text in documents().items():
    (ROOT / path).write_text(text)
