//! Calls to and from the phone network, which is a carrier's `kamailio` with a `sipp` behind it.
//!
//! The carrier is at 127.0.0.2, so that its requests are told apart from those of phones.

mod dial_in;
mod failover;
mod fraud;
mod inbound;
mod outbound;
mod outcomes;
mod peers;

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use testkit::{Account, App, CallRequest, Kamailio, Network, Options, PortBlock, User};

use crate::support::{self, Stage, id_of};

/// Whose account [`INSTANCE`] is.
const NUMBER: &str = "+12345678900";
/// Calling Bot's.
pub(crate) const INSTANCE: &str = "3d913abb-aec0-4964-8fa6-3c6850c4f278";
/// Who is called in the documented examples.
pub(crate) const CALLEE: &str = "+12345678901";
/// Where notifications go that come by the directory or by the documented examples.
const CALLBACK: &str = "https://bot.contoso.com/callback";

/// A customer's account at the carrier.
const ACCOUNT: Account =
    Account { realm: "carrier.example", username: "contoso", password: User::PASSWORD, is_registered: false };

/// A carrier's addresses, which are known before there is a server.
struct Places(PortBlock);

impl Places {
    fn take() -> Self {
        Self(PortBlock::take())
    }

    /// The carrier's proxy.
    fn proxy(&self) -> SocketAddr {
        self.at(1)
    }

    /// The phone network behind it.
    fn gateway(&self) -> SocketAddr {
        self.at(2)
    }

    /// The `n`th of the carrier's addresses, from 1 to 19.
    fn at(&self, n: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), self.0.address(n).port()))
    }

    /// Starts the carrier's proxy before a server.
    async fn proxy_for(&self, stage: &Stage, account: Option<Account>) -> Kamailio {
        let network = Network { customer: stage.server.sip(), gateway: self.gateway(), account };
        Kamailio::start(self.proxy(), network).await
    }
}

/// A trunk of the directory to an address, with more of its keys. It may call numbers that begin with 1.
pub(crate) fn trunk(id: &str, peer: SocketAddr, more: &str) -> String {
    let (host, port, tenant) = (peer.ip(), peer.port(), App::CONTOSO);
    // Tests call faster than people.
    let pace = if more.contains("calls-per-second") { "" } else { "calls-per-second=100\n" };
    // A `sipp` does not know that it may be asked whether it is there.
    let health = if more.contains("options-interval-s") { "" } else { "options-interval-s=0\n" };
    format!(
        "[[trunks]]\nid='{id}'\ntenant='{tenant}'\nname='{id}'\nhost='{host}'\nport={port}\nsources=['{host}']\n\
         allowed-prefixes=['+1']\nblocked-prefixes=['+1900']\n{more}\n{pace}{health}"
    )
}

/// Contoso with two applications, one of which has a number, and with these trunks. `more` are further keys of the first
/// application.
pub(crate) fn directory(more: &str, trunks: &str) -> String {
    let tenant = App::CONTOSO;
    let permissions = "['Calls.Initiate.All','Calls.InitiateGroupCall.All','Calls.JoinGroupCall.All','Calls.AccessMedia.All']";
    let (bot, other) = (App::CALLING_BOT.id, App::TEST_BOT.id);
    let application = |App { id, name }, more: &str| {
        format!(
            "[[applications]]\nid='{id}'\nname='{name}'\nsecret-files=['app-secret']\nwebhook='{CALLBACK}'\n{more}\n"
        )
    };
    let User { id: john, name, sip_name } = User::JOHN;
    let domain = User::DOMAIN;
    [
        format!("[[tenants]]\nid='{tenant}'\nname='Contoso'\ngrants={{'{bot}'={permissions},'{other}'={permissions}}}\n"),
        application(App::CALLING_BOT, more),
        application(App::TEST_BOT, ""),
        format!(
            "[[users]]\nid='{john}'\ntenant='{tenant}'\nname='{name}'\naddress='{sip_name}@{domain}'\n\
             password-file='user-password'\n"
        ),
        format!("[[instances]]\nid='{INSTANCE}'\napplication='{bot}'\ntenant='{tenant}'\nnumbers=['{NUMBER}']\n"),
        trunks.to_owned(),
    ]
    .concat()
}

/// A server with these trunks.
async fn stage_with(trunks: &str) -> Stage {
    Stage::with(Options::new().directory(&directory("", trunks))).await
}

/// An `identitySet` of a phone number.
fn of_number(number: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.identitySet",
        "phone": {"@odata.type": "#microsoft.graph.identity", "id": number},
    })
}

/// A `participantInfo` of an application instance.
fn of_instance(id: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.participantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "applicationInstance": {"@odata.type": "#microsoft.graph.identity", "id": id},
        },
    })
}

/// The request for a call from an instance to a number.
pub(crate) fn request(stage: &Stage, instance: &str, number: &str) -> CallRequest {
    let target = json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": of_number(number),
    });
    CallRequest::to(User::JOHN, &stage.webhook.url())
        .with("source", of_instance(instance))
        .with("targets", json!([target]))
        .with("tenantId", json!(App::CONTOSO))
}

/// Creates a call from the bot's number to the callee of the examples.
async fn call(stage: &Stage) -> String {
    let reply = stage.bot.create(&request(stage, INSTANCE, CALLEE)).await.expect(201);
    id_of(&reply.json())
}

/// Creates it, and waits until it is established.
async fn established(stage: &Stage) -> String {
    let call = call(stage).await;
    stage.webhook.expect_state(&call, "established").await;
    call
}

/// Waits for a call from the phone network, told of after the first `before` notifications.
async fn incoming(stage: &Stage, before: usize) -> Value {
    support::incoming_call(&stage.webhook, before).await
}

/// Waits for a metric to have a value.
async fn expect_metric(stage: &Stage, name: &str, expected: f64) {
    testkit::eventually(&format!("{name} is {expected}"), async || {
        let value = stage.server.metric(name).await;
        (value == expected, value)
    })
    .await;
}

/// Waits until nothing is left of the calls so far.
async fn settle(stage: &Stage) {
    for gauge in ["hookswitch_calls_live", "hookswitch_media_legs", "hookswitch_sip_calls"] {
        expect_metric(stage, gauge, 0.0).await;
    }
}
