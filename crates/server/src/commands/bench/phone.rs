use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use sip_message::digest::{Answer, Challenge, Ha1};
use sip_message::{Limits, Message, Method, Request, Response, StatusCode, Uri, parse_datagram};
use tokio::net::UdpSocket;

use super::board::Board;

/// A phone that registers, answers every call at once and hangs up when told; or a carrier, which does not register and calls,
/// too.
#[derive(Clone)]
pub(super) struct Phone {
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    /// Where it would receive sound.
    sound: Arc<UdpSocket>,
}

/// A call's place on the board follows in the number that is called, or that calls.
const NUMBERS: &str = "+1200";

/// Who is called by a carrier.
pub(super) const BOT_NUMBER: &str = "+12345678900";

/// Where a carrier is: not where phones are.
pub(super) const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The phone number of a call.
pub(super) fn number_of(index: usize) -> String {
    format!("{NUMBERS}{index:07}")
}

/// The call of a phone number.
pub(super) fn index_of(number: &str) -> Option<usize> {
    number.strip_prefix(NUMBERS)?.parse().ok()
}

const USER: &str = "john";
const DOMAIN: &str = "contoso.example";
const PASSWORD: &str = "dev-password";

/// How long a registration may take.
const REGISTER_LIMIT: Duration = Duration::from_secs(5);

const MAX_DATAGRAM: usize = 65_536;

impl Phone {
    /// Registers a phone.
    pub(super) async fn register(server: SocketAddr) -> Result<Self> {
        let phone = Self::at(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?, server).await?;
        let registered = tokio::time::timeout(REGISTER_LIMIT, phone.sign_on()).await;
        registered.context("the registrar did not answer")??;
        Ok(phone)
    }

    /// One that does not register.
    pub(super) async fn at(socket: UdpSocket, server: SocketAddr) -> Result<Self> {
        let sound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // Until the runtime has seen the socket ready, sending without waiting would be refused.
        socket.writable().await?;
        Ok(Self { socket: Arc::new(socket), server, sound: Arc::new(sound) })
    }

