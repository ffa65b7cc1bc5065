"""Names of files: every entity has its own, and none leads out of the folder."""

from __future__ import annotations

from hypothesis import given, strategies as st

from aiorerun.files.names import entity_file, file_name
from aiorerun.types.entity_path import new_entity_path


def test_usual_names_stay() -> None:
    assert str(entity_file("/arm/current", 1)) == "arm/current.parquet"
    assert str(entity_file("/arm/current", 2)) == "arm/current@2.parquet"
    assert str(entity_file("/", 1)) == "@root.parquet"
    assert str(entity_file(r"/my\ cam/frame.left/日本", 1)) == "my cam/frame.left/日本.parquet"
    assert file_name("") == "@empty"


def test_odd_names_are_encoded() -> None:
    assert str(entity_file(new_entity_path(["..", "a/b", "c:d", "."]), 1)) == "%2E%2E/a%2Fb/c%3Ad/%2E.parquet"
    assert file_name("x.parquet") == "x%2Eparquet"
    assert file_name("50%") == "50%25"
    assert file_name(".hidden ") == "%2Ehidden%20"
    assert len(file_name("a" * 500).encode()) < 255
    assert file_name("a" * 500) != file_name("a" * 501)


PARTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=3
)


@given(st.lists(PARTS, min_size=2, max_size=20))
def test_different_paths_have_different_files(paths: list[list[str]]) -> None:
    normal = {new_entity_path(parts) for parts in paths}
    files = {str(entity_file(path, variant)) for path in normal for variant in (1, 2)}
    assert len(files) == 2 * len(normal)
    for file in files:
        assert not file.startswith("/")
        assert not set(file.split("/")) & {"", ".", ".."}
        assert "\\" not in file
        assert "\0" not in file
        # No folder has the name of a file.
        assert not any(part.endswith(".parquet") for part in file.split("/")[:-1])
