//! The messages of RFC 4475 and what becomes of each. A test of any crate may include this file with `#[path]`.

/// Where RFC 4475 wants a message handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Section 3.1.
    Message,
    /// Section 3.2.
    Transaction,
    /// Sections 3.3 and 3.4: a user agent or registrar.
    UserAgent,
}

/// What finally becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is used like any other; the syntax is no reason for an error answer.
    Accepted,
    /// Either of two treatments that the RFC allows.
    AcceptedOrAnswered(u16),
    /// It is well-formed and answered with this final status.
    Answered(u16),
    /// It is dropped without a trace on the wire.
    Discarded,
    /// It is malformed and answered with this status.
    Refused(u16),
}

/// What the message layer makes of a datagram with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// An error without an answer.
    Discarded,
    /// An error with an answer of this status.
    Refused(u16),
    /// A request.
    Request,
    /// A response.
    Response,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The name in the RFC.
    pub(crate) name: &'static str,
    /// The section of the RFC.
    pub(crate) section: &'static str,
    /// The octets.
    pub(crate) octets: &'static [u8],
    /// Where the RFC wants it handled.
    pub(crate) layer: Layer,
    /// What finally becomes of it.
    pub(crate) treatment: Treatment,
    /// What the message layer makes of it.
    pub(crate) parsed: Parsed,
    /// Why, where the RFC leaves a choice or the treatment departs from it; empty otherwise.
    pub(crate) reason: &'static str,
}

macro_rules! cases {
    ($($name:literal $section:literal $layer:ident $treatment:expr, $parsed:expr, $reason:literal;)*) => {
        /// All 49 messages, in the order of the RFC.
        pub(crate) const CASES: [Case; 49] = {
            use Layer::{Message, Transaction, UserAgent};
            [$(Case {
                name: $name,
                section: $section,
                octets: include_bytes!(concat!($name, ".dat")),
                layer: $layer,
                treatment: $treatment,
                parsed: $parsed,
                reason: $reason,
            },)*]
        };
    };
}

cases! {
    "wsinv" "3.1.1.1" Message Treatment::Accepted, Parsed::Request, "";
    "intmeth" "3.1.1.2" Message Treatment::Accepted, Parsed::Request, "";
    "esc01" "3.1.1.3" Message Treatment::Accepted, Parsed::Request, "";
    "escnull" "3.1.1.4" Message Treatment::Accepted, Parsed::Request, "";
    "esc02" "3.1.1.5" Message Treatment::Accepted, Parsed::Request, "the method is another one than REGISTER";
    "lwsdisp" "3.1.1.6" Message Treatment::Accepted, Parsed::Request, "";
    "longreq" "3.1.1.7" Message Treatment::Accepted, Parsed::Request, "";
    "dblreq" "3.1.1.8" Message Treatment::Accepted, Parsed::Request, "the second request is not looked at";
    "semiuri" "3.1.1.9" Message Treatment::Accepted, Parsed::Request, "";
    "transports" "3.1.1.10" Message Treatment::Accepted, Parsed::Request, "";
    "mpart01" "3.1.1.11" Message Treatment::Accepted, Parsed::Request, "";
    "unreason" "3.1.1.12" Message Treatment::Accepted, Parsed::Response, "";
    "noreason" "3.1.1.13" Message Treatment::Accepted, Parsed::Response, "";
    "badinv01" "3.1.2.1" Message Treatment::Refused(400), Parsed::Refused(400), "the malformed Via is copied; the answer goes to the source of the packet";
    "clerr" "3.1.2.2" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "ncl" "3.1.2.3" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "scalar02" "3.1.2.4" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "scalarlg" "3.1.2.5" Message Treatment::Discarded, Parsed::Discarded, "";
    "quotbal" "3.1.2.6" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "ltgtruri" "3.1.2.7" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "lwsruri" "3.1.2.8" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "lwsstart" "3.1.2.9" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "trws" "3.1.2.10" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "escruri" "3.1.2.11" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "baddate" "3.1.2.12" Message Treatment::Accepted, Parsed::Request, "Date is not used here, and the RFC advises against refusing a message for a field that is not used";
    "regbadct" "3.1.2.13" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "badaspec" "3.1.2.14" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "baddn" "3.1.2.15" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "badvers" "3.1.2.16" Message Treatment::Refused(505), Parsed::Refused(505), "";
    "mismatch01" "3.1.2.17" Message Treatment::Refused(400), Parsed::Refused(400), "";
    "mismatch02" "3.1.2.18" Message Treatment::Refused(400), Parsed::Refused(400), "501 is equally allowed; the mismatch is found before anyone asks whether the method is known";
    "bigcode" "3.1.2.19" Message Treatment::Discarded, Parsed::Discarded, "";
    "badbranch" "3.2.1" Transaction Treatment::AcceptedOrAnswered(400), Parsed::Request, "matched by the rules of RFC 2543, or answered 400";
    "insuf" "3.3.1" UserAgent Treatment::Refused(400), Parsed::Refused(400), "refused a layer earlier: no layer can use a request without From, To and Call-ID";
    "unkscm" "3.3.2" UserAgent Treatment::Answered(416), Parsed::Request, "";
    "novelsc" "3.3.3" UserAgent Treatment::Answered(416), Parsed::Request, "";
    "unksm2" "3.3.4" UserAgent Treatment::Answered(400), Parsed::Request, "a registrar needs a SIP or SIPS address of record";
    "bext01" "3.3.5" UserAgent Treatment::Answered(420), Parsed::Request, "Unsupported lists both option tags of Require; Proxy-Require does not concern a user agent";
    "invut" "3.3.6" UserAgent Treatment::Answered(415), Parsed::Request, "with Accept";
    "regaut01" "3.3.7" UserAgent Treatment::Answered(401), Parsed::Request, "an unknown scheme counts as no credentials";
    "multi01" "3.3.8" UserAgent Treatment::Refused(400), Parsed::Refused(400), "refused a layer earlier: which value is meant is unknowable";
    "mcl01" "3.3.9" UserAgent Treatment::Refused(400), Parsed::Refused(400), "refused a layer earlier: the end of the body is unknowable";
    "bcast" "3.3.10" UserAgent Treatment::Discarded, Parsed::Response, "two Via values: the response is not for this element";
    "zeromf" "3.3.11" UserAgent Treatment::Accepted, Parsed::Request, "only a proxy may answer 483";
    "cparam01" "3.3.12" UserAgent Treatment::Accepted, Parsed::Request, "unknownparam belongs to the Contact field, not to the URI that is bound";
    "cparam02" "3.3.13" UserAgent Treatment::Accepted, Parsed::Request, "unknownparam belongs to the URI and stays in the binding";
    "regescrt" "3.3.14" UserAgent Treatment::Accepted, Parsed::Request, "the header fields of the URI stay in the binding";
    "sdp01" "3.3.15" UserAgent Treatment::Answered(406), Parsed::Request, "the answer would have to be a body type that is not produced here";
    "inv2543" "3.4.1" UserAgent Treatment::Accepted, Parsed::Request, "no branch, no From tag, no Max-Forwards: RFC 2543";
}