    /// Answers calls, and acknowledges answers to its own, and notes them on the board, for as long as the program runs.
    pub(super) async fn take_calls(self, board: Arc<Board>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            // An earlier datagram that was refused shows here; the socket itself is well.
            let Ok((length, _)) = self.socket.recv_from(&mut buffer).await else { continue };
            let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            match parse_datagram(&datagram, &Limits::default()) {
                Ok(Message::Request(request)) if request.method == Method::Invite => {
                    self.invited(&request, &board);
                }
                Ok(Message::Request(request)) if request.method != Method::Ack => {
                    self.send(&request.response(StatusCode::OK).to_bytes());
                }
                Ok(Message::Response(response)) => self.answered(&response, &board),
                Ok(Message::Request(_)) | Err(_) => {}
            }
        }
    }

    /// Sends what was kept for it.
    pub(super) fn send(&self, octets: &[u8]) {
        // What the kernel has no room for is lost, as on a network; the board then shows the call as unfinished.
        let _ = self.socket.try_send_to(octets, self.server);
    }

    fn invited(&self, request: &Request, board: &Board) {
        let Some((number, answer, bye)) = self.answer(request) else { return };
        board.invited(number, bye);
        self.send(&answer);
    }

    /// The number of a call, its answer, and the request that ends it.
    fn answer(&self, request: &Request) -> Option<(usize, Bytes, Bytes)> {
        let of_subject = || request.headers.get("Subject")?.strip_prefix("call ")?.parse().ok();
        let number = request.uri.user().and_then(|user| index_of(&user)).or_else(of_subject)?;
        let mut response: Response = request.response(StatusCode::OK);
        response.headers.set_to_tag("phone").ok()?;
        let (address, sound) = (self.socket.local_addr().ok()?, self.sound.local_addr().ok()?.port());
        response.headers.push("Contact", format!("<sip:{USER}@{address}>"));
        response.headers.push("Content-Type", "application/sdp");
        response.body = description(sound).into();
        let target = request.headers.contact().ok()??.uri;
        let (from, to) = (response.headers.get("To")?, response.headers.get("From")?);
        let call = request.headers.call_id().ok()?;
        let bye = format!(
            "BYE {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-bye-{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call}\r\n\
             CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        Some((number, response.to_bytes(), Bytes::from(bye)))
    }

    /// Calls the bot's number.
    pub(super) fn call(&self, index: usize) {
        let (Ok(address), Ok(sound)) = (self.socket.local_addr(), self.sound.local_addr()) else { return };
        let (server, number, body) = (self.server, number_of(index), description(sound.port()));
        let length = body.len();
        let invite = format!(
            "INVITE sip:{BOT_NUMBER}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-call-{index};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{number}@{address}>;tag={index}\r\n\
             To: <sip:{BOT_NUMBER}@{server}>\r\nCall-ID: call-{index}-{address}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{address}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.send(invite.as_bytes());
    }

    /// Acknowledges the final answer to a call of its own.
    fn answered(&self, response: &Response, board: &Board) {
        let is_of_invite = response.headers.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if !is_of_invite || !response.status.is_final() {
            return;
        }
        let Some((index, ack, bye)) = self.acknowledgement(response) else { return };
        self.send(ack.as_bytes());
        if response.status.is_success() {
            board.invited(index, Bytes::from(bye));
        } else {
            board.answered(index, false);
        }
    }

    /// The number of a call, the ACK to what answers it, and the request that ends it.
    fn acknowledgement(&self, response: &Response) -> Option<(usize, String, String)> {
        let from = response.headers.from().ok()?;
        let index = index_of(&from.uri.user()?)?;
        let (from, to) = (response.headers.get("From")?, response.headers.get("To")?);
        let (call, address) = (response.headers.call_id().ok()?, self.socket.local_addr().ok()?);
        // A refusal is acknowledged in the INVITE's transaction, to where that went (RFC 3261, 17.1.1.3).
        let (target, branch) = if response.status.is_success() {
            (response.headers.contact().ok()??.uri.to_string(), "ack")
        } else {
            (format!("sip:{BOT_NUMBER}@{}", self.server), "call")
        };
        let request = |method: &str, branch: &str, number: u32| {
            format!(
                "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK-{branch}-{index};rport\r\n\
                 Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call}\r\n\
                 CSeq: {number} {method}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        Some((index, request("ACK", branch, 1), request("BYE", "bye", 2)))
    }

    async fn sign_on(&self) -> Result<()> {
        self.send(self.registration(1, "")?.as_bytes());
        let response = self.final_response().await?;
        let challenge = Challenge::strongest(&response.headers, "WWW-Authenticate");
        let challenge = challenge.with_context(|| format!("no challenge but {}", response.status))?;
        let ha1 = Ha1::new(challenge.algorithm, USER, &challenge.realm, PASSWORD);
        let uri: Uri = format!("sip:{DOMAIN}").parse().context("the domain makes no URI")?;
        let answer = Answer {
            username: USER,
            ha1: &ha1,
            method: &Method::Register,
            uri: &uri,
            cnonce: "0a4f113b",
            count: 1,
        };
        let credentials = challenge.answer(&answer).context("a challenge that cannot be answered")?;
        self.send(self.registration(2, &format!("Authorization: {credentials}\r\n"))?.as_bytes());
        let response = self.final_response().await?;
        if response.status != StatusCode::OK {
            bail!("the registrar refused the phone: {}", response.status);
        }
        Ok(())
    }

    async fn final_response(&self) -> Result<Response> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let (length, _) = self.socket.recv_from(&mut buffer).await.context("failed to receive")?;
            let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if let Ok(Message::Response(response)) = parse_datagram(&datagram, &Limits::default())
                && response.status.as_u16() >= 200
            {
                return Ok(response);
            }
        }
    }

    fn registration(&self, number: u32, authorization: &str) -> Result<String> {
        let address = self.socket.local_addr()?;
        Ok(format!(
            "REGISTER sip:{DOMAIN} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-register-{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{USER}@{DOMAIN}>;tag=bench\r\nTo: <sip:{USER}@{DOMAIN}>\r\n\
             Call-ID: registration-{address}\r\nCSeq: {number} REGISTER\r\n\
             Contact: <sip:{USER}@{address}>\r\nExpires: 3600\r\n{authorization}Content-Length: 0\r\n\r\n"
        ))
    }
}

/// Where sound comes in, in G.711.
fn description(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
}
