"""Pure functions of texts, each within milliseconds: encodings, tables, tokens, words, scripts, garbled characters."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genset.errors import GensetError
from genset.interfaces import UndecodableError
from genset.modalities.composition import may_run_late, step_kinds, walk
from genset.modalities.text import codec, item_rules, metrics, table_files, text_files
from genset.modalities.text.augment.base import TextSpan
from genset.modalities.text.augment.words import Swap
from genset.modalities.text.character_model import CharacterModel
from genset.modalities.text.codec import FIELD, ROLE, TURN
from genset.modalities.text.features import character_ngrams, ngrams
from genset.modalities.text.letter_model import unlikelihood
from genset.modalities.text.modality import Text
from genset.modalities.text.near_duplicates import TextSimilarity, fingerprint
from genset.modalities.text.table_files import RowLayout
from genset.modalities.text.token_sampling import TokenSampling, draw_tokens, nucleus
from genset.modalities.text.tokens import DROPPED, END, PAD, TextTokenizer

# Real texts, and the encodings in which their UTF-8 was read.
MISREAD = [
    *(("schön", name) for name in ("latin-1", "cp1252", "cp1254", "cp1250", "mac-roman")),
    *(("El niño comió piñas", name) for name in ("latin-1", "cp1252", "cp1250", "mac-roman")),
    *(("naïve façade", name) for name in ("latin-1", "cp1252", "cp1251")),
    *(("“quoted” – it’s fine", name) for name in ("latin-1", "mac-roman")),
    *(("Ελλάδα", name) for name in ("latin-1", "cp1251", "cp437")),
    *(("Żółć i gęś", name) for name in ("latin-1", "cp1251", "cp437")),
    *(("こんにちは", name) for name in ("latin-1", "cp1251")),
    *(("Жизнь прекрасна", name) for name in ("latin-1", "cp437")),
    *(("你好世界", name) for name in ("latin-1", "cp437")),
    ("café", "cp1250"),
    ("Zoë’s café", "cp1252"),
    ("привет", "cp1251"),
    ("Příliš žluťoučký kůň", "cp1251"),
]


@pytest.mark.parametrize("text, encoding", MISREAD, ids=lambda value: value)
def test_text_that_was_read_in_a_wrong_encoding_is_garbled(text: str, encoding: str) -> None:
    assert item_rules.garbled_characters(text.encode().decode(encoding)) >= 2
    assert item_rules.garbled_characters(text) == 0


def test_only_the_misread_characters_of_a_text_are_garbled() -> None:
    assert item_rules.garbled_characters("le cafÃ© de l’Opéra, après-midi à Nîmes") == 2
    assert item_rules.garbled_characters("caf\ufffd \ue000") == 2


@pytest.mark.parametrize(
    "text",
    ["SELKÄ€", "ÀÉÈÙ¦", "«Ð»", "PARCE QUE SUR LEURS PLAQUES IL Y MARQUÉ…", "MÂCON»", "ÖÄÜ ß", "100 µm², ±5 °C",
     "Михаил Ђурић", "ПРИВЕТ, мир №5 «да»", "Рё", "Đặng Văn Ngữ", "עברית", "½ £5 ¼", "São João, è un'età"],
)  # fmt: skip
def test_rare_characters_of_real_texts_are_not_garbled(text: str) -> None:
    assert item_rules.garbled_characters(text) == 0


@pytest.mark.parametrize("text, script", [
    ("plain", "latin"),
    ("Привет, world", "cyrillic"),
    ("我喜欢", "han"),
    ("ひらがなだー", "hiragana"),
    ("ελληνικά", "greek"),
    ("שלום", "hebrew"),
    ("한국어", "hangul"),
    ("12:30 😀", "none"),
    ("", "none"),
])  # fmt: skip
def test_the_script_of_a_text_is_that_of_most_letters(text: str, script: str) -> None:
    assert item_rules.script_of(text) == script


def test_markup_is_the_share_of_tags_and_entities() -> None:
    assert item_rules.values("<b>ab</b>&amp;c")["markup"] == pytest.approx(12 / 15)
    assert item_rules.values("1 < 2 and 3 > 2 & x")["markup"] == 0


def test_a_text_with_improbable_letters_is_unlikely_and_few_letters_say_little() -> None:
    texts = ["the cat sat on the mat", "the hat of the cat", "that cat and the rat", "zqxj wvkq pzzk", "zq"]
    nats = unlikelihood([fingerprint(text) for text in texts], ["latin"] * 4 + ["none"])
    assert nats.argmax() == 3
    assert nats[4] < nats[3]


def test_items_are_padded_and_cut_between_characters() -> None:
    assert codec.encode("aé", 5).tolist() == [97, 0xC3, 0xA9, 0, 0]
    assert codec.encode("aé").tolist() == [97, 0xC3, 0xA9]
    assert codec.decode_all(codec.encode_all(["aéé", "", "日本"], 4)) == ["aé", "", "日"]
    assert codec.decode(np.array([0xC3, 97, 0], np.uint8)) == "\ufffda"


def test_separators_are_readable() -> None:
    assert codec.readable(f"a{ROLE}b{TURN}c{ROLE}d{FIELD}e") == "a: b / c: d / e"


@pytest.mark.parametrize("text, reason", [
    (" \n ", "it is empty"),
    ("ab\x00", "it contains the control character U+0000 at character 3"),
    ("a\ud800", "it contains the control character U+D800 at character 2"),
    ("\x85a\x85b", "it contains the control character U+0085 at character 2"),
])  # fmt: skip
def test_texts_with_control_characters_are_rejected(text: str, reason: str) -> None:
    with pytest.raises(UndecodableError) as error:
        codec.normalise(text)
    assert str(error.value) == reason


@pytest.mark.parametrize("data, encoding, lines", [
    (b"", "utf-8", []),
    (b"a\r\nb\rc\n\nd", "utf-8", [(1, "a", ""), (2, "b", ""), (3, "c", ""), (4, "", ""), (5, "d", "")]),
    ("a\u2028b\x0bc\n".encode(), "utf-8", [(1, "a\u2028b\x0bc", "")]),
    (b"\xef\xbb\xbfa", "utf-8", [(1, "a", "")]),
    ("\ufeffa\nb".encode("utf-16-le"), "utf-16", [(1, "a", ""), (2, "b", "")]),
    ("é\r\n".encode("latin-1"), "iso8859-1", [(1, "é", "")]),
    (b"\x81", "cp1252",
     [(1, None, "byte 1 is not cp1252: character maps to <undefined>; check modality.encoding")]),
])  # fmt: skip
def test_lines_end_at_line_feeds_and_carriage_returns_only(data: bytes, encoding: str, lines: list[Any]) -> None:
    assert list(text_files.decode_lines(data, encoding)) == lines


def test_a_text_that_is_too_long_is_rejected_before_it_is_normalised() -> None:
    assert text_files.check_text(" a\tb", 4) == "a b"
    with pytest.raises(UndecodableError, match=r"^5 characters, more than the 4 of modality.max_characters$"):
        text_files.check_text(" a\tb ", 4)


@pytest.mark.parametrize("layout, row", [
    (RowLayout(("text",)), {"text": "hello"}),
    (RowLayout(("prompt", "response")), {"prompt": "a", "response": "b"}),
    (RowLayout(("turns",)), {"turns": ["a", "b", "c"]}),
    (RowLayout(("turns",)), {"turns": ["only one"]}),
    (RowLayout(("messages",), turn_keys=("role", "content")), {"messages": [{"role": "user", "content": "x"}]}),
])  # fmt: skip
def test_fields_are_joined_and_split_without_loss(layout: RowLayout, row: dict[str, Any]) -> None:
    text, columns = table_files.join_fields({**row, "label": "l", "n": 1}, layout)
    assert table_files.split_fields(text, layout) == row
    assert columns == {"label": "l", "n": 1}


def test_parts_that_a_model_did_not_write_are_empty() -> None:
    assert table_files.split_fields("a", RowLayout(("p", "q"))) == {"p": "a", "q": ""}
    layout = RowLayout(("m",), turn_keys=("role", "content"))
    assert table_files.split_fields(f"bot{TURN}", layout) == {
        "m": [{"role": "bot", "content": ""}, {"role": "", "content": ""}]
    }


@pytest.mark.parametrize("value, reason", [
    (3, "the column 't' must be text or a list of turns, got 3"),
    ([], "the column 't' must be text or a list of turns, got []"),
    (["a", 1], "a turn in 't' must be text or have ['role', 'content'], got 1"),
    ([{"role": "a"}], "a turn in 't' must be text or have ['role', 'content'], got {\"role\": \"a\"}"),
    ("a\x1eb", "it contains the control character U+001E"),
    ({"a": "b" * 99}, "the column 't' must be text or a list of turns, got {\"a\": \"" + "b" * 53 + "…"),
])  # fmt: skip
def test_columns_that_are_not_text_are_rejected(value: Any, reason: str) -> None:
    with pytest.raises(UndecodableError) as error:
        table_files.join_fields({"t": value}, RowLayout(("t",), turn_keys=("role", "content")))
    assert str(error.value) == reason


def test_an_item_of_several_parts_is_a_json_object_on_the_command_line() -> None:
    layout = RowLayout(("prompt", "response"))
    text = table_files.parse_argument('{"prompt": " a ", "response": "b"}', layout, 10)
    assert text == f"a{FIELD}b"
    for argument in ("a", "[1]", '{"prompt": "a"'):
        with pytest.raises(UndecodableError, match="an item consists of prompt and response: write it as a JSON"):
            table_files.parse_argument(argument, layout, 10)


def test_the_layout_of_a_table_is_that_of_its_first_valid_row(tmp_path: Path) -> None:
    empty, table = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    empty.write_text("\n[1]\n")
    table.write_text("{\n" + json.dumps({"topic": "x", "messages": [{"role": "u", "content": "v", "n": 1}]}))
    files = [tmp_path / "lines.txt", empty, table]
    layout = table_files.detect_layout(files, "utf-8", None, "topic")
    assert layout == RowLayout(("messages",), "topic", ("role", "content"))
    assert table_files.detect_layout([empty], "utf-8", None, None) is None
    for fields, label, reason in (
        (["topik"], None, "no column 'topik': the columns are topic, messages"),
        (None, "kind", "no column 'kind': the columns are topic, messages"),
    ):
        with pytest.raises(GensetError) as error:
            table_files.detect_layout(files, "utf-8", fields, label)
        assert error.value.message == reason


def test_the_nucleus_is_the_most_probable_tokens_up_to_the_share() -> None:
    odds = np.array([[1.0, 5.0, 4.0], [1.0, 1.0, 1.0]])
    assert nucleus(odds, 0.5).tolist() == [[False, True, False], [True, True, False]]
    assert nucleus(odds, 0.51).tolist() == [[False, True, True], [True, True, False]]
    assert nucleus(odds, 1.0).all()


def test_one_uniform_number_draws_one_token() -> None:
    logits = np.log(np.array([[0.3, 0.1, 0.3, 0.1, 0.2]] * 4, np.float32))
    uniform = np.array([0.0, 0.24, 0.26, 1.0])
    assert draw_tokens(logits.copy(), uniform, TokenSampling(temperature=1.0)).tolist() == [0, 1, 3, 4]
    assert draw_tokens(logits.copy(), uniform, TokenSampling(temperature=0.0)).tolist() == [4] * 4
    assert draw_tokens(logits.copy(), uniform, TokenSampling(top_p=0.5).steady()).tolist() == [4] * 4


def test_rare_words_are_dropped_and_long_texts_are_cut() -> None:
    tokenizer = TextTokenizer.train(["a b", "a b", "a c"] * 9, "words", 2, 4)
    assert tokenizer.length == 4
    rows = tokenizer.encode(["a b", "a zebra", "a b a b a"])
    assert rows[0].tolist()[-2:] == [END, PAD]
    assert DROPPED in rows[1]
    assert END not in rows[2]
    assert tokenizer.decode(rows)[0] == "a b"


def test_words_are_lower_case_and_characters_where_there_are_no_spaces() -> None:
    assert metrics.words("It's 3.5, OK!") == ["it", "'", "s", "3", ".", "5", ",", "ok", "!"]
    assert metrics.words("我喜歡 Tea。") == ["我", "喜", "歡", "tea", "。"]
    assert metrics.words("abc我!我") == ["abc", "我", "!", "我"]


@pytest.mark.parametrize("text, repetitive", [
    ("a a a", False), ("a a a a", True), ("a b a b a b", False), ("a b a b a b a b", True), ("- - - - - -", False), ("", False),
])  # fmt: skip
def test_words_are_repetitive_from_four_times_in_a_row(text: str, repetitive: bool) -> None:
    assert metrics.is_repetitive(text.split()) == repetitive


def test_the_perplexity_of_an_untrained_model_is_the_number_of_characters() -> None:
    assert CharacterModel([]).perplexity(["ab"]) == pytest.approx(1.0)
    model = CharacterModel(["ab"])
    assert 1 < model.perplexity(["ab"]) < model.perplexity(["ba"]) < model.perplexity(["zz"])
    assert model.perplexity([]) == 1.0


def test_features_have_length_one_and_ignore_nothing_but_case() -> None:
    rows = ngrams(["Hello there", "hello there", "other words"])
    assert rows.shape == (3, 1024)
    assert np.linalg.norm(rows[:, :512], axis=1) == pytest.approx(1.0)
    assert (rows[0] == rows[1]).all() and not (rows[0] == rows[2]).all()
    close = character_ngrams(["a", "hello", "hello!"])
    assert np.linalg.norm(close, axis=1) == pytest.approx(1.0)
    assert np.linalg.norm(close[1] - close[2]) < np.linalg.norm(close[0] - close[2])


def test_similarity_is_the_share_of_common_character_runs() -> None:
    similarity = TextSimilarity([fingerprint(text) for text in ("Hello,  World!", "hello world", "abcd", "abce", "!!")])
    pairs = np.array([[0, 1], [2, 3], [0, 2], [4, 4]])
    # " abcd " has the runs " ab", "abc", "bcd", "cd ", and two of them in common with " abce "
    assert similarity(pairs).tolist() == pytest.approx([1.0, 2 / 6, 0.0, 1.0])
    assert (similarity.keys[0] == similarity.keys[1]).all()


def test_words_and_the_spans_between_them_are_the_text() -> None:
    step = Swap(protect=r"#\w+")
    spans = step._spans(f"user{ROLE}it's #tag 12, 好的{TURN}x")
    assert [span.text for span in spans if span.is_word] == ["it's", "12", "好", "的", "x"]
    assert [span.text for span in spans if not span.changeable] == ["user", ROLE, " ", "#tag", " ", " ", TURN]
    assert TextSpan("a", False).is_word is False


def test_a_latent_mix_can_run_late_only_after_another_step() -> None:
    kinds = step_kinds(Text)
    mix, swap = kinds["latent_mix"](kind="latent_mix"), Swap()
    assert not may_run_late([mix, swap])
    assert may_run_late([swap, mix])
    assert not may_run_late([kinds["one_of"](kind="one_of", one_of=[swap, mix])])
    assert may_run_late([kinds["all_of"](kind="all_of", all_of=[swap, mix])])
    some = kinds["some_of"](kind="some_of", some_of=["delete", "casing"], count=(1, 2))
    assert [step.kind for step in walk([mix, some])] == ["latent_mix", "some_of", "delete", "casing"]
