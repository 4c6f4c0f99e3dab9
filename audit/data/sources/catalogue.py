"""The data sources by name and by kind of file. Imports nothing, so that a help text can quote it."""

DATASETS = {
    "digits": "audit.data.sources.digits:load",
    "biased-mnist": "audit.data.sources.biased_mnist:load",
    "celeba": "audit.data.sources.celeba:load",
}
FOLDER, TABLE = "audit.data.sources.image_folder:load", "audit.data.sources.table:load"
"""The sources for a folder of images, sounds or clips, and for a table of features."""
FILES_TABLE = "audit.data.sources.files_table:load"
"""The source for a table that names or holds images, sounds or clips."""
SHARDS = "audit.data.sources.files_table:load_shards"
"""The source for a folder of Parquet files that hold images, sounds or clips."""
TEXTS = "audit.data.sources.texts:load"
"""The source for a table with a column of texts."""
TARS, TAR = "audit.data.sources.archives:load_tars", ".tar"
"""The source for archives of WebDataset, and their suffix."""
SAVED_DATASET, SAVED = "audit.data.sources.archives:load_saved", ("state.json", "dataset_dict.json")
"""The source for a folder that save_to_disk wrote, and the files that it is known by."""
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
METADATA = tuple(f"metadata{suffix}" for suffix in TABLES if suffix != ".tsv")
"""The table of an image folder, by the Hugging Face convention."""
EMBEDDINGS = (".npz", ".npy", ".parquet")
"""Suffixes of files that hold representations and no model."""


def either(names: tuple[str, ...]) -> str:
    """Return names as a reader lists alternatives: `a, b or c`."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


METADATA_FILES = either((METADATA[0], *(name.removeprefix("metadata") for name in METADATA[1:])))
PATHS = f"a folder that holds {METADATA_FILES}", f"a {either((*TABLES, TAR))} file"
