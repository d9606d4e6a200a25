//! A directory with trunks, and a dialler whose time is a number.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use model::{
    AppId, Application, ApplicationInstance, CallerForm, Directory, NumberRule, PhoneNumber, SrtpPolicy,
    Tenant, TenantId, Timestamp, Trunk, TrunkBudget, TrunkId, TrunkPeer, TrunkTransport,
};
use trunk::{Denied, Dialler, Effect, Failure, HealthConfig, NewTrunkCall, Next, Plan, TrunkCallId};

/// A number that all trunks of these tests may call, unless they say otherwise.
pub(crate) const CALLEE: &str = "+12015550123";

pub(crate) fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

pub(crate) fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

pub(crate) fn rule(from: &str, to: &str, digits: Option<u8>) -> NumberRule {
    NumberRule { from: from.to_owned(), to: to.to_owned(), digits }
}

/// A trunk of `t` without limits that matter, which is not probed.
pub(crate) fn trunk(id: &str) -> Trunk {
    Trunk {
        id: TrunkId::from(id),
        tenant: TenantId::from("t"),
        name: id.to_owned(),
        priority: 0,
        weight: NonZeroU32::MIN,
        peer: TrunkPeer { host: format!("{id}.example"), port: None, transport: TrunkTransport::Udp },
        account: None,
        sources: vec!["192.0.2.0/24".parse().expect("a range")],
        allowed_prefixes: vec!["+".to_owned().try_into().expect("a prefix")],
        blocked_prefixes: Vec::new(),
        calls_per_second: some(1000),
        concurrent_calls: some(1000),
        options_interval: None,
        srtp: SrtpPolicy::Accepted,
        outgoing_rules: Vec::new(),
        incoming_rules: Vec::new(),
        caller_form: CallerForm::E164,
        is_trusted: false,
    }
}

fn instance(id: &str, app: &str, tenant: &str, numbers: &[&str]) -> ApplicationInstance {
    let numbers = numbers.iter().map(|text| number(text)).collect();
    ApplicationInstance {
        id: id.to_owned(),
        app: app.into(),
        tenant: tenant.into(),
        numbers,
        is_withheld: false,
    }
}

/// Two applications in two tenants: `bot` with `desk` (two numbers) and `mute` (none), `other` with `others`; `far` is
/// of `bot` in the other tenant. `t` has a number to dial in by.
pub(crate) fn directory(trunks: Vec<Trunk>, trunk_budget: TrunkBudget) -> Directory {
    let application = |id: &str| Application {
        id: AppId::from(id),
        name: id.to_owned(),
        alias: None,
        secret_hashes: Vec::new(),
        assertion_keys: Vec::new(),
        webhook: None,
        is_calling_enabled: true,
        trunk_budget,
    };
    let tenant = |id: &str, dial_in: &[&str]| Tenant {
        id: TenantId::from(id),
        name: id.to_owned(),
        grants: BTreeMap::new(),
        access_policies: BTreeMap::new(),
        dial_in_numbers: dial_in.iter().map(|text| number(text)).collect(),
    };
    let instances = [
        instance("desk", "bot", "t", &["+12345678900", "+12345678901"]),
        instance("mute", "bot", "t", &[]),
        instance("others", "other", "t", &["+12345678910"]),
        instance("far", "bot", "u", &["+12345678920"]),
    ];
    Directory {
        tenants: [tenant("t", &["+12345678800"]), tenant("u", &[])]
            .map(|tenant| (tenant.id.clone(), tenant))
            .into(),
        applications: ["bot", "other"].map(|id| (AppId::from(id), application(id))).into(),
        instances: instances.map(|instance| (instance.id.clone(), instance)).into(),
        trunks: trunks.into_iter().map(|trunk| (trunk.id.clone(), trunk)).collect(),
        ..Directory::default()
    }
}

/// A dialler, with the time in milliseconds of some day.
pub(crate) struct Harness {
    pub(crate) dialler: Dialler,
    pub(crate) directory: Directory,
    pub(crate) now: Timestamp,
}

/// More than any of these tests uses.
pub(crate) const PLENTY: TrunkBudget = TrunkBudget { calls_per_day: 100_000, minutes_per_day: 100_000 };

impl Harness {
    pub(crate) fn new(trunks: Vec<Trunk>) -> Self {
        Self::with_budget(trunks, PLENTY)
    }

    pub(crate) fn with_budget(trunks: Vec<Trunk>, budget: TrunkBudget) -> Self {
        let now = Timestamp::from_millis(20_000 * 86_400_000);
        let directory = directory(trunks, budget);
        let mut dialler = Dialler::new(HealthConfig::default());
        dialler.replace(&directory, now);
        Self { dialler, directory, now }
    }

    /// Lets time go by without doing what is due.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
    }

    /// Lets time go by and does what is due, when it is.
    pub(crate) fn advance(&mut self, millis: u64) -> Vec<Effect> {
        let until = self.now.after(Duration::from_millis(millis));
        let mut effects = Vec::new();
        while let Some(due) = self.dialler.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.dialler.handle_timeout(self.now);
            effects.extend(self.effects());
        }
        self.now = until;
        effects
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.dialler.poll_effect()).collect()
    }

    pub(crate) fn plan_as(
        &mut self,
        (app, tenant): (&str, &str),
        instance: Option<&str>,
        called: &str,
    ) -> Result<Plan, Denied> {
        let (app, tenant) = (AppId::from(app), TenantId::from(tenant));
        let call =
            NewTrunkCall { app: &app, tenant: &tenant, instance, caller: None, number: number(called) };
        self.dialler.plan(&call, &self.directory, self.now)
    }

    pub(crate) fn plan(&mut self) -> Result<Plan, Denied> {
        self.plan_as(("bot", "t"), Some("desk"), CALLEE)
    }

    /// Makes a call that is answered at once.
    pub(crate) fn talk(&mut self) -> TrunkCallId {
        let plan = self.plan().expect("it is not denied");
        self.dialler.answered(plan.call, self.now);
        plan.call
    }

    pub(crate) fn fail(&mut self, call: TrunkCallId, failure: Failure) -> Option<Next> {
        self.dialler.attempt_failed(call, failure, self.now)
    }

    pub(crate) fn end(&mut self, call: TrunkCallId) -> bool {
        self.dialler.ended(call, self.now)
    }

    /// How many calls each trunk has, in the order of their ids.
    pub(crate) fn load(&self) -> Vec<u32> {
        self.dialler.status().map(|status| status.calls).collect()
    }
}

/// The trunks of a plan, in their order.
pub(crate) fn trunks(plan: &Plan) -> Vec<&str> {
    plan.routes.iter().map(|route| route.trunk.as_str()).collect()
}

/// The trunk that is tried next.
pub(crate) fn next(next: Option<Next>) -> Option<String> {
    match next? {
        Next::Over(_) => None,
        Next::Try(route) => Some(route.trunk.as_str().to_owned()),
    }
}
