use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use serde_json::{Value, json};

use super::timeline::Timeline;
use super::webhook::Webhook;
use crate::client::Client;
use crate::dev_tenant::{CALLING_BOT, CONTOSO, JOHN, SECRET};

/// What is left of the conversation.
pub(super) struct Heard {
    /// The call.
    pub(super) call: String,
    /// The bot's recording of John: a WAV file.
    pub(super) recording: Bytes,
}

/// Calls John, greets him, takes his keys, records him, hangs up.
pub(super) async fn talk(server: SocketAddr, webhook: &mut Webhook, timeline: &Timeline) -> Result<Heard> {
    let mut client = Client::connect(server).await?;
    client.sign_in(CONTOSO, CALLING_BOT, SECRET).await?;
    timeline.sent("POST …/oauth2/v2.0/token: the bot has a token", Value::Null);
    let call = create(&mut client, timeline).await?;
    let mut bot = Bot { client, webhook, timeline, path: format!("/v1.0/communications/calls/{call}") };
    bot.await_state("establishing").await?;
    bot.await_state("established").await?;

    bot.act("subscribeToTone", json!({"clientContext": "keys"})).await?;
    let greeting = json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": "https://cdn.contoso.com/greeting.wav"},
    });
    bot.act("playPrompt", json!({"clientContext": "greeting", "prompts": [greeting]})).await?;
    // The prompt ends before John presses keys, or after: the bot waits for both, in any order.
    let mut waited = Waited::default();
    while !waited.is_complete() {
        waited.take(&bot.next().await?)?;
    }

    let record = json!({
        "clientContext": "answer", "maxRecordDurationInSeconds": 2, "initialSilenceTimeoutInSeconds": 2,
        "maxSilenceTimeoutInSeconds": 2, "playBeep": true,
    });
    bot.act("recordResponse", record).await?;
    let operation = bot.await_operation("answer").await?;
    let recording = bot.fetch(&operation).await?;

    bot.client.delete(&bot.path).await?.success("hang up")?;
    timeline.sent("DELETE …/calls/{id}: the bot hangs up", Value::Null);
    bot.await_state("terminated").await?;
    Ok(Heard { call, recording })
}

async fn create(client: &mut Client, timeline: &Timeline) -> Result<String> {
    let request = json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": "https://bot.contoso.com/callback",
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "user": {"@odata.type": "#microsoft.graph.identity", "displayName": "John", "id": JOHN},
            },
        }],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    let answer = client.post("/v1.0/communications/calls", &request).await?.success("create the call")?;
    let call = answer.json()?;
    let id = call["id"].as_str().context("the created call has no id")?.to_owned();
    timeline.sent(&format!("POST …/communications/calls: {} {id}", answer.status), call);
    Ok(id)
}

struct Bot<'a> {
    client: Client,
    webhook: &'a mut Webhook,
    timeline: &'a Timeline,
    path: String,
}

/// What the bot waits for between its greeting and its recording.
#[derive(Default)]
struct Waited {
    has_greeted: bool,
    keys: Vec<String>,
}

impl Waited {
    fn is_complete(&self) -> bool {
        self.has_greeted && self.keys == ["tone1", "pound"]
    }

    fn take(&mut self, notification: &Value) -> Result<()> {
        let data = &notification["resourceData"];
        if data["clientContext"] == "greeting" {
            ensure_completed(data)?;
            self.has_greeted = true;
        }
        if let Some(tone) = data["toneInfo"]["tone"].as_str() {
            self.keys.push(tone.to_owned());
        }
        if data["state"] == "terminated" {
            bail!("the call ended early: {}", data["resultInfo"]);
        }
        Ok(())
    }
}

impl Bot<'_> {
    /// Asks something of the call.
    async fn act(&mut self, action: &str, body: Value) -> Result<()> {
        let path = format!("{}/{action}", self.path);
        let answer = self.client.post(&path, &body).await?.success(action)?;
        let operation = answer.json()?;
        let status = operation["status"].as_str().unwrap_or_default();
        self.timeline
            .sent(&format!("POST …/{action}: {} {status}", answer.status.as_u16()), operation.clone());
        Ok(())
    }

    /// The next notification. Each must carry a token.
    async fn next(&mut self) -> Result<Value> {
        let posted = self.webhook.next().await?;
        if posted.bearer.is_none() {
            bail!("a notification came without a token");
        }
        let notification = posted.body["value"][0].clone();
        self.timeline.received(&describe(&notification), notification.clone());
        Ok(notification)
    }

    async fn await_state(&mut self, state: &str) -> Result<()> {
        loop {
            let notification = self.next().await?;
            let data = &notification["resourceData"];
            if data["state"] == state {
                return Ok(());
            }
            if data["state"] == "terminated" {
                bail!("the call ended early: {}", data["resultInfo"]);
            }
        }
    }

    async fn await_operation(&mut self, client_context: &str) -> Result<Value> {
        loop {
            let data = self.next().await?["resourceData"].take();
            if data["clientContext"] == client_context {
                ensure_completed(&data)?;
                return Ok(data);
            }
            if data["state"] == "terminated" {
                bail!("the call ended early: {}", data["resultInfo"]);
            }
        }
    }

    /// Fetches a recording with the token that came with it.
    async fn fetch(&mut self, operation: &Value) -> Result<Bytes> {
        let location = operation["recordingLocation"].as_str().context("the recording has no location")?;
        let token = operation["recordingAccessToken"].as_str().map(str::to_owned);
        let path = location.find("/v1.0/").and_then(|at| location.get(at..)).context("an odd location")?;
        let own = self.client.set_bearer(token);
        let answer = self.client.get(path).await?.success("fetch the recording")?;
        self.client.set_bearer(own);
        self.timeline.sent(&format!("GET the recording: {} bytes", answer.body.len()), Value::Null);
        Ok(answer.body)
    }
}

fn ensure_completed(operation: &Value) -> Result<()> {
    if operation["status"] == "completed" {
        return Ok(());
    }
    bail!("an operation failed: {operation}")
}

/// A notification in a few words.
fn describe(notification: &Value) -> String {
    let data = &notification["resourceData"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let result = data["resultInfo"].as_object();
    let result =
        result.map(|result| format!(" {}/{}", result["code"], result["subcode"])).unwrap_or_default();
    let kind = text(&data["@odata.type"]);
    let kind = kind.strip_prefix("#microsoft.graph.").unwrap_or(&kind).trim_end_matches("Operation");
    if let Some(tone) = data["toneInfo"]["tone"].as_str() {
        return format!("tone {}", tone.strip_prefix("tone").unwrap_or(tone));
    }
    match data["state"].as_str() {
        Some(state) => format!("{state}{result}"),
        None => format!("{kind} {}{result} ({})", text(&data["status"]), text(&data["clientContext"])),
    }
}
