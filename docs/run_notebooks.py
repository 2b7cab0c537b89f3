"""The notebooks, run from top to bottom, with what they show stored in them: `make notebooks`."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient

from mm_env.atomic_write import write_text

for path in sorted((Path(__file__).parent / "notebooks").glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": folder}}).execute()
    del notebook.metadata["language_info"]  # the version of Python that happened to be here
    write_text(path, nbformat.writes(notebook) + "\n")
    print(f"ran {path}")
