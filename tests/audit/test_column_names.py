"""Names as users give them."""

from audit.column_names import split_names


def test_names_are_split_at_commas_or_taken_as_they_are() -> None:
    assert split_names(" a, b,,a ") == ("a", "b")
    assert split_names(["a", "b"]) == ("a", "b")
    assert split_names("") == split_names(()) == ()
