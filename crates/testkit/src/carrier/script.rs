use std::net::SocketAddr;
use std::time::Duration;

use sip_message::StatusCode;

/// Who calls from the phone network, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The number in `From`, as the carrier writes it.
    pub from: String,
    /// The number in `P-Asserted-Identity`, where there is one.
    pub asserted: Option<String>,
    /// The number that is called, as the carrier writes it.
    pub to: String,
    /// More header fields, each `Name: value` on a line of its own.
    pub headers: String,
}

impl Caller {
    /// One whose number the carrier asserts.
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            asserted: Some(from.to_owned()),
            to: to.to_owned(),
            headers: String::new(),
        }
    }

    /// Adds a header field to the INVITE.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers = format!("{}\n{name}: {value}", self.headers);
        self
    }
}

/// Which way sound goes, seen from the carrier (RFC 3264, 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both ways.
    Both,
    /// Only to the carrier.
    In,
    /// Nowhere.
    Neither,
    /// Only from the carrier: it holds the call.
    Out,
}

impl Way {
    const fn attribute(self) -> &'static str {
        match self {
            Self::Both => "sendrecv",
            Self::In => "recvonly",
            Self::Neither => "inactive",
            Self::Out => "sendonly",
        }
    }
}

/// What a carrier does in a call, one thing after the other: a scenario of `sipp`.
///
/// Whatever comes that the next step does not wait for fails the scenario.
#[derive(Clone, Debug)]
pub struct Script {
    steps: Vec<String>,
    /// Where its own INVITE goes, in a call that it makes, and what is in it that does not change.
    target: String,
    invite: String,
    /// The number of its last request, and of its last INVITE.
    cseq: u32,
    invite_cseq: u32,
    /// How many descriptions of its sound it has sent.
    versions: u32,
    /// How many places of the scenario have a name.
    labels: u32,
    /// Whether keys are telephone events.
    pub(super) has_events: bool,
}

/// Stands for the address of the carrier's sound until that is known.
const SOUND_IP: &str = "@SOUND_IP@";
const SOUND_PORT: &str = "@SOUND_PORT@";

/// What says that keys are telephone events.
const EVENTS_TYPE: &str = " 101";
const EVENTS: &str = "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n";

/// Where responses to an INVITE go, also once another request has come.
const KEEP_WAY_BACK: &str = r#"
    <ereg regexp="(Via: SIP/2.0/[A-Z]+ [^[:space:]]+[[:space:]]+)+" search_in="msg" check_it="true" assign_to="vias"/>
    <ereg regexp="(Record-Route: [^[:space:]]+[[:space:]]+)+" search_in="msg" assign_to="recorded"/>
    <ereg regexp=".*" search_in="hdr" header="CSeq:" check_it="true" assign_to="invited"/>"#;

/// Both ends of a call that came in, as they stand in responses; the other way round in requests.
const KEEP_CALLER: &str = r#"
    <ereg regexp=".*" search_in="hdr" header="From:" check_it="true" assign_to="far"/>
    <ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="called"/>
    <assignstr assign_to="near" value="[$called];tag=[pid]-[call_number]"/>"#;

/// Both ends of a call that was made.
const KEEP_CALLEE: &str = r#"
    <ereg regexp=".*" search_in="hdr" header="From:" check_it="true" assign_to="near"/>
    <ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="far"/>"#;

/// What is kept of messages.
const VARIABLES: [&str; 6] = ["vias", "recorded", "invited", "far", "called", "near"];

const PROVISIONAL: &str = r#"<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>"#;

const CONTACT: &str = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>";
const AGAIN: &str = "retrans=\"500\"";

impl Script {
    /// It is called: an INVITE comes.
    pub fn called() -> Self {
        Self::new(String::new(), String::new()).is_invited()
    }

    /// It calls somebody.
    pub fn calling(caller: &Caller) -> Self {
        let Caller { from, asserted, to, headers } = caller;
        let asserted =
            asserted.as_ref().map(|number| format!("\nP-Asserted-Identity: <sip:{number}@[local_ip]>"));
        let target = format!("sip:{to}@[remote_ip]:[remote_port]");
        let invite = format!(
            "INVITE {target} SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             Max-Forwards: 70\n\
             From: <sip:{from}@[local_ip]>;tag=[pid]-[call_number]\n\
             To: <sip:{to}@[remote_ip]>\n\
             Call-ID: [call_id]\n\
             {CONTACT}\n\
             Supported: 100rel\n\
             Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK{}{headers}",
            asserted.unwrap_or_default()
        );
        Self::new(target, invite).invites("")
    }

