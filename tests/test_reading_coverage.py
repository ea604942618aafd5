"""Only predictions for texts that the reader's vocabulary hardly covers have a warning."""

import numpy as np
import pytest
from hypothesis import given

from quoth.reader import Reader
from quoth.reading.coverage import FEWEST_LETTERS, MOST_UNCOVERED, hardly_covered, uncovered_share
from quoth.text import replace_surrogates
from support.texts import texts

# Sentences about capitals; the shipped reader knows English.
OTHER = {
    "Thai": "กรุงเทพมหานครเป็นเมืองหลวงและนครที่มีประชากรมากที่สุดของประเทศไทย",
    "Japanese": "東京都は日本の首都である。人口は約1400万人で、日本で最も人口の多い都市です。",
    "Chinese": "北京是中华人民共和国的首都,人口超过两千万,是中国的政治文化中心。",
    "Russian": "Москва — столица России, город федерального значения.",
    "Greek": "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
    "Hindi": "नई दिल्ली भारत की राजधानी है और यमुना नदी के किनारे बसी है।",
    "Arabic": "القاهرة هي عاصمة جمهورية مصر العربية",
    "Korean": "서울은 대한민국의 수도이자 최대 도시이다.",
    "Hebrew": "ירושלים היא עיר הבירה של מדינת ישראל",
}
LATIN = {
    "English": "The café “Crème” – opened in 1902 – is Zoë’s favourite. → • ✓ €",
    "English with a Thai name": "The Thai name กรุงเทพมหานคร means city of angels, as the guide says in many words.",
    "German": "München ist die Hauptstadt des Freistaates Bayern; größte Stadt, schöne Häuser über Füßen.",
    "Polish": "Zażółć gęślą jaźń, Łódź jest miastem w środkowej Polsce",
    "Turkish": "İstanbul, Türkiye’nin en kalabalık şehridir, ığdır çığ",
    "Vietnamese": "Hà Nội là thủ đô của nước Cộng hòa xã hội chủ nghĩa Việt Nam.",
    "symbols": "→ • ✓ € 5",
}


@pytest.fixture(scope="module")
def reader():
    return Reader.load()


@pytest.mark.parametrize("language", OTHER)
def test_a_text_in_another_script_has_a_warning(reader, language):
    prediction = reader.answer("What is the capital?", OTHER[language], null_threshold="never")
    assert "covers little of the text" in prediction.warning
    assert prediction.to_dict()["warning"] == prediction.warning


@pytest.mark.parametrize("language", LATIN)
def test_a_text_in_latin_letters_has_none(reader, language):
    assert reader.answer("What is the capital?", LATIN[language]).warning is None


def test_the_warning_is_about_the_text_of_the_best_answer(reader):
    texts = [OTHER["Thai"], "The capital of Austria is Vienna."]
    assert reader.answer("What is the capital of Austria?", texts, null_threshold="never").warning is None


def test_a_han_character_is_a_word():
    # As in the vocabulary of a Chinese BERT, which has a token for each; token 0 is the unknown one.
    offsets = np.array([[0, 1], [1, 2], [2, 3], [3, 4]], np.int32)
    assert uncovered_share("北京首都", np.array([5, 6, 7, 8], np.int32), offsets, 0) == 0
    assert uncovered_share("北京首都", np.array([5, 0, 7, 0], np.int32), offsets, 0) == 0.5


@given(text=texts)
def test_the_shortcut_agrees_with_the_exact_share(reader, text):
    text = replace_surrogates(text)
    (tokens,) = reader.tokenizer.encode([text])
    share = uncovered_share(text, tokens.ids, tokens.offsets, None)
    assert 0 <= share <= 1
    letters = sum(point >= "\u00c0" for point in text)
    expected = share > MOST_UNCOVERED and letters >= FEWEST_LETTERS
    assert hardly_covered(text, tokens.ids, tokens.offsets, None) == expected
