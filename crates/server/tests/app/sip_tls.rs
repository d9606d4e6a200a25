//! SIP over TLS: phones that connect to the server, and carriers that it connects to.

use testkit::{Certificate, Options, PortBlock, Registration, SecurePeer, TempDir, User};

use crate::support::{Stage, id_of};
use crate::trunks::{CALLEE, INSTANCE, directory, request, trunk};

/// Where everything is in these tests.
const HOST: &str = "127.0.0.1";

#[tokio::test]
async fn a_phone_registers_over_tls_and_is_called_over_it() {
    let (ports, files, server) = (PortBlock::take(), TempDir::new("tls"), Certificate::of(HOST));
    let (certificate, key) =
        (files.write("certificate", server.certificate()), files.write("key", server.key()));
    let address = ports.address(1);
    let options = Options::new()
        .with("sip.tls", address)
        .with("sip.certificate", certificate.display())
        .with("sip.key", key.display());
    let stage = Stage::with(options).await;
    let mut phone = SecurePeer::open(&Certificate::of("phone.example"), &server).await;

    let wrong = Registration { password: "wrong", ..Registration::of(User::JOHN) };
    assert_eq!(phone.register(address, wrong).await, 403);
    assert_eq!(phone.register(address, Registration::of(User::JOHN)).await, 200);
    assert_eq!(stage.server.metric("hookswitch_sip_registered_users").await, 1.0);
    let call = stage.call(User::JOHN).await;
    let invite = phone.request().await;
    let contact = invite.0.headers.contact().ok().flatten().expect("a contact").uri;
    assert_eq!(contact.param("transport").as_deref(), Some("tls"));
    phone.reply(&invite, 486);

    assert_eq!(stage.result_of(&call).await, (486, 8539));
}

/// A server with a trunk to a carrier over TLS, whose authority it trusts; the call to a number.
async fn calling(carrier: &SecurePeer, authority: &Certificate, files: &TempDir) -> (Stage, String) {
    let authorities = files.write("authority", authority.certificate());
    let trunks = trunk("carrier", carrier.address(), "transport='tls'");
    let options =
        Options::new().directory(&directory("", &trunks)).with("sip.ca_files", authorities.display());
    let stage = Stage::with(options).await;
    let reply = stage.bot.create(&request(&stage, INSTANCE, CALLEE)).await.expect(201);
    let call = id_of(&reply.json());
    (stage, call)
}

#[tokio::test]
async fn a_carrier_that_shows_the_certificate_of_its_host_is_called_over_tls() {
    let (files, shown) = (TempDir::new("tls"), Certificate::of(HOST));
    let mut carrier = SecurePeer::open(&shown, &shown).await;
    let (stage, call) = calling(&carrier, &shown, &files).await;

    let invite = carrier.request().await;
    assert_eq!(invite.0.uri.user().as_deref(), Some(CALLEE));
    carrier.reply(&invite, 486);

    assert_eq!(stage.result_of(&call).await, (486, 560_486));
}

#[tokio::test]
async fn a_carrier_that_shows_the_certificate_of_another_host_hears_nothing_of_a_call() {
    let (files, shown) = (TempDir::new("tls"), Certificate::of("another.example"));
    let mut carrier = SecurePeer::open(&shown, &shown).await;
    let (stage, call) = calling(&carrier, &shown, &files).await;

    assert_eq!(stage.result_of(&call).await, (503, 560_503));
    carrier.expect_refused().await;
}

#[tokio::test]
async fn a_carrier_whose_authority_is_not_trusted_hears_nothing_of_a_call() {
    let (files, shown) = (TempDir::new("tls"), Certificate::of(HOST));
    let mut carrier = SecurePeer::open(&shown, &shown).await;
    let (stage, call) = calling(&carrier, &Certificate::of(HOST), &files).await;

    assert_eq!(stage.result_of(&call).await, (503, 560_503));
    carrier.expect_refused().await;
}
