use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};

use crate::dev::{App, User};
use crate::http_client::{Reply, bare, request, try_request};
use crate::server::Server;

/// An application that calls the API with plain HTTP and JSON.
#[derive(Clone, Debug)]
pub struct Bot {
    server: SocketAddr,
    token: String,
}

/// A request for a call.
#[derive(Clone, Debug)]
pub struct CallRequest(Value);

impl CallRequest {
    /// The documented request for a call to one person, with this callback.
    pub fn to(user: User, callback: &str) -> Self {
        Self(json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": callback,
            "targets": [{
                "@odata.type": "#microsoft.graph.invitationParticipantInfo",
                "identity": {
                    "@odata.type": "#microsoft.graph.identitySet",
                    "user": {
                        "@odata.type": "#microsoft.graph.identity",
                        "displayName": user.name,
                        "id": user.id,
                    },
                },
            }],
            "requestedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        }))
    }

    /// Sets a member of the body; `null` removes it.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        if let Value::Object(members) = &mut self.0 {
            if value.is_null() {
                members.remove(member);
            } else {
                members.insert(member.to_owned(), value);
            }
        }
        self
    }

    /// The body.
    pub fn body(&self) -> &Value {
        &self.0
    }
}

impl Bot {
    /// Calling Bot in Contoso, with a token.
    pub async fn of(server: &Server) -> Self {
        Self::signed_in(server, App::CALLING_BOT, App::CONTOSO).await
    }

    /// An application in a tenant, with a token.
    ///
    /// # Panics
    ///
    /// Panics where the server grants none.
    pub async fn signed_in(server: &Server, app: App, tenant: &str) -> Self {
        let reply = ask_for_token(server, tenant, app.id, App::SECRET).await.expect(200);
        let body = reply.json();
        let token = body["access_token"].as_str().expect("an access token").to_owned();
        Self::with_token(server, &token)
    }

    /// A bot with a token of its own making.
    pub fn with_token(server: &Server, token: &str) -> Self {
        Self { server: server.http(), token: token.to_owned() }
    }

    /// Asks for a token and returns whatever is answered.
    pub async fn ask_for_token(server: &Server, tenant: &str, app: &str, secret: &str) -> Reply {
        ask_for_token(server, tenant, app, secret).await
    }

    /// Its token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Creates a call and returns its id.
    ///
    /// # Panics
    ///
    /// Panics with the answer where that is refused.
    pub async fn call(&self, call: &CallRequest) -> String {
        let reply = self.create(call).await.expect(201);
        reply.json()["id"].as_str().expect("the id of the call").to_owned()
    }

    /// Sends the request for a call and returns whatever is answered.
    pub async fn create(&self, call: &CallRequest) -> Reply {
        self.post("/v1.0/communications/calls", call.body()).await
    }

    /// Sends the request for a call to a server that may die meanwhile.
    ///
    /// # Errors
    ///
    /// Says why there is no answer.
    pub async fn try_create(&self, call: &CallRequest) -> Result<Reply, String> {
        let mut creating =
            bare(Method::POST, "/v1.0/communications/calls").map(|_| Bytes::from(call.body().to_string()));
        creating.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        creating.headers_mut().insert(AUTHORIZATION, self.bearer());
        try_request(self.server, creating).await
    }

    /// Shows a call.
    pub async fn show(&self, call: &str) -> Reply {
        self.get(&format!("/v1.0/communications/calls/{call}")).await
    }

    /// Hangs up.
    pub async fn hang_up(&self, call: &str) -> Reply {
        self.delete(&format!("/v1.0/communications/calls/{call}")).await
    }

    /// Sends an action of a call and returns whatever is answered.
    pub async fn act(&self, call: &str, action: &str, body: &Value) -> Reply {
        self.post(&format!("/v1.0/communications/calls/{call}/{action}"), body).await
    }

    /// Starts an operation and returns its id.
    ///
    /// # Panics
    ///
    /// Panics with the answer where that is refused.
    pub async fn start(&self, call: &str, action: &str, body: &Value) -> String {
        let reply = self.act(call, action, body).await.expect(200);
        reply.json()["id"].as_str().expect("the id of the operation").to_owned()
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(bare(Method::GET, path)).await
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(bare(Method::DELETE, path)).await
    }

    /// Sends a POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string()).await
    }

    /// Sends a POST with whatever text, called JSON.
    pub async fn post_text(&self, path: &str, body: &str) -> Reply {
        let mut request = bare(Method::POST, path).map(|_| Bytes::from(body.to_owned()));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(request).await
    }

    /// Sends a request with its token, unless it brings its own.
    pub async fn send(&self, mut whole: Request<Bytes>) -> Reply {
        whole.headers_mut().entry(AUTHORIZATION).or_insert_with(|| self.bearer());
        request(self.server, whole).await
    }

    fn bearer(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("Bearer {}", self.token)).expect("a token is plain text")
    }
}

async fn ask_for_token(server: &Server, tenant: &str, app: &str, secret: &str) -> Reply {
    let form = format!(
        "client_id={app}&client_secret={secret}&grant_type=client_credentials\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    let mut asking = bare(Method::POST, &format!("/{tenant}/oauth2/v2.0/token")).map(|_| Bytes::from(form));
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    asking.headers_mut().insert(CONTENT_TYPE, form_type);
    request(server.http(), asking).await
}
