"""Levels of the rules: what holds from which on.

A database that began under an older level goes by that until a hub that knows a newer one starts on
it (hub.visits.commands.Adopt), so that its journal leads to what it led to then. A rule that would
lead an old journal elsewhere gets a level here, and looks at HubState.level; a version of an event
(hub.events.Older) counts in the same levels.
"""

from __future__ import annotations

__all__ = [
    "AGAIN_LEVEL",
    "AT_GATE_LEVEL",
    "BY_NOW_LEVEL",
    "CAME_ALONG_LEVEL",
    "DATED_LEVEL",
    "DESK_DEBT_LEVEL",
    "DOUBT_NOBODY_LEVEL",
    "DOUBT_RETURN_LEVEL",
    "DRIFTS_LEVEL",
    "EARLY_BODY_LEVEL",
    "ENDED_RIVAL_LEVEL",
    "FOUND_AGAIN_LEVEL",
    "LANES_LEVEL",
    "LATE_LIFT_LEVEL",
    "LET_GO_LEVEL",
    "LEVEL",
    "LOOKED_AT_LEVEL",
    "NAMED_LATE_LEVEL",
    "NARROW_LEVEL",
    "NEXT_IN_LINE_LEVEL",
    "NOBODYS_RIVAL_LEVEL",
    "NUMBERED_LEVEL",
    "OVERTAKEN_LEVEL",
    "OWN_NEWS_LEVEL",
    "PAID_LEG_LEVEL",
    "PLACES_LEVEL",
    "READ_BACK_LEVEL",
    "REDEEMED_LEVEL",
    "ROUTES_LEVEL",
    "SAID_PAID_LEVEL",
    "SILENT_LEVEL",
    "STILL_THERE_LEVEL",
    "TAB_LEFT_LEVEL",
    "TAB_REFUND_LEVEL",
    "TAG_ALONG_LEVEL",
    "TOLD_END_LEVEL",
    "UNANSWERED_LEVEL",
    "UNDATED_LEVEL",
    "UNHEARD_LEVEL",
    "WALL_SALES_LEVEL",
    "WENT_ALONG_LEVEL",
    "WHOSE_EXIT_LEVEL",
    "YIELDS_LEVEL",
]

TAG_ALONG_LEVEL = 1
"""Bodies that tagged along are told of."""
OVERTAKEN_LEVEL = 2
"""Late floor news of a boot that has ended revives no track."""
NAMED_LATE_LEVEL = 3
"""What a body did waits until it is known whose body it is."""
LET_GO_LEVEL = 3
"""The hold of a capture that failed is let go of."""
LANES_LEVEL = 4
"""A refund that was not paid stops no other, and is asked about again by itself."""
AT_GATE_LEVEL = 4
"""Who taps a card or is let in must be seen at the gate; no later body is taken for anybody who
came in while the floor saw nothing."""
DESK_DEBT_LEVEL = 4
"""A debt that is paid at the desk is off its wallet's list."""
NUMBERED_LEVEL = 4
"""A code of a group that was read before the one ahead of it is used up all the same."""
DATED_LEVEL = 4
"""What a boot said without anybody knowing its clock tells of no moment up to which it told."""
NARROW_LEVEL = 4
"""A body that is found to be a visit's leaves reaches alone that neither of them may have done."""
TOLD_END_LEVEL = 4
"""A visit that staff ended waits until the floor has told of that moment."""
DOUBT_NOBODY_LEVEL = 5
"""A piece was taken by nobody known only where that is as clear as a visit's pick must be."""
ENDED_RIVAL_LEVEL = 5
"""Whom staff ended while out of sight may be a body that began before: it is not another's."""
UNHEARD_LEVEL = 5
"""A refund that failed after all is owed again, also where nobody had heard that it was paid."""
CAME_ALONG_LEVEL = 6
"""What somebody put on a pick-up wall while they were served there is theirs to take again."""
UNDATED_LEVEL = 6
"""What a boot said without anybody knowing its clock charges nobody. Whose code it read is one of
its own bodies."""
DOUBT_RETURN_LEVEL = 6
"""A piece was put back by nobody known only where that is as clear as a taking must be. What staff
say was taken is not charged while it may have been put back."""
TAB_REFUND_LEVEL = 6
"""A refund that failed after all is owed again, also where a tab had paid for the visit."""
DRIFTS_LEVEL = 7
"""Clocks part also while an answer to a ping is on its way."""
EARLY_BODY_LEVEL = 7
"""A code may be that of a body which was seen before its boot's clock was known."""
NEXT_IN_LINE_LEVEL = 7
"""Who was served at a pick-up wall and is away for two seconds has gone for good."""
NOBODYS_RIVAL_LEVEL = 7
"""Who stood in the store without a visit when the floor's node stopped may be who is seen next."""
YIELDS_LEVEL = 8
"""At a pick-up wall where two are served, whose parcels wait untouched gives way to who scans; who
went while others were there too is known to have gone once nobody is there; who scans after that
moment came after them."""
WENT_ALONG_LEVEL = 9
"""What has no label and goes with a parcel that it stood at is its side, or its shadow."""
STILL_THERE_LEVEL = 10
"""Who is still before a pick-up wall may put back what they took; who scans next comes after whom
has everything."""
LOOKED_AT_LEVEL = 11
"""A piece that staff saw taken at a reach is not charged once more on another line of it; what they
saw staff take is in nobody's cart."""
SILENT_LEVEL = 11
"""A reach that a node left open which has said nothing for long is open no more."""
AGAIN_LEVEL = 11
"""A promotion under the id of one that ends, or ended, at another time is refused."""
PAID_LEG_LEVEL = 11
"""What goes back of a tab's payment is of that hold of the visit from which the refund took it."""
REDEEMED_LEVEL = 11
"""What goes back on a gift card that a wallet has redeemed is that wallet's balance."""
SAID_PAID_LEVEL = 11
"""What staff say the gateway has paid may fail after all, as what it said itself."""
TAB_LEFT_LEVEL = 11
"""Captured of a visit's share of a tab is what was left of it."""
WALL_SALES_LEVEL = 11
"""A sale at a pick-up wall ends whatever is said of the alarm about it, and not while it is on. Of
too many alarms those are forgotten first that keep nothing dark."""
OWN_NEWS_LEVEL = 11
"""A boot that has ended blinds no sensor, and a node's birth empties no wall of another's."""
FOUND_AGAIN_LEVEL = 11
"""A parcel that was missing when the rest of its order was fetched is fetched once it is found."""
ROUTES_LEVEL = 11
"""At a van's wall one route is under way; a stop shines again once its camera sees again."""
READ_BACK_LEVEL = 11
"""An order that is read back from the database has its code again, and its parcels are where they
stand by now once it is released."""
PLACES_LEVEL = 11
"""Amounts in what is told at the gate know the minor units of every currency."""
WHOSE_EXIT_LEVEL = 11
"""Where a group's member is seen again on a track that they were lost on, nobody else has left."""
BY_NOW_LEVEL = 11
"""A node that says up to when it has told has told of nothing that is still to come."""
LATE_LIFT_LEVEL = 11
"""What was lifted before somebody scanned at a pick-up wall is not theirs, however late that comes
here."""
UNANSWERED_LEVEL = 11
"""A capture that stays unanswered is a debt, or a payment that failed, once its hold is void."""
LEVEL = 11
"""The newest."""
