//! Microsoft's SDK for Python, over HTTPS with the certificate of the local authority.

use std::path::Path;
use std::process::Stdio;

use testkit::{Options, User};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::support::Stage;

/// The interpreter that has the SDK.
const PYTHON: &str = "GRAPH_SDK_PYTHON";

#[tokio::test]
async fn the_python_sdk_creates_reads_prompts_and_ends_a_call() {
    let python = std::env::var_os(PYTHON);
    let python =
        python.unwrap_or_else(|| panic!("{PYTHON} is not set; run `cargo xtask test app`, which sets it"));
    let stage = Stage::with(Options::new()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/graph_sdk.py");
    let authority = stage.server.data().join("ca.pem");
    let mut child = Command::new(python)
        .arg(script)
        .arg(format!("https://localhost:{}", stage.server.https().port()))
        .arg(stage.webhook.url())
        .arg(User::JOHN.id)
        // What Python's two HTTP clients read: requests for tokens, httpx for the API.
        .env("REQUESTS_CA_BUNDLE", &authority)
        .env("SSL_CERT_FILE", &authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("failed to start Python");
    let mut says = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let mut hears = child.stdin.take().expect("its input is piped");
    let mut line = async |expected: &str| {
        let line = testkit::within(&format!("the script says {expected}"), says.next_line()).await;
        let line =
            line.expect("readable output").unwrap_or_else(|| panic!("the script ended before {expected}"));
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        assert_eq!(word, expected, "{line}");
        rest.to_owned()
    };

    let call = line("created").await;
    stage.webhook.expect_state(&call, "established").await;
    hears.write_all(b"established\n").await.expect("the script reads");
    assert_eq!(line("read").await, "established");
    let operation = line("prompting").await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    hears.write_all(b"prompted\n").await.expect("the script reads");
    line("ended").await;
    assert_eq!(stage.result_of(&call).await, (200, 7000));
    hears.write_all(b"terminated\n").await.expect("the script reads");
    assert_eq!(line("gone").await, "8522");
    let status = testkit::within("the script ends", child.wait()).await.expect("a status");
    assert!(status.success(), "{status}");
}
