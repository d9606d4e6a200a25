//! OPTIONS of this side.

use sip_message::Method;
use sip_proto::{CallError, Config, Event, Limits, Ping, PingFailure, PingHandle, Target, Transport};

use crate::net::{HOME, Net, PEER, config, ms, seconds, status};

fn ping(net: &mut Net, port: u16) -> Result<PingHandle, CallError> {
    let uri = format!("sip:127.0.0.1:{port}").parse().unwrap();
    let target = Target { uri, flow: net.flow(HOME, port) };
    let from = "<sip:trunk@contoso.example>".parse().unwrap();
    let asked = net.at(HOME, |endpoint, now| endpoint.ping(Ping { target, from }, now));
    net.exchange();
    asked
}

#[test]
fn whoever_answers_is_there_whatever_the_answer_is() {
    for code in [200, 404, 405, 503, 603] {
        let mut net = Net::new();
        let handle = ping(&mut net, PEER).unwrap();
        let options = net.request(PEER, Method::Options);
        assert_eq!(options.uri.to_string(), "sip:127.0.0.1:6001");
        assert_eq!(
            (options.headers.get("To"), options.headers.max_forwards()),
            (Some("<sip:127.0.0.1:6001>"), Ok(Some(70)))
        );
        assert!(options.headers.from().unwrap().tag().is_some());
        net.reply(PEER, &options, 100, &[], "");
        net.reply(PEER, &options, code, &[], "");
        net.exchange();
        assert_eq!(net.events(HOME), [Event::Pong { ping: handle, result: Ok(status(code)) }]);
        net.run(seconds(10));
        net.assert_idle(HOME);
    }
}

#[test]
fn another_endpoint_answers() {
    let mut net = Net::pair();
    let handle = ping(&mut net, PEER).unwrap();
    assert_eq!(net.events(HOME), [Event::Pong { ping: handle, result: Ok(status(200)) }]);
    assert_eq!(net.events(PEER), []);
    net.assert_idle(PEER);
}

#[test]
fn nobody_there_is_a_timeout_after_timer_f() {
    let mut net = Net::new();
    let handle = ping(&mut net, 9).unwrap();
    net.run(seconds(31));
    assert_eq!(net.events(HOME), []);
    net.run(seconds(2));
    assert_eq!(net.events(HOME), [Event::Pong { ping: handle, result: Err(PingFailure::Timeout) }]);
    net.assert_idle(HOME);
}

#[test]
fn a_flow_that_fails_is_told_at_once() {
    let mut net = Net::new();
    net.transport = Transport::Tcp;
    let handle = ping(&mut net, PEER).unwrap();
    let flow = net.flow(HOME, PEER);
    net.at(HOME, |endpoint, now| endpoint.handle_transport_error(flow, now));
    assert_eq!(net.events(HOME), [Event::Pong { ping: handle, result: Err(PingFailure::TransportFailed) }]);
    net.assert_idle(HOME);
}

#[test]
fn questions_are_told_apart_and_bounded() {
    let limits = Limits { client_transactions: 2, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..config() });
    let (first, second) = (ping(&mut net, PEER).unwrap(), ping(&mut net, PEER).unwrap());
    assert_ne!(first, second);
    assert_eq!(ping(&mut net, PEER), Err(CallError::Full));
    let asked = net.requests(PEER, &Method::Options);
    net.reply(PEER, &asked[1], 200, &[], "");
    net.exchange();
    assert_eq!(net.events(HOME), [Event::Pong { ping: second, result: Ok(status(200)) }]);
    net.run(ms(5000));
    assert!(ping(&mut net, PEER).is_ok());
}
