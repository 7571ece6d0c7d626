"""Reading files of Cypher."""

import pytest

from graph.cypher_files import mode_of, normalised, statements_of
from graph.errors import MigrationError


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("RETURN 1; RETURN 2;", ["RETURN 1", "RETURN 2"]),
        ("RETURN 1", ["RETURN 1"]),
        ("RETURN ';' AS a; RETURN \";\"", ["RETURN ';' AS a", 'RETURN ";"']),
        (r"RETURN 'it\'s;' AS a;", [r"RETURN 'it\'s;' AS a"]),
        ("RETURN 1 AS `a;``b`;", ["RETURN 1 AS `a;``b`"]),
        ("// not; this\nRETURN 1; // nor; this\n", ["RETURN 1"]),
        ("/* not;\nthis */ RETURN 1;", ["RETURN 1"]),
        ("RETURN 'http://a' AS a; RETURN '/*';", ["RETURN 'http://a' AS a", "RETURN '/*'"]),
        (" ;\n; // only a comment\n", []),
        ("", []),
    ],
)
def test_semicolons_count_outside_quotes_and_comments(text: str, statements: list[str]) -> None:
    assert list(statements_of(text)) == statements


@pytest.mark.parametrize("mode", ["schema", "data", "auto"])
def test_the_first_line_names_the_mode(mode: str) -> None:
    assert mode_of(f"// mode: {mode}\nRETURN 1;", "V0001__a.cypher") == mode


@pytest.mark.parametrize("text", ["RETURN 1;", "// mode: fast\n", "", "\n// mode: data\n"])
def test_a_file_without_a_mode_is_refused_by_name(text: str) -> None:
    with pytest.raises(MigrationError, match="V0001__a"):
        mode_of(text, "V0001__a.cypher")


def test_line_ends_and_trailing_blanks_do_not_count() -> None:
    assert normalised("RETURN 1;  \r\n\r\nRETURN 2;\n\n") == normalised("RETURN 1;\n\nRETURN 2;")
    assert normalised("RETURN  1;") != normalised("RETURN 1;")
