"""Our own pace stays below Telegram's limits and keeps nobody waiting for long."""

import pytest

from node_a.domain.errors import MessengerUnavailable
from tests.node_a.adapters.telegram.conftest import StandingClock


async def test_a_burst_to_one_chat_is_slowed_down() -> None:
    clock = StandingClock()
    pace = clock.pace()
    for _ in range(10):
        await pace.wait(1)
    assert clock.slept == [1.0, 1.0]


async def test_many_chats_are_served_at_the_overall_pace() -> None:
    clock = StandingClock()
    pace = clock.pace()
    for chat_id in range(75):
        await pace.wait(chat_id)
    assert len([pause for pause in clock.slept if pause]) == 60
    assert clock.now == pytest.approx(1004.0)


async def test_whoever_would_stand_in_line_too_long_is_asked_to_come_back() -> None:
    async def nobody_moves(seconds: float) -> None: ...

    clock = StandingClock()
    pace = clock.pace()
    pace.sleep = nobody_moves
    for _ in range(13):
        await pace.wait(1)
    with pytest.raises(MessengerUnavailable) as caught:
        await pace.wait(1)
    assert caught.value.retry_after == pytest.approx(6.0)
    await pace.wait(2)  # another chat is not in that line


async def test_chats_that_are_free_again_are_forgotten() -> None:
    clock = StandingClock()
    pace = clock.pace()
    for chat_id in range(10_050):
        clock.now += 0.1
        await pace.wait(chat_id)
    assert len(pace._free_at_for) < 100
