//! Calls to numbers of the phone network: over a trunk, or to numbers that are scripts where the lab is on.

use std::time::Duration;

use call_engine::EndCause;
use model::{
    AppId, ApplicationInstance, Directory, IdentitySet, PhoneNumber, Script, ScriptAnswer, TenantId, Tone,
};
use rtc_proto::sdp::SrtpPolicy;
use trunk::{Denied, NewTrunkCall};

use crate::context::Context;
use crate::far_end::{FarEndEvent, FarEndEvents, FarEndReport};
use crate::trunks::TrunkCall;

/// In whose name the phone network is called, and on whose budget.
#[derive(Clone, Debug)]
pub(crate) struct Payer {
    pub(crate) app: AppId,
    /// The application instance whose number calls; `None` takes the first of the application that has one.
    pub(crate) instance: Option<String>,
    /// Which number of the instance calls; `None` takes its first.
    pub(crate) number: Option<PhoneNumber>,
}

/// The number that a source names beside its application instance, to call from that.
pub(crate) fn own_number(source: &IdentitySet) -> Option<PhoneNumber> {
    source.application_instance.as_ref()?;
    PhoneNumber::parse(source.phone.as_ref()?.id.as_deref()?).ok()
}

/// The way to a number.
#[derive(Debug)]
pub(crate) enum Line {
    /// No trunk to it is up.
    Down,
    /// Nobody has the number.
    Nobody,
    /// A script has it.
    Script(Box<Script>),
    /// It is in the phone network.
    Trunk(Box<TrunkCall>),
}

impl Line {
    /// Finds the way to a number, and takes the place that it needs.
    ///
    /// # Errors
    ///
    /// Why it may not be called; that has been logged and counted.
    pub(crate) fn open(context: &Context, new: NewTrunkCall<'_>) -> Result<Self, Denied> {
        match lab(context, new.tenant, &new.number) {
            Some(line) => Self::permit(context, &new).map(|()| line),
            None => context.trunks.plan(new).map(|call| Self::Trunk(Box::new(call))),
        }
    }

    /// The same in the name of whoever pays. People have no number of their own to call from; scripts do not ask for one.
    pub(crate) fn open_for(
        context: &Context,
        tenant: &TenantId,
        payer: Option<&Payer>,
        number: PhoneNumber,
    ) -> Result<Self, Denied> {
        let Some(payer) = payer else {
            let denied = || context.trunks.person_denied(tenant, number);
            return lab(context, tenant, &number).ok_or_else(denied);
        };
        let directory = context.directory.load();
        let instance = payer.instance.as_deref().or_else(|| first_instance(&directory, tenant, &payer.app));
        Self::open(context, NewTrunkCall { app: &payer.app, tenant, instance, caller: payer.number, number })
    }

    /// Whether the application calls numbers by an instance of its own.
    pub(crate) fn permit(context: &Context, new: &NewTrunkCall<'_>) -> Result<(), Denied> {
        trunk::caller_number(new, &context.directory.load())
            .map(drop)
            .inspect_err(|denied| context.trunks.denied(new, *denied))
    }
}

impl Line {
    /// How sound is protected: as the first trunk that is tried wants it.
    pub(crate) fn srtp(&self, context: &Context) -> SrtpPolicy {
        match self {
            Self::Trunk(call) => {
                let first = call.plan.routes.first().and_then(|route| context.trunks.trunk(&route.trunk));
                first.map_or(context.config.srtp, |trunk| offered_to(trunk.srtp))
            }
            Self::Down | Self::Nobody | Self::Script(_) => context.config.srtp,
        }
    }
}

/// What a trunk's peer is offered.
const fn offered_to(policy: model::SrtpPolicy) -> SrtpPolicy {
    match policy {
        model::SrtpPolicy::Accepted | model::SrtpPolicy::Never => SrtpPolicy::Off,
        model::SrtpPolicy::Required => SrtpPolicy::Required,
    }
}