    fn new(target: String, invite: String) -> Self {
        Self {
            steps: Vec::new(),
            target,
            invite,
            cseq: 0,
            invite_cseq: 0,
            versions: 0,
            labels: 0,
            has_events: true,
        }
    }

    /// Keys are heard as sound: it knows no telephone events (RFC 4733).
    #[must_use]
    pub fn with_keys_as_sound(mut self) -> Self {
        self.has_events = false;
        self
    }

    fn invites(mut self, headers: &str) -> Self {
        self.cseq += 1;
        self.invite_cseq = self.cseq;
        let invite = format!("{}\nCSeq: {} INVITE", self.invite, self.cseq);
        self.send(AGAIN, &lines(&invite, headers), Some(Way::Both))
    }

    /// An INVITE comes, the first of the call or one that follows a challenge.
    #[must_use]
    pub fn is_invited(self) -> Self {
        self.step(format!(
            "<recv request=\"INVITE\" rrs=\"true\"><action>{KEEP_WAY_BACK}{KEEP_CALLER}</action></recv>"
        ))
    }

    /// An INVITE comes within the call. It is answered by [`Self::answers`] or [`Self::replies`].
    #[must_use]
    pub fn is_offered_a_change(self) -> Self {
        self.step(format!("<recv request=\"INVITE\"><action>{KEEP_WAY_BACK}</action></recv>"))
    }

    /// It answers the INVITE without a description. Where that refuses, it waits for the ACK.
    #[must_use]
    pub fn replies(self, status: u16) -> Self {
        self.replies_with(status, "")
    }

    /// The same with more header fields, each `Name: value` on a line of its own.
    #[must_use]
    pub fn replies_with(self, status: u16, headers: &str) -> Self {
        if status < 200 {
            return self.send("", &reply(status, headers), None);
        }
        self.send(AGAIN, &reply(status, headers), None).takes_ack()
    }

    /// It lets the one who calls hear something before anybody answers: 183 with a description.
    #[must_use]
    pub fn sounds_early(self) -> Self {
        self.send("", &reply(183, CONTACT), Some(Way::Both))
    }

    /// The same, and wants to know that this arrived: it waits for the PRACK (RFC 3262, 3).
    #[must_use]
    pub fn sounds_early_reliably(self) -> Self {
        let headers = format!("{CONTACT}\nRequire: 100rel\nRSeq: 1");
        self.send(AGAIN, &reply(183, &headers), Some(Way::Both)).takes("PRACK")
    }

    /// It answers the INVITE with 200 and a description, and waits for the ACK.
    #[must_use]
    pub fn answers(self) -> Self {
        self.answers_with(Way::Both, "")
    }

    /// The same, with sound that goes only so, and with more header fields.
    #[must_use]
    pub fn answers_with(self, way: Way, headers: &str) -> Self {
        self.send(AGAIN, &reply(200, &lines(CONTACT, headers)), Some(way)).takes_ack()
    }

    /// The one who calls gives up while it rings: CANCEL, 487, ACK.
    #[must_use]
    pub fn is_cancelled(self) -> Self {
        self.takes("CANCEL").replies(487)
    }

    /// The callee answers just as the one who calls gives up: a CANCEL comes, and finds the call answered.
    #[must_use]
    pub fn is_cancelled_too_late(self) -> Self {
        self.takes("CANCEL").answers()
    }

