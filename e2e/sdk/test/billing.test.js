// Billing as the client knows it: subscription, schedule, prices, payment, billing information, plan.

"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");

const { refused, versions } = require("../lib/client.js");
const { engines, start } = require("../lib/server.js");

const services = ["input", "output", "analysis", "data_records", "sms", "email", "run_users", "push_notification", "file_storage"];

for (const engine of engines) {
  for (const { version, sdk } of versions) {
    describe(`SDK ${version} on ${engine}`, { timeout: 120e3 }, () => {
      let server, billing, plan, paymentMethods, paymentHistory, profile;

      before(async () => {
        server = await start(engine, { plan: "free" });
        const resources = new sdk.Resources({ token: server.first.token, region: server.region });
        ({ billing, plan, paymentMethods, paymentHistory } = resources);
        profile = server.first.profile;
      });
      after(() => server?.stop());

      test("a free account", async () => {
        const subscription = await billing.getSubscription();
        assert.equal(subscription.plan, "free");
        assert.deepEqual(Object.keys(subscription.services).sort(), [...services].sort());
        assert.equal(subscription.services.input.limit, 1_000_000);
        assert.equal(subscription.upcoming_invoice_total, 0);
        assert.equal(subscription.processing, false);
        assert.equal(await billing.getSubscriptionSummary().then((s) => s?.schedule), undefined);
        await refused(() => billing.editSubscription({ services: { input: { limit: 3_000_000 } } }), /^services: the limits of the plan free cannot be changed/);
        await refused(() => billing.editSubscription({ addons: { mobile: [profile] } }), /^addons: the plan free has no add-ons/);
      });

      test("prices", async () => {
        const prices = await billing.getPrices();
        const prorated = await billing.getProratedPrices();
        assert.deepEqual(prorated.plans, prices.plans);
        assert.deepEqual(Object.keys(prorated).sort(), Object.keys(prices).sort());
        assert.deepEqual(prices.plans.find((p) => p.name === "starter"), { name: "starter", price: 4900 });
        assert.deepEqual(await plan.getCurrentPrices(), prices);
      });

      test("more comes at once", async () => {
        assert.ok(await billing.editSubscription({ plan: "starter" }));
        assert.ok(await billing.editSubscription({ plan: "starter" }), "the same once more is said, too");
        await billing.editSubscription({ services: { sms: { limit: 500 } } });
        await billing.editSubscription({ addons: { custom_dns: [profile] } });
        const subscription = await billing.getSubscription();
        assert.equal(subscription.plan, "starter");
        assert.equal(subscription.services.sms.limit, 500);
        assert.deepEqual(subscription.addons.custom_dns, [profile]);
        assert.equal(subscription.upcoming_invoice_total, 4900 + 1250 + 9900);
        assert.ok(new Date(subscription.current_cycle.end) > new Date());
        assert.deepEqual(await billing.getSubscriptionSummary(), {
          processing: false, payment_error: null, past_due: false, not_enough_balance: false, schedule: false,
        });
        assert.equal((await plan.getActivePlan()).plan, "starter");
        await refused(() => billing.editSubscription({ plan: "scale", addons: {} }), /^plan: give exactly one of plan, services and addons/);
        await refused(() => billing.editSubscription({ plan: "scale", coupon: "X" }), /^coupon: there is no coupon/);
      });

      test("less waits", async () => {
        assert.equal((await billing.getSubscriptionSchedule()).release_at, null);
        await billing.editSubscription({ services: { sms: { limit: 100 } } });
        const schedule = await billing.getSubscriptionSchedule();
        assert.ok(new Date(schedule.release_at) > new Date());
        assert.deepEqual(schedule.subscription.services.sms, { limit: 100, proportional_change: -400 });
        assert.equal((await billing.getSubscription()).services.sms.limit, 500);
        assert.equal((await billing.getSubscriptionSummary()).schedule, true);
        assert.equal(typeof (await billing.cancelDowngrade()), "string");
        await refused(() => billing.cancelDowngrade(), /^Nothing is scheduled/);
      });

      test("plan.setPlanParameters", async () => {
        assert.equal(typeof (await plan.setPlanParameters({ plan: "scale", email: 1000 })), "string");
        const subscription = await billing.getSubscription();
        assert.equal(subscription.plan, "scale");
        assert.equal(subscription.services.email.limit, 1000);
      });

      test("there are no cards, coupons or payments that wait", async () => {
        assert.equal((await billing.getPaymentMethod()).card, null);
        assert.equal((await paymentMethods.list()).card, null);
        await refused(() => billing.editPaymentMethod("tok_1"), /^This server takes no cards/);
        await refused(() => paymentMethods.create({ name: "Mine", token: "tok_1" }), /^This server takes no cards/);
        await refused(() => billing.removePaymentMethod(), /^Payment Method Not Found/);
        await refused(() => paymentMethods.delete("0123456789abcdef01234567"), /^Payment Method Not Found/);
        await refused(() => billing.checkDiscountCoupon("X"), /^Coupon Not Found/);
        await refused(() => billing.retryLastPayment(), /^No payment is pending/);
        await refused(() => billing.cancelLastOperation(), /^No payment is pending/);
        assert.deepEqual(await billing.getPaymentHistory({ amount: 5 }), []);
        assert.deepEqual(await paymentHistory.getHistory(), []);
        await refused(() => billing.getPaymentHistory({ amount: 5, lastId: "in_1" }), /^last_id: /);
      });

      test("billing information", async () => {
        assert.equal(typeof (await billing.editBillingInformation({ company: "Harbour Ltd", city: "Kiel" })), "string");
        await billing.editBillingInformation({ comments: "VAT 1" });
        const info = await billing.getBillingInformation();
        assert.equal(info.company, "Harbour Ltd");
        assert.equal(info.city, "Kiel");
        assert.equal(info.comments, "VAT 1");
        assert.equal(info.country, null);
        assert.equal(info.payment_method, null);
      });

      test("allocation", async () => {
        const [row, ...more] = await billing.getAllocation();
        assert.equal(more.length, 0);
        assert.equal(row.profile, profile);
        assert.equal(row.email, 1000);
        await refused(() => billing.editAllocation([{ profile, input: 1 }]), /./);
      });
    });
  }
}