/// The application instance that an application calls from where it names none.
fn first_instance<'a>(directory: &'a Directory, tenant: &TenantId, app: &AppId) -> Option<&'a str> {
    let is_own = |instance: &&ApplicationInstance| instance.app == *app && instance.tenant == *tenant;
    let mut own = directory.instances.values().filter(is_own);
    own.find(|instance| !instance.numbers.is_empty()).map(|instance| instance.id.as_str())
}

/// Why a call has not begun, as its end says it.
pub(crate) const fn cause_of(why: Denied) -> EndCause {
    EndCause::PhoneNetwork(match why {
        Denied::AllDown | Denied::NoTrunk | Denied::TooFast { .. } | Denied::TooMany => 503,
        Denied::BudgetSpent
        | Denied::ForbiddenPrefix
        | Denied::NoInstance
        | Denied::NoNumber
        | Denied::OtherAppsInstance => 403,
    })
}

/// The test numbers are scripts wherever the lab is on; all other numbers, too, for a tenant without a trunk to call over.
fn lab(context: &Context, tenant: &TenantId, number: &PhoneNumber) -> Option<Line> {
    if context.config.is_lab_enabled { scripted(&context.directory.load(), tenant, number) } else { None }
}

fn scripted(directory: &Directory, tenant: &TenantId, number: &PhoneNumber) -> Option<Line> {
    let has_trunk = || {
        directory.trunks.values().any(|trunk| trunk.tenant == *tenant && !trunk.allowed_prefixes.is_empty())
    };
    let quiet = |answer| Script {
        answer,
        tone_hz: None,
        play_file: None,
        echo: false,
        keys: Vec::new(),
        hang_up_after: None,
    };
    let answering = || quiet(ScriptAnswer::After(Duration::from_secs(1)));
    let script = match number.as_str().strip_prefix(TEST_NUMBERS) {
        Some("1") => quiet(ScriptAnswer::Busy),
        Some("2") => quiet(ScriptAnswer::Never),
        Some("3") => return Some(Line::Nobody),
        Some("4") => quiet(ScriptAnswer::Declined),
        Some("5") => Script { echo: true, ..answering() },
        Some("6") => {
            let keys = [Tone::Digit(1), Tone::Digit(2), Tone::Digit(3), Tone::Digit(4), Tone::Pound];
            let times = (1..).map(|nth| KEY_INTERVAL * nth);
            let hang_up_after = Some(Duration::from_secs(10));
            Script { keys: times.zip(keys).collect(), hang_up_after, ..answering() }
        }
        Some(_) | None if !has_trunk() => answering(),
        Some(_) | None => return None,
    };
    Some(Line::Script(Box::new(script)))
}

/// What the test numbers begin with; the last digit says what becomes of a call.
const TEST_NUMBERS: &str = "+1500555000";

/// How fast the number presses its keys that does so: as people do.
const KEY_INTERVAL: Duration = Duration::from_millis(500);

/// Reports of a script in the words of the phone network.
pub(crate) fn as_of_phone_network(events: &FarEndEvents) -> FarEndEvents {
    let events = events.clone();
    FarEndEvents::passed_to(move |report: FarEndReport| {
        let mut event = report.event;
        if let FarEndEvent::Ended(cause @ (EndCause::Busy | EndCause::Declined)) = &mut event {
            *cause = EndCause::PhoneNetwork(if *cause == EndCause::Busy { 486 } else { 603 });
        }
        events.report(event)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_number_does_what_its_last_digit_says() {
        let directory = Directory::default();
        let of = |text: &str| scripted(&directory, &"t".into(), &text.parse().unwrap());
        let script = |text: &str| match of(text) {
            Some(Line::Script(script)) => *script,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(script("+15005550001").answer, ScriptAnswer::Busy);
        assert_eq!(script("+15005550002").answer, ScriptAnswer::Never);
        assert!(matches!(of("+15005550003"), Some(Line::Nobody)));
        assert_eq!(script("+15005550004").answer, ScriptAnswer::Declined);
        assert!(script("+15005550005").echo);
        let pressing = script("+15005550006");
        assert_eq!((pressing.keys.len(), pressing.hang_up_after), (5, Some(Duration::from_secs(10))));
        assert_eq!(script("+12345678901").answer, ScriptAnswer::After(Duration::from_secs(1)));
    }
}
