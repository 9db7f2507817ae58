import numpy as np
import pytest

from ffstream.alphabet import LETTERS, Bytes, Characters, Tokens, alphabet
from ffstream.errors import ConfigError


@pytest.mark.parametrize("name", ["letters", "bytes", "tokens:7", "abc .", "Ab\n"])
def test_every_symbol_survives_the_way_through_text(name):
    found = alphabet(name)
    assert found.name == name
    symbols = np.arange(128 if name == "bytes" else found.size)
    assert found.encode(found.decode(symbols)).tolist() == symbols.tolist()


def test_text_is_read_as_the_paper_reads_it():
    assert LETTERS.size == 30
    assert LETTERS.decode(LETTERS.encode('The Fox,\n\t"quite" sour; 2 grapes!')) == "the fox, quite sour;  grapes"
    assert Characters("Ab").decode(Characters("Ab").encode("AaBb")) == "Ab"
    assert Characters("a \n").decode(Characters("a \n").encode("a \n a")) == "a \n a"


def test_pieces_of_a_text_are_read_like_the_whole():
    pieces = ["the fox ", "and the ", "grapes"]
    whole = LETTERS.encode("".join(pieces))
    assert np.concatenate([LETTERS.encode(piece) for piece in pieces]).tolist() == whole.tolist()


def test_bytes_take_any_text():
    assert Bytes().decode(Bytes().encode("Äsop 狐 🦊")) == "Äsop 狐 🦊"
    assert Bytes().decode(np.array([255])) == "\ufffd"


def test_what_is_no_token_is_left_out():
    assert Tokens(5).encode("4 five 5 0 -1").tolist() == [4, 0]


@pytest.mark.parametrize("name", ["a", "", "aba", "tokens:1", "tokens:257", "".join(map(chr, range(300)))])
def test_what_is_no_alphabet(name):
    with pytest.raises(ConfigError, match="alphabet: got"):
        alphabet(name)
