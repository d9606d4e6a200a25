use std::error::Error;
use std::io;

use thiserror::Error;

/// Why a request had no useful answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The connection broke, or what came was not HTTP.
    #[error("failed to get an answer")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// As many requests are under way, or names looked up, as may; nothing was sent, try later.
    #[error("failed to send one more request: the limit is reached")]
    Busy,
    /// No connection could be made, or its certificate is not trusted.
    #[error("failed to connect")]
    Connect(#[source] io::Error),
    /// The policy refuses the address, or that of a redirect.
    #[error("refused the address")]
    Forbidden(#[from] Forbidden),
    /// More redirects than allowed, or one that says not where to.
    #[error("failed to follow redirects")]
    Redirects,
    /// The name has no address.
    #[error("failed to resolve the host's name")]
    Resolve(#[source] io::Error),
    /// An answer that is neither success nor redirect.
    #[error("answered with status {0}")]
    Status(u16),
    /// It took too long.
    #[error("failed to get an answer in time")]
    Timeout,
    /// The answer is larger than its limit.
    #[error("failed to read the answer: it is too large")]
    TooLarge,
}

/// Why the policy refuses an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Forbidden {
    /// A private, loopback, link-local, multicast or otherwise special address, written out or behind a name.
    #[error("the host is a private or special address")]
    Address,
    /// The address is mapped to bytes of the program, which take no requests but GET.
    #[error("the host does not take this request")]
    Bundled,
    /// The URL holds a user name or a password.
    #[error("the URL holds credentials")]
    Credentials,
    /// It is no URL.
    #[error("the URL is malformed")]
    Malformed,
    /// The port belongs to something else than HTTP.
    #[error("the port is not one of HTTP")]
    Port,
    /// It is not `https`, and the host is not one that may be plain.
    #[error("the URL is not https")]
    Scheme,
    /// It is not `wss`, and the host is not one that may be plain.
    #[error("the URL is not wss")]
    SocketScheme,
    /// The URL is longer than any that is served.
    #[error("the URL is too long")]
    TooLong,
}

/// An entry of the settings that makes no policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// An allowed host is not a host, or a host and a port.
    #[error("`{0}` is not a host, or a host and a port")]
    Host(String),
    /// A mapped origin, or what it is mapped to, is not a scheme, a host and at most a port.
    #[error("`{0}` is not an origin such as `https://bot.example`")]
    Origin(String),
}

/// Why the client could not be made.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The extra CA file holds something else than certificates.
    #[error("failed to read the certificates of the extra CA")]
    Certificates,
    /// The TLS library refuses its settings.
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
}