    /// It refuses the INVITE with a challenge, and checks what the next one answers to that (RFC 3261, 22.2).
    #[must_use]
    pub fn challenges(self, realm: &str, username: &str, password: &str) -> Self {
        let challenge =
            format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"5d2a0b7e\", algorithm=MD5");
        let script = self.replies_with(401, &challenge);
        let check =
            format!("<verifyauth assign_to=\"authorized\" username=\"{username}\" password=\"{password}\"/>");
        script
            .step(format!(
                "<recv request=\"INVITE\" rrs=\"true\"><action>{KEEP_WAY_BACK}{KEEP_CALLER}\n{check}</action></recv>"
            ))
            .step(
                "<nop condexec=\"authorized\" condexec_inverse=\"true\"><action>\
                 <error message=\"the INVITE does not answer the challenge\"/></action></nop>"
                    .to_owned(),
            )
    }

    /// Whoever it calls answers; it acknowledges.
    #[must_use]
    pub fn is_answered(self) -> Self {
        self.step(PROVISIONAL.to_owned())
            .step(format!("<recv response=\"200\" rrs=\"true\"><action>{KEEP_CALLEE}</action></recv>"))
            .acknowledges()
    }

    /// Its call is refused with this status; it acknowledges that.
    #[must_use]
    pub fn is_refused(self, status: u16) -> Self {
        let target = self.target.clone();
        self.step(PROVISIONAL.to_owned())
            .step(format!("<recv response=\"{status}\"/>"))
            .acknowledges_refusal(&target)
    }

    /// Its call is refused until it shows this password (RFC 3261, 22.2).
    #[must_use]
    pub fn is_challenged(self, username: &str, password: &str) -> Self {
        let target = self.target.clone();
        self.step(
            "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"401\" auth=\"true\"/>".to_owned(),
        )
        .acknowledges_refusal(&target)
        .invites(&format!("[authentication username={username} password={password}]"))
    }

    /// It hears something before anybody answers, and says that this arrived (RFC 3262, 4).
    #[must_use]
    pub fn hears_early(mut self) -> Self {
        self.cseq += 1;
        let prack = format!(
            "PRACK [next_url] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             Max-Forwards: 70\n\
             [routes]\n\
             [last_From:]\n\
             [last_To:]\n\
             Call-ID: [call_id]\n\
             CSeq: {} PRACK\n\
             RAck: 1 {} INVITE",
            self.cseq, self.invite_cseq
        );
        self.step(
            "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"183\" rrs=\"true\"/>".to_owned(),
        )
        .send(AGAIN, &prack, None)
        .step("<recv response=\"200\"/>".to_owned())
    }

    /// It gives up its call while that rings.
    #[must_use]
    pub fn gives_up(self) -> Self {
        let target = self.target.clone();
        self.cancels().step("<recv response=\"487\"/>".to_owned()).acknowledges_refusal(&target)
    }

    /// It gives up its call while that rings, and finds that it has just been answered.
    #[must_use]
    pub fn gives_up_too_late(self) -> Self {
        self.cancels().is_answered()
    }

    fn cancels(self) -> Self {
        let cancel = format!(
            "CANCEL {target} SIP/2.0\n[last_Via:]\nMax-Forwards: 70\n[last_From:]\n\
             To: <{}>\nCall-ID: [call_id]\nCSeq: {} CANCEL",
            self.target.replace(":[remote_port]", ""),
            self.invite_cseq,
            target = self.target
        );
        self.step("<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\"/>".to_owned())
            .send(AGAIN, &cancel, None)
            .step("<recv response=\"200\"/>".to_owned())
    }

    /// It does nothing for so long.
    #[must_use]
    pub fn waits(self, time: Duration) -> Self {
        self.step(format!("<pause milliseconds=\"{}\"/>", time.as_millis()))
    }

    /// It hangs up.
    #[must_use]
    pub fn hangs_up(self) -> Self {
        self.asks("BYE", "", None).step("<recv response=\"200\"/>".to_owned())
    }

    /// The other side hangs up.
    #[must_use]
    pub fn is_hung_up_on(self) -> Self {
        self.takes("BYE")
    }

    /// It offers a change of which way sound goes, by an INVITE within the call, which is accepted.
    #[must_use]
    pub fn offers(self, way: Way) -> Self {
        self.asks("INVITE", CONTACT, Some(way))
            .step("<recv response=\"100\" optional=\"true\"/>\n<recv response=\"200\"/>".to_owned())
            .acknowledges()
    }

    /// The same, which is refused with this status.
    #[must_use]
    pub fn offers_in_vain(self, way: Way, status: u16) -> Self {
        self.asks("INVITE", CONTACT, Some(way))
            .step(format!("<recv response=\"100\" optional=\"true\"/>\n<recv response=\"{status}\"/>"))
            .acknowledges_refusal("[next_url]")
    }

    /// It offers a change, and before that is refused with 491 an offer of the other side comes, which it refuses so, too
    /// (RFC 3261, 14).
    #[must_use]
    pub fn crosses_an_offer(self, way: Way) -> Self {
        self.asks("INVITE", CONTACT, Some(way))
            .step("<recv response=\"100\" optional=\"true\"/>".to_owned())
            .is_offered_a_change()
            .replies(491)
            .step("<recv response=\"491\"/>".to_owned())
            .acknowledges_refusal("[next_url]")
    }

    /// It refreshes the session for so many seconds, by an UPDATE without a description (RFC 4028, 7.4).
    #[must_use]
    pub fn refreshes(self, seconds: u32) -> Self {
        let headers = format!("{CONTACT}\nSupported: timer\nSession-Expires: {seconds};refresher=uac");
        self.asks("UPDATE", &headers, None).step("<recv response=\"200\"/>".to_owned())
    }

    /// A request of this kind comes, and it accepts that.
    #[must_use]
    pub fn takes(self, method: &str) -> Self {
        let accepted = "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\nTo:[$near]\n[last_Call-ID:]\n[last_CSeq:]";
        self.step(format!("<recv request=\"{method}\"/>")).send("", accepted, None)
    }

    /// The scenario, with sound at this address.
    pub(super) fn scenario(&self, sound: SocketAddr) -> String {
        let steps = self.steps.join("\n");
        let steps = steps.replace(SOUND_IP, &sound.ip().to_string());
        let steps = steps.replace(SOUND_PORT, &sound.port().to_string());
        let steps = if self.has_events {
            steps
        } else {
            steps.replace(EVENTS, "").replace(&format!("RTP/AVP 0{EVENTS_TYPE}"), "RTP/AVP 0")
        };
        // A variable that is set and never read is an error, and so is one that is named here and never set.
        let is_set = |name: &&str| steps.contains(&format!("assign_to=\"{name}\""));
        let variables = VARIABLES.into_iter().filter(is_set).collect::<Vec<_>>().join(",");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"carrier\">\n{steps}\n{}\n</scenario>\n",
            if variables.is_empty() {
                String::new()
            } else {
                format!("<Reference variables=\"{variables}\"/>")
            }
        )
    }

    fn step(mut self, step: String) -> Self {
        self.steps.push(step);
        self
    }

    /// A message, with a description of its sound where that is to go some way.
    fn send(mut self, attributes: &str, message: &str, way: Option<Way>) -> Self {
        let body = way.map(|way| {
            self.versions += 1;
            description(self.versions, way)
        });
        let type_line = if body.is_some() { "Content-Type: application/sdp\n" } else { "" };
        let body = body.unwrap_or_default();
        self.step(format!(
            "<send {attributes}><![CDATA[\n{message}\n{type_line}Content-Length: [len]\n\n{body}]]></send>"
        ))
    }

    /// A request of its own within the call.
    fn asks(mut self, method: &str, headers: &str, way: Option<Way>) -> Self {
        self.cseq += 1;
        if method == "INVITE" {
            self.invite_cseq = self.cseq;
        }
        let request = format!(
            "{method} [next_url] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             Max-Forwards: 70\n\
             [routes]\n\
             From:[$near]\n\
             To:[$far]\n\
             Call-ID: [call_id]\n\
             CSeq: {} {method}",
            self.cseq
        );
        self.send(AGAIN, &lines(&request, headers), way)
    }

    /// The ACK of a 2xx, a transaction of its own (RFC 3261, 13.2.2.4).
    fn acknowledges(self) -> Self {
        let ack = format!(
            "ACK [next_url] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             Max-Forwards: 70\n\
             [routes]\n\
             From:[$near]\n\
             To:[$far]\n\
             Call-ID: [call_id]\n\
             CSeq: {} ACK",
            self.invite_cseq
        );
        self.send("", &ack, None)
    }

    /// The ACK of a refusal, in the INVITE's transaction (RFC 3261, 17.1.1.3).
    fn acknowledges_refusal(self, target: &str) -> Self {
        let ack = format!(
            "ACK {target} SIP/2.0\n[last_Via:]\nMax-Forwards: 70\n[last_From:]\n[last_To:]\n\
             Call-ID: [call_id]\nCSeq: {} ACK",
            self.invite_cseq
        );
        self.send("", &ack, None)
    }

    fn takes_ack(mut self) -> Self {
        self.labels += 1;
        let label = format!("sent-{}", self.labels);
        // The INVITE comes again where the machine is too busy for the timers of the test.
        self.step(format!(
            "<label id=\"{label}\"/>\n<recv request=\"INVITE\" optional=\"true\" next=\"{label}\"/>\n<recv request=\"ACK\"/>"
        ))
    }
}

/// A response to the INVITE that was kept.
fn reply(status: u16, headers: &str) -> String {
    let reason = StatusCode::new(status).map_or("", StatusCode::reason);
    let reply = format!(
        "SIP/2.0 {status} {reason}\n[$vias][$recorded]From:[$far]\nTo:[$near]\nCall-ID: [call_id]\nCSeq:[$invited]"
    );
    lines(&reply, headers)
}

fn lines(first: &str, more: &str) -> String {
    [first, more.trim_matches('\n')]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn description(version: u32, way: Way) -> String {
    format!(
        "v=0\n\
         o=carrier 1 {version} IN IP4 {SOUND_IP}\n\
         s=-\n\
         c=IN IP4 {SOUND_IP}\n\
         t=0 0\n\
         m=audio {SOUND_PORT} RTP/AVP 0{EVENTS_TYPE}\n\
         a=rtpmap:0 PCMU/8000\n\
         {EVENTS}a={}\n",
        way.attribute()
    )
}
