"""The bounded cache."""

from __future__ import annotations

from aiorerun.codec.cache import GenerationCache


def test_what_is_used_stays_and_the_rest_goes() -> None:
    cache: GenerationCache[int, str] = GenerationCache(10)
    cache.put(0, "often used")
    for key in range(1, 1000):
        cache.put(key, str(key))
        assert cache.get(0) == "often used"
        assert len(cache) <= 20
    assert cache.get(500) is None
    assert cache.get(999) == "999"
    assert cache.get(995) == "995"


def test_the_last_ones_are_always_remembered() -> None:
    cache: GenerationCache[int, int] = GenerationCache(8)
    for key in range(100):
        cache.put(key, -key)
        assert all(cache.get(earlier) == -earlier for earlier in range(max(0, key - 3), key + 1))
