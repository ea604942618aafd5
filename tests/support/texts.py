"""Texts of every kind, for the property tests."""

from hypothesis import HealthCheck, settings, strategies as st

# Number of texts for each property. On a busy machine, even drawing them takes long.
few = settings(max_examples=2 * settings.default.max_examples, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=3 * settings.default.max_examples, suppress_health_check=[HealthCheck.too_slow])

ODD = (
    "[SEP]",
    "[CLS]",
    "</s>",
    "<s>",
    "<sep>",
    "<cls>",
    "<pad>",
    "\x00",
    "\ud800",
    "\udfff",
    "\ud83d\ude00",  # a pair of surrogates, which Python does not join
    "\r\n",
    "\r",
    "\n",
    "\t",
    "\u00a0",
    "\u2028",
    "\u3000",
    "\u200b",
    "\ufeff",
    "\u00ad",
    "\u200d",
    "\ufe0f",
    "👨‍👩‍👧‍👦",
    "👍🏽",
    "🏳️‍🌈",
    "🇵🇹🇧🇷",
    "🇵",
    "1️⃣",
    "e\u0301",
    "a\u0323\u0302",
    "\u0301",
    "שָׁלוֹם",
    "المنارة",
    "\u202e",
    "\u0600١٢",
    "हिन्दी",
    "क्\u200dष",
    "ไทยน้ำ",
    "မြန်မာ",
    "東京の灯台",
    "각각",
    "\u1100\u1161\u11a8",
    "가나다라마바",
    "\u1100",
    "\u1161",
    "\u11a8",
    "ﬁ",
    "İstanbul",
    "straße",
    "Ǆ",
    "½",
    "㎏",
    "don't",
    "U.S.",
    "3,000.5",
    "a" * 150,
    "Donau\xaddampf\xad",
    "می\u200cخواهم",
)
WORDS = ("The lighthouse", "of", "Cabo Branco", "was built", "in 1972", "by", "Ana Ribeiro,", "keeper", "?", "x")

_characters = st.one_of(st.characters(exclude_categories=()), st.sampled_from(" \n\u0301\u200daZ0."))
_pieces = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(WORDS).map(lambda words: words + " "),
    st.text(_characters, max_size=5),
)
# Arbitrary code points, mixed with words and unusual texts, so that answers, overlaps and long texts occur.
texts = st.lists(_pieces, max_size=30).map("".join)
