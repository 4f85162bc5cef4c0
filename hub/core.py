"""The hub's rules as one deterministic fold: messages, commands and time in, effects out.

    core = HubCore(store, attributor_factory, Rules())
    effects = core.handle(envelope, now_s)

`handle` only takes news in; whatever depends on time passing (deciding, losing, settling, asking
again) happens in `tick`, so that the same inputs in the same order give the same effects however
they were batched. No clock, randomness, id or I/O of its own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from contracts.codec import message_of
from contracts.envelope import Envelope
from contracts.errors import ContractError
from contracts.messages import Message, NodeBorn
from contracts.store_file import StoreFile
from hub import commands as c
from hub.attribution.model import Decision
from hub.carts.model import named
from hub.catalog import goods
from hub.catalog import service as catalog
from hub.chain import canonical
from hub.devices import service as devices
from hub.devices.model import Admission, Boot, Device
from hub.disputes import service as disputes
from hub.effects import NOTHING, Effects, EventLog
from hub.errors import HubError, RejectedError
from hub.inventory import restocking, watch
from hub.inventory import service as inventory
from hub.later import dump_later, restore_later
from hub.levels import SILENT_LEVEL
from hub.parcels import alarms, returns, room, routes, sessions, stowing
from hub.parcels import service as parcels
from hub.retention import service as retention
from hub.review.decide import decide_review, looked_at
from hub.review.policy import policy_of, set_aftercare
from hub.rules import Rules
from hub.state import AttributorFactory, HubState, decision_data, ground_of
from hub.visits import desk, entry, leaving, scans, settlement, tagalong, taps
from hub.visits.model import Visit
from hub.wallet import answers, balances, chargebacks, debts, funding, payments, refunds
from hub.wallet.service import Account, Wallets
from hub.wallet.told import told

__all__ = ["HubCore"]

FORGET_TRACKS_S = 120.0
FORGET_REACHES_S = 60.0
HANDLERS: Mapping[type, Callable[[HubState, Any], c.Reply]] = {
    c.OpenVisit: entry.open_visit,
    c.RenewCode: entry.renew_code,
    c.RefundVisit: disputes.refund,
    c.OpenDispute: disputes.open_dispute,
    c.DecideDispute: disputes.decide_dispute,
    c.DecideReview: decide_review,
    c.SetAftercare: set_aftercare,
    c.GatewayAnswered: answers.answered,
    c.GatewayTold: told,
    c.ChangePrice: catalog.change_price,
    c.ChangeVat: catalog.change_vat,
    c.AddPromotion: goods.add_promotion,
    c.EndPromotion: goods.end_promotion,
    c.SetAgeLimit: goods.set_age_limit,
    c.SetSaleHours: goods.set_sale_hours,
    c.CloseProduct: goods.close_product,
    c.ReopenProduct: goods.reopen_product,
    c.RecallProduct: goods.recall_product,
    c.LiftRecall: goods.lift_recall,
    c.ConfirmAge: goods.confirm_age,
    c.SetGoodsPolicy: watch.set_policy,
    c.ReleaseNode: watch.release_node,
    c.Restock: inventory.restock,
    c.CountSlot: restocking.count_slot,
    c.StartRestocking: restocking.start_restocking,
    c.MoveStock: restocking.move_stock,
    c.ConfirmMove: restocking.confirm_move,
    c.FinishRestocking: restocking.finish_restocking,
    c.FindPieces: restocking.find_pieces,
    c.ResolveFind: restocking.resolve_find,
    c.ChangePlanogram: restocking.change_planogram,
    c.Resume: leaving.resume,
    c.Adopt: scans.adopt,
    c.CodeJudged: scans.code_judged,
    c.GrowGroup: entry.grow_group,
    c.TapCard: taps.tap_card,
    c.LetIn: desk.let_in,
    c.OpenForTrack: desk.open_for_track,
    c.AssignTrack: desk.assign_track,
    c.EndVisit: desk.end_visit,
    c.SettleAtDesk: desk.settle_at_desk,
    c.SetSettling: settlement.set_settling,
    c.AddBadge: scans.add_badge,
    c.RevokeBadge: scans.revoke_badge,
    c.Forget: retention.forget,
    c.TrustDevice: devices.trust,
    c.OpenWallet: balances.open_wallet,
    c.SetOrder: balances.set_order,
    c.TopUp: balances.top_up,
    c.IssueGiftCard: balances.issue_gift_card,
    c.BlockGiftCard: balances.block_gift_card,
    c.ClaimGiftCard: balances.claim_gift_card,
    c.RedeemGiftCard: balances.redeem_gift_card,
    c.UseGiftCard: balances.use_gift_card,
    c.PayDebt: debts.pay_debt,
    c.WaiveDebt: debts.waive_debt,
    c.AddTip: debts.add_tip,
    c.RetryRefund: refunds.retry_refund,
    c.SettleRefund: refunds.settle_refund,
    c.DecideChargeback: chargebacks.decide,
    c.PlaceOrder: parcels.place_order,
    c.RecallOrder: parcels.recall_order,
    c.AddParcel: parcels.add_parcel,
    c.CancelOrder: parcels.cancel_order,
    c.ReleaseOrder: parcels.release_order,
    c.ReportMissing: parcels.report_missing,
    c.StowParcel: stowing.stow_parcel,
    c.ScanAtWall: sessions.scan_at_wall,
    c.OpenAtWall: sessions.open_at_wall,
    c.CalibrateWall: alarms.calibrate_wall,
    c.ClearAlarm: alarms.clear_alarm,
    c.ReturnGoods: returns.return_goods,
    c.LoadRoute: routes.load_route,
    c.MoveRoute: routes.move_route,
}
"""What does each command to the state; those that touch the core itself are in `_do`."""


class HubCore:
    """State and rules of one store's hub."""

    def __init__(
        self, store: StoreFile, factory: AttributorFactory, rules: Rules | None = None
    ) -> None:
        self.state = HubState.fresh(store, factory, rules or Rules())
        self.applying: tuple[str, str, int] | None = None
        self.unread: list[tuple[str, str, int, str]] = []
        self._stirred = False
        self._held: dict[tuple[str, str], Boot] = {}

    # -- inputs ---------------------------------------------------------------------------

    def admit(self, item: Envelope) -> Admission:
        """What would become of a message; changes nothing."""
        return self.state.devices.admit(item.deviceid, item.bootid, item.sequence)

    def handle(self, item: Envelope, now_s: float) -> Effects:
        """Takes an admitted message in, and with it those that waited for it.

        A message that cannot be understood fills its place without effect; `unread` names it.
        """
        return self._take(item, now_s, skip=False)

    def skip(self, item: Envelope, now_s: float) -> Effects:
        """Fills a message's place without effect: it is known to break the rules' own code."""
        return self._take(item, now_s, skip=True)

    def tick(self, now_s: float) -> Effects:
        """Time passed: decide, give up waiting, settle, ask the gateway again."""
        self._at(now_s)
        state = self.state
        self._release_overdue()
        for decision in state.attributor.decide(now_s=state.now_s):
            self._decided(decision)
        funding.watch(state)
        entry.expire_codes(state)
        entry.bind_waiting(state)
        leaving.watch_lost(state)
        tagalong.watch_tag_along(state)
        settlement.settle_ready(state)
        payments.capture_tabs(state)
        disputes.refund_due(state)
        refunds.ask_parked(state)
        room.tick(state)
        answers.ask_again(state)
        self._forget()
        if state.shelves.stale and self.quiet:
            # Staff moved goods: attribution takes the shelves up as they are, nobody being there.
            self._renew()
        effects = self._taken()
        self._stirred = False
        return effects

    def command(self, command: c.Command, now_s: float) -> tuple[c.Reply, Effects]:
        """Does a command, or raises RejectedError and changes nothing."""
        before = self.state.now_s, self._stirred
        self._at(now_s)
        key: str | None = getattr(command, "once_key", None)
        if key is not None and key in self.state.once:
            return c.Reply(repeated=True), self._taken()
        try:
            reply = self._do(command)
        except HubError:
            # It is in no journal, so that not even its moment may stay.
            self.state.now_s, self._stirred = before
            raise
        if key is not None:
            self.state.remember(key)
        return reply, self._taken()

    # -- reading --------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether time passing may change anything."""
        state = self.state
        return bool(
            self._stirred
            or self._held
            or state.asks
            or state.reaches
            or state.aftercare.due
            or state.open_visits()
            or room.busy(state)
        )

    def due(self, now_s: float) -> bool:
        """Whether something that waits for a time, and for nothing else, has come."""
        state = self.state
        return (
            payments.tab_due(state, now_s)
            or refunds.refund_due(state, now_s)
            or room.due(state, now_s)
        )

    @property
    def quiet(self) -> bool:
        """Whether replay may begin here: nobody in the store and nothing on its way."""
        state = self.state
        return not (
            self._held
            or state.asks
            or state.reaches
            or state.open_visits()
            or room.busy(state)
            or any(boot.waiting for d in state.devices.all.values() for boot in d.boots.values())
        )

    def undated(self, device_id: str) -> bool:
        """Whether news of a device wait for an answer to a ping."""
        return any(name == device_id for name, _boot in self._held)

    def digest(self) -> str:
        """SHA-256 of the state: equal after a replay of the same inputs."""
        return hashlib.sha256(canonical(self.dump()).encode()).hexdigest()

    def dump(self) -> dict[str, Any]:
        """The state as JSON values; complete when `quiet`."""
        state = self.state
        return {
            **dump_later(state),
            "now_s": state.now_s,
            "log": [state.log.number, state.log.head],
            "devices": state.devices.dump(),
            "floor_s": state.floor.time_s,
            "visits": [visit.dump() for visit in state.visits.values()],
            "catalog": state.catalog.dump(),
            "stock": state.stock.dump(),
            "wallets": state.wallets.dump(),
            "blind": [[*key, kind] for key, kind in sorted(state.blind.items())],
            "counters": dict(sorted(state.counters.items())),
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Takes up a `quiet` state again, with a fresh attributor."""
        state = self.state
        state.now_s = dumped["now_s"]
        state.log = EventLog(*dumped["log"])
        state.devices.restore(dumped["devices"])
        state.floor.time_s = dumped["floor_s"]
        state.catalog.restore(dumped["catalog"])
        state.stock.restore(dumped["stock"])
        state.wallets = Wallets.load(dumped["wallets"])
        state.blind = {(device, sensor): kind for device, sensor, kind in dumped["blind"]}
        state.counters = dict(dumped["counters"])
        restore_later(state, dumped)
        for row in dumped["visits"]:
            self._known(Visit.load(row))
        self._renew()

    # -- inside ---------------------------------------------------------------------------

    def _at(self, now_s: float) -> None:
        if now_s > self.state.now_s:
            self.state.now_s = now_s
        self._stirred = True

    def _take(self, item: Envelope, now_s: float, *, skip: bool) -> Effects:
        self._at(now_s)
        device = self.state.devices.all[item.deviceid]
        ready = self.state.devices.take(
            item.deviceid, item.bootid, item.sequence, None if skip else item
        )
        self._apply(device, ready)
        effects = self._taken()
        self.applying = None
        return effects

    def _apply(self, device: Device, ready: Iterable[tuple[Boot, Envelope]]) -> None:
        for boot, item in ready:
            self.applying = (item.deviceid, item.bootid, item.sequence)
            if boot.heard_s is None:
                boot.heard_s = self.state.now_s
            message = self._read(item)
            if message is None:
                continue
            if boot.held or self._must_wait(boot, message):
                boot.clock.heard(now_s=self.state.now_s, device_us=item.monotonicus)
                boot.held.append((item, message))
                self._held[device.device_id, boot.boot_id] = boot
            else:
                devices.apply_message(self.state, device, boot, item, message)

    def _read(self, item: Envelope) -> Message | None:
        try:
            message = message_of(item)
        except ContractError as error:
            self._unread(item, str(error))
            return None
        if isinstance(message, devices.SEQUENCED):
            return message
        self._unread(item, f"{item.type} is not a sequenced message")
        return None

    def _must_wait(self, boot: Boot, message: Message) -> bool:
        """Whether a boot's clock must be known first.

        A node that was cut off has much to tell when it is heard again. Before it has answered a
        ping nobody knows when that was, and a reach dated to another moment is another shopper's.
        That it was born needs no date.
        """
        return (
            boot.clock.best is None
            and self.state.now_s < (boot.heard_s or 0.0) + self.state.rules.clock_wait_s
            and not isinstance(message, NodeBorn)
        )

    def _release(self, device_id: str, boot_id: str) -> None:
        boot = self._held.pop((device_id, boot_id), None)
        if boot is not None:
            held, boot.held = boot.held, []
            for item, message in held:
                self.applying = (device_id, boot_id, item.sequence)
                devices.apply_message(
                    self.state, self.state.devices.all[device_id], boot, item, message
                )
            self.applying = None

    def _release_overdue(self) -> None:
        for (device_id, boot_id), boot in list(self._held.items()):
            if not self._must_wait(boot, boot.held[0][1]):
                self._release(device_id, boot_id)

    def _unread(self, item: Envelope, reason: str) -> None:
        self.unread.append((item.deviceid, item.bootid, item.sequence, reason))
        self.state.count("messages_unread")

    def _taken(self) -> Effects:
        effects = self.state.effects
        if effects.stock:
            watch.watch_slots(self.state)
        room.refresh(self.state)
        if not effects and not effects.clocks and not effects.walls:
            return NOTHING
        self.state.effects = Effects()
        return effects

    def _do(self, command: c.Command) -> c.Reply:
        handler = HANDLERS.get(type(command))
        if handler is not None:
            return handler(self.state, command)
        match command:
            case c.PongArrived():
                if devices.pong(self.state, command):
                    self._release(command.device_id, command.boot_id)
                return c.Reply()
            case c.Rebase():
                if not self.quiet:
                    raise RejectedError("expected no open visit to begin anew from")
                self._renew()
                return c.Reply()
            case c.Recall():
                return self._recall(command)
            case c.GiveUpGap():
                ready = devices.give_up_gap(self.state, command)
                self._apply(self.state.devices.all[command.device_id], ready)
                self.applying = None
                return c.Reply()
            case _:
                raise RejectedError(f"expected a command, got {type(command).__name__}")

    def _recall(self, command: c.Recall) -> c.Reply:
        visit = Visit.load(command.record["visit"])
        if visit.open or visit.visit_id in self.state.visits:
            raise RejectedError(f"expected a closed visit of the past, got {visit.visit_id}")
        self._known(visit)
        if command.record["account"] is not None:
            self.state.wallets.accounts[visit.visit_id] = Account.load(command.record["account"])
        return c.Reply(visit_id=visit.visit_id)

    def _known(self, visit: Visit) -> None:
        self.state.visits[visit.visit_id] = visit
        self.state.by_token[visit.token_sha256] = visit.visit_id

    def _decided(self, decision: Decision) -> None:
        state = self.state
        reach = state.reaches.pop(decision.reach_id, None)
        if reach is not None:
            watch.note_teller(state, decision.reach_id, reach.device_id)
        key = (decision.reach_id, decision.line)
        if key in state.aftercare.reviewed:
            # Staff have looked; what the attributor thinks since is remembered and moves nothing.
            state.aftercare.reviewed[key] = decision
            state.count("decisions_after_review")
            return
        decision = looked_at(state, watch.believe(state, decision))
        before = state.carts.apply(decision)
        state.effects.named.update(named(decision), () if before is None else named(before))
        owner = decision.best.visit_id
        visit = state.visits.get(owner) if owner is not None else None
        late = owner is not None and (visit is None or not visit.open)
        by_staff = visit is not None and visit.kind == "staff" and not late
        # What nobody known puts on a shelf is staff's too while they restock.
        unknown = owner is None and decision.best.quantity < 0
        moving = restocking.staff_filled(state, decision, staff=by_staff or unknown)
        if by_staff:
            touched = inventory.moved_by_staff(state, moving)
        else:
            touched = state.stock.apply(moving, None if late else owner)
        state.effects.stock.update(touched)
        watch.note_strays(state, decision, touched)
        kind = "decision.late" if late else "decision.made"
        if before is not None and not late:
            kind = "decision.revised"
            if before.best.visit_id in state.visits:
                state.effects.visits.add(str(before.best.visit_id))
        if late and visit is not None and policy_of(state).review_wait_s > 0:
            visit.late.append(dict(decision_data(decision)))
            del visit.late[: -state.rules.late_max]
        state.event(kind, owner, **decision_data(decision))
        goods.notice_cart(state, decision, None if late else visit)

    def _renew(self) -> None:
        state = self.state
        state.carts.clear()
        state.aftercare.reviewed.clear()
        state.stock.forget_moves()
        state.shelves.tellers.clear()
        state.shelves.stale = False
        state.floor.tracks.clear()
        state.tagged.clear()
        for device in state.devices.all.values():
            for boot in device.boots.values():
                boot.open_reaches = ()
        state.attributor = state.factory(
            ground_of(state.store, state.stock, state.shelves.planogram)
        )
        state.hold_level(state.level)
        self._stirred = False

    def _forget(self) -> None:
        state = self.state
        state.floor.forget_older(state.floor.time_s - FORGET_TRACKS_S)
        old = [
            reach.reach_id
            for reach in state.reaches.values()
            if state.now_s - reach.heard_s > FORGET_REACHES_S
            and (reach.t_close_s is not None or not self._still_open(reach.reach_id))
        ]
        for reach_id in old:
            del state.reaches[reach_id]

    def _still_open(self, reach_id: str) -> bool:
        state = self.state
        # A node that is gone for good may never say that the reach has ended.
        since_s = state.now_s - state.rules.stall_s if state.level >= SILENT_LEVEL else -math.inf
        return any(
            reach.reach_id == reach_id
            for device in state.devices.all.values()
            if device.boot is not None and (device.boot.watermark_s or 0.0) >= since_s
            for reach in device.boot.open_reaches
        )
