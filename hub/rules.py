"""Every bound and waiting time of the hub's rules, in one place. Times are hub seconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Rules"]

Wait = Annotated[float, Field(ge=0, le=86_400)]


class Rules(BaseModel):
    """What the hub waits for, how long, and how much it keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code_ttl_s: Annotated[Wait, Field(description="an entry code is good for so long")] = 120.0
    code_linger_s: Annotated[
        Wait, Field(description="late news of a scan is still taken for so long after that")
    ] = 900.0
    reserve_s: Annotated[
        Wait, Field(description="a phone may show signed codes for so long before its gate")
    ] = 900.0
    code_rotate_s: Annotated[
        float, Field(ge=5, le=600, description="a phone shows a new signed code so often")
    ] = 30.0
    code_overlap_s: Annotated[
        Wait, Field(description="a signed code is good for so long after the next one came")
    ] = 5.0
    guesses_max: Annotated[
        int, Field(ge=1, le=1_000, description="forged codes at a gate in a minute: an alarm")
    ] = 10
    card_groups: Annotated[
        bool, Field(description="a card tapped again lets one more person in on the same payer")
    ] = True
    card_again_s: Annotated[
        Wait, Field(description="a card tapped again so soon at the same gate is the same tap")
    ] = 3.0
    gate_seen_before_s: Annotated[
        Wait, Field(description="who taps or is let in was seen at the gate at most so long before")
    ] = 1.0
    gate_seen_after_s: Annotated[
        Wait, Field(description="or is seen there at most so long after; else: tap again")
    ] = 1.5
    tag_along_s: Annotated[
        Wait, Field(description="a body inside without a visit for so long has tagged along")
    ] = 6.0
    staff_s_max: Annotated[
        float, Field(gt=0, le=7 * 86_400, description="a visit of staff is given up after so long")
    ] = 16 * 3600.0
    bind_wait_s: Annotated[
        Wait, Field(description="after a scan, wait so long for a track in the gate's zone")
    ] = 5.0
    bind_reach_s: Annotated[
        Wait, Field(description="a position so much older than the scan still counts")
    ] = 1.0
    lost_wait_s: Annotated[
        Wait, Field(description="a lost track may be linked again for so long")
    ] = 20.0
    exit_lost_wait_s: Annotated[
        Wait, Field(description="a track lost in an exit zone is an exit after so long")
    ] = 1.5
    relink_speed_m_s: Annotated[
        float, Field(gt=0, le=10, description="how fast a lost shopper may have walked")
    ] = 1.5
    relink_slack_m: Annotated[
        float, Field(ge=0, le=10, description="how far a new track may start from a lost one")
    ] = 0.6
    relink_wait_s: Annotated[
        Wait, Field(description="a new track may be a lost shopper for so long")
    ] = 8.0
    relink_m_max: Annotated[
        float, Field(gt=0, le=50, description="and may begin at most so far away")
    ] = 2.5
    settle_delay_s: Annotated[
        Wait, Field(description="watermarks must pass the exit by so much")
    ] = 0.5
    decide_wait_s: Annotated[
        Wait, Field(description="a closed reach near a leaving shopper is waited for so long")
    ] = 3.0
    grace_s: Annotated[
        Wait, Field(description="a visit settles at the latest so long after its exit is known")
    ] = 30.0
    stall_s: Annotated[
        Wait, Field(description="without news of the floor, waits end after so long")
    ] = 900.0
    visit_s_max: Annotated[
        float, Field(gt=0, le=7 * 86_400, description="a visit is given up after so long")
    ] = 4 * 3600.0
    near_m: Annotated[
        float, Field(gt=0, le=20, description="a reach so near a shopper could be the shopper's")
    ] = 1.6
    review_probability: Annotated[
        float,
        Field(gt=0, le=1, description="an unclear reach concerns a visit from this probability"),
    ] = 0.2
    review_wait_s: Annotated[
        Wait, Field(description="unclear lines wait so long for staff; 0: they are free at once")
    ] = 0.0
    auto_refund_line_minor: Annotated[
        int, Field(ge=0, description="a disputed line up to this is refunded at once; 0: none is")
    ] = 0
    auto_refund_payer_day_minor: Annotated[
        int, Field(ge=0, description="but at most so much a payer and day")
    ] = 0
    auto_refund_payer_day_count: Annotated[
        int, Field(ge=0, description="and so many times a payer and day")
    ] = 0
    auto_refund_store_day_minor: Annotated[
        int, Field(ge=0, description="and so much in the whole store a day")
    ] = 0
    dispute_s_max: Annotated[
        float, Field(gt=0, le=3 * 366 * 86_400, description="a line may be disputed for so long")
    ] = 30 * 86_400.0
    disputes_max: Annotated[int, Field(ge=1, le=1_000, description="a visit")] = 20
    disputes_open_max: Annotated[int, Field(ge=1, le=100_000, description="in the store")] = 2_000
    late_max: Annotated[
        int, Field(ge=1, le=1_000, description="late decisions of a final visit that are kept")
    ] = 50
    gateway_tries_max: Annotated[int, Field(ge=1, le=100)] = 12
    hold_tries_max: Annotated[int, Field(ge=1, le=100)] = 4
    gateway_backoff_s: Annotated[
        Wait, Field(description="first wait after a lost answer; doubles each time")
    ] = 1.0
    gateway_backoff_s_max: Wait = 60.0
    refund_again_s: Annotated[
        Wait, Field(description="a refund without an answer is asked about anew; doubles each time")
    ] = 900.0
    refund_rounds_max: Annotated[
        int, Field(ge=0, le=20, description="and so many times, before it waits for staff only")
    ] = 6
    visits_open_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    orders_closed_kept: Annotated[
        int, Field(ge=0, le=100_000, description="closed orders in memory; the database has all")
    ] = 2_000
    visits_final_kept: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    clock_wait_s: Annotated[
        Wait, Field(description="news of a boot wait so long for its first answer to a ping")
    ] = 10.0
    sequences_waiting_max: Annotated[
        int, Field(ge=1, le=100_000, description="messages of one boot kept behind a gap")
    ] = 2_048
    boots_max: Annotated[int, Field(ge=2, le=10_000)] = 500
    tracks_max: Annotated[int, Field(ge=8, le=10_000)] = 512
    points_max: Annotated[int, Field(ge=16, le=10_000)] = 256
    reaches_open_max: Annotated[int, Field(ge=8, le=100_000)] = 2_048
    decisions_max: Annotated[int, Field(ge=64, le=1_000_000)] = 20_000
