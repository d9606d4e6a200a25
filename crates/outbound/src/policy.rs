use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use url::{Host, Url};

use crate::{Forbidden, PolicyError, is_public};

/// Longest URL that is looked at; above what browsers and servers agree to carry.
const MAX_URL_BYTES: usize = 8 * 1024;

/// Ports above the system ones that browsers refuse for HTTP because something else listens there that may be fooled by
/// a request (Fetch standard, "port blocking"), and common stores without a password.
const REFUSED_PORTS: [u16; 18] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6667, 6697, 10080, 11211,
    27017,
];

/// Where requests may go. Deciding is pure: the same URL always gets the same answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: BTreeSet<(String, Option<u16>)>,
    mapped: BTreeMap<Origin, Mapping>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mapping {
    Bundled,
    To(Origin),
}

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Whether it is `https`.
    pub is_https: bool,
    /// The host in lower case, in ASCII, without a final dot; an IPv6 address is in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Origin {
    /// The value of a `Host` header.
    pub fn authority(&self) -> String {
        let usual = if self.is_https { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    fn of(url: &Url) -> Result<Self, Forbidden> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Forbidden::Scheme),
        };
        let host = url.host_str().ok_or(Forbidden::Malformed)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() || host.ends_with('.') {
            return Err(Forbidden::Malformed);
        }
        let port = url.port_or_known_default().ok_or(Forbidden::Malformed)?;
        Ok(Self { is_https, host: host.to_owned(), port })
    }
}

/// A URL that the policy lets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URL as it was asked for; a relative redirect is relative to it.
    pub asked: Url,
    /// Where the request goes.
    pub route: Route,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To bytes of the program: the path without its first slash.
    Bundled(String),
    /// To a server.
    Network {
        /// Which one.
        origin: Origin,
        /// Whether it may resolve to any address.
        may_be_private: bool,
    },
}

impl Policy {
    /// Makes a policy of settings.
    ///
    /// `allowed` holds hosts that may be `http` and private, each `host` (any port) or `host:port`, compared exactly.
    /// `mapped` sends an origin such as `https://bot.example` to another one, which counts as allowed, or to the bytes
    /// of the program where it is the word `bundled`.
    ///
    /// # Errors
    ///
    /// Returns the first entry that cannot be read.
    pub fn new<'a>(
        allowed: impl IntoIterator<Item = &'a str>,
        mapped: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for entry in allowed {
            policy.allowed.insert(host_entry(entry).ok_or_else(|| PolicyError::Host(entry.to_owned()))?);
        }
        for (from, to) in mapped {
            let mapping = if to == "bundled" { Mapping::Bundled } else { Mapping::To(origin_entry(to)?) };
            if let Mapping::To(target) = &mapping {
                policy.allowed.insert((target.host.clone(), Some(target.port)));
            }
            policy.mapped.insert(origin_entry(from)?, mapping);
        }
        Ok(policy)
    }

    /// Decides about a URL, without resolving names.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn check(&self, url: &str) -> Result<Target, Forbidden> {
        if url.len() > MAX_URL_BYTES {
            return Err(Forbidden::TooLong);
        }
        // The URL standard drops some of these; whoever writes them means to confuse.
        if url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Forbidden::Malformed);
        }
        let mut asked = Url::parse(url).map_err(|_| Forbidden::Malformed)?;
        asked.set_fragment(None);
        let route = self.route(&asked)?;
        Ok(Target { asked, route })
    }

    /// Decides about a redirect from a target.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it; the rule is that of [`Policy::check`].
    pub fn check_redirect(&self, from: &Target, location: &str) -> Result<Target, Forbidden> {
        if location.len() > MAX_URL_BYTES {
            return Err(Forbidden::TooLong);
        }
        let joined = from.asked.join(location).map_err(|_| Forbidden::Malformed)?;
        self.check(joined.as_str())
    }

    /// Decides about the address of a WebSocket, without resolving names: `wss` is held to the rule of `https`, `ws` to
    /// that of `http`, mapped origins included.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it; [`Forbidden::SocketScheme`] where it has another scheme, or `ws` to a host that may
    /// not be plain, and [`Forbidden::Bundled`] where it is mapped to bytes of the program.
    pub fn check_socket(&self, url: &str) -> Result<Target, Forbidden> {
        let as_http = as_http(url).ok_or(Forbidden::SocketScheme)?;
        let as_socket = |why| if why == Forbidden::Scheme { Forbidden::SocketScheme } else { why };
        let mut target = self.check(&as_http).map_err(as_socket)?;
        if matches!(target.route, Route::Bundled(_)) {
            return Err(Forbidden::Bundled);
        }
        let scheme = if target.asked.scheme() == "https" { "wss" } else { "ws" };
        target.asked.set_scheme(scheme).map_err(|()| Forbidden::Malformed)?;
        Ok(target)
    }

    /// Whether datagrams that others asked for may go to an address without any proof that it wants them: only where the
    /// settings allow it as a host on any port, by itself or, for loopback, as `localhost`. One request could have anybody
    /// flooded otherwise.
    pub fn may_send_to(&self, address: IpAddr) -> bool {
        let is_named = |host: String| self.allowed.contains(&(host, None));
        let as_host = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        is_named(as_host) || (address.is_loopback() && is_named("localhost".to_owned()))
    }

    fn route(&self, url: &Url) -> Result<Route, Forbidden> {
        let origin = Origin::of(url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Credentials);
        }
        if origin.port == 0 {
            return Err(Forbidden::Port);
        }
        match self.mapped.get(&origin) {
            Some(Mapping::Bundled) => {
                return Ok(Route::Bundled(url.path().trim_start_matches('/').to_owned()));
            }
            Some(Mapping::To(other)) => {
                return Ok(Route::Network { origin: other.clone(), may_be_private: true });
            }
            None => {}
        }
        if self.is_allowed(&origin) {
            return Ok(Route::Network { origin, may_be_private: true });
        }
        check_public(url, &origin)?;
        Ok(Route::Network { origin, may_be_private: false })
    }

    fn is_allowed(&self, origin: &Origin) -> bool {
        !self.allowed.is_empty()
            && [None, Some(origin.port)]
                .into_iter()
                .any(|port| self.allowed.contains(&(origin.host.clone(), port)))
    }
}

/// A WebSocket's URL with the scheme of the request that opens it; `None` for another one.
fn as_http(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let schemes = [("wss", "https"), ("ws", "http")];
    let (_, http) = schemes.into_iter().find(|(socket, _)| scheme.eq_ignore_ascii_case(socket))?;
    Some(format!("{http}:{rest}"))
}

fn check_public(url: &Url, origin: &Origin) -> Result<(), Forbidden> {
    if !origin.is_https {
        return Err(Forbidden::Scheme);
    }
    let is_address_public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if !is_address_public {
        return Err(Forbidden::Address);
    }
    let is_system_port = origin.port < 1024 && origin.port != 443;
    if is_system_port || REFUSED_PORTS.contains(&origin.port) {
        return Err(Forbidden::Port);
    }
    Ok(())
}

fn host_entry(entry: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match entry.rsplit_once(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<u16>().ok()?)),
        Some(_) | None => (entry, None),
    };
    let origin = origin_entry(&format!("http://{host}")).ok()?;
    (origin.port == 80 && port != Some(0)).then_some((origin.host, port))
}

fn origin_entry(entry: &str) -> Result<Origin, PolicyError> {
    let failed = || PolicyError::Origin(entry.to_owned());
    let url = Url::parse(entry).map_err(|_| failed())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_named =
        url.username().is_empty() && url.password().is_none() && !entry.contains(char::is_whitespace);
    let origin = Origin::of(&url).map_err(|_| failed())?;
    if is_bare && is_named && origin.port != 0 { Ok(origin) } else { Err(failed()) }
}

#[cfg(test)]
mod tests {
    use super::{Forbidden, Policy, Route};

    fn policy() -> Policy {
        let mapped =
            [("https://bot.contoso.com", "http://127.0.0.1:9000"), ("https://cdn.contoso.com", "bundled")];
        Policy::new(["localhost", "127.0.0.1:9000", "[::1]:9000", "Bücher.example"], mapped).unwrap()
    }

    #[test]
    fn what_is_not_an_ordinary_address_is_refused_however_it_is_written() {
        let table = [
            ("https://127.0.0.1/", Forbidden::Address),
            ("https://127.0.0.1./", Forbidden::Address),
            ("https://127.1/", Forbidden::Address),
            ("https://2130706433/", Forbidden::Address),
            ("https://0x7f.0.0.1/", Forbidden::Address),
            ("https://0x7f000001/", Forbidden::Address),
            ("https://0177.0.0.1/", Forbidden::Address),
            ("https://017700000001/", Forbidden::Address),
            ("https://%31%32%37.0.0.1/", Forbidden::Address),
            ("https://１２７.０.０.１/", Forbidden::Address),
            ("https://127。0。0。1/", Forbidden::Address),
            ("https://0.0.0.0/", Forbidden::Address),
            ("https://0/", Forbidden::Address),
            ("https://169.254.169.254/latest/meta-data", Forbidden::Address),
            ("https://[::1]/", Forbidden::Address),
            ("https://[::]/", Forbidden::Address),
            ("https://[::ffff:127.0.0.1]/", Forbidden::Address),
            ("https://[::ffff:7f00:1]/", Forbidden::Address),
            ("https://[fd00:ec2::254]/", Forbidden::Address),
            ("https://[fe80::1%25eth0]/", Forbidden::Malformed),
            ("https://256.1.1.1/", Forbidden::Malformed),
            ("https://bot..example../", Forbidden::Malformed),
            ("https://./", Forbidden::Malformed),
            ("https:///", Forbidden::Malformed),
            ("https://bot.example\\@127.0.0.1/", Forbidden::Malformed),
            ("https://bot.example/\r\nHost: x", Forbidden::Malformed),
            (" https://bot.example/", Forbidden::Malformed),
            ("bot.example/callback", Forbidden::Malformed),
            ("", Forbidden::Malformed),
            ("http://bot.example/", Forbidden::Scheme),
            ("HTTP://bot.example/", Forbidden::Scheme),
            ("file:///etc/passwd", Forbidden::Scheme),
            ("gopher://bot.example/", Forbidden::Scheme),
            ("wss://bot.example/", Forbidden::Scheme),
            ("https://me@bot.example/", Forbidden::Credentials),
            ("https://:secret@bot.example/", Forbidden::Credentials),
            ("https://localhost@bot.example/", Forbidden::Credentials),
            ("https://bot.example:0/", Forbidden::Port),
            ("https://bot.example:22/", Forbidden::Port),
            ("https://bot.example:80/", Forbidden::Port),
            ("https://bot.example:6379/", Forbidden::Port),
            ("https://bot.example:65536/", Forbidden::Malformed),
        ];
        for (url, why) in table {
            assert_eq!(policy().check(url).map(|target| target.route), Err(why), "{url}");
        }
        assert_eq!(
            policy().check(&format!("https://bot.example/{}", "x".repeat(9000))),
            Err(Forbidden::TooLong)
        );
    }

    #[test]
    fn an_ordinary_https_url_passes_in_one_spelling() {
        let table = [
            ("https://bot.example/callback?x=1#top", "bot.example", 443),
            ("HTTPS://BOT.Example:8443/", "bot.example", 8443),
            ("https://bot.example./", "bot.example", 443),
            ("https://bücher.test/", "xn--bcher-kva.test", 443),
            ("https://8.8.8.8/", "8.8.8.8", 443),
            ("https://[2606:4700::1111]/", "[2606:4700::1111]", 443),
        ];
        for (url, host, port) in table {
            let Route::Network { origin, may_be_private } = policy().check(url).unwrap().route else {
                panic!("{url}");
            };
            assert_eq!((origin.host.as_str(), origin.port, may_be_private), (host, port, false), "{url}");
        }
    }

    #[test]
    fn an_allowed_host_may_be_plain_and_private_but_only_itself() {
        let allowed = |url| {
            matches!(policy().check(url).map(|t| t.route), Ok(Route::Network { may_be_private: true, .. }))
        };
        for url in [
            "http://localhost:5000/",
            "http://LOCALHOST./x",
            "http://127.0.0.1:9000/callback",
            "http://0x7f.1:9000/",
            "http://[::1]:9000/",
            "http://xn--bcher-kva.example/",
            "https://bücher.example/",
        ] {
            assert!(allowed(url), "{url}");
        }
        for url in ["http://127.0.0.1:9001/", "http://127.0.0.1/", "http://sub.localhost/", "http://[::1]/"] {
            assert!(!allowed(url), "{url}");
        }
    }

    #[test]
    fn a_mapped_origin_keeps_its_path_and_goes_elsewhere() {
        let target = policy().check("https://BOT.contoso.com/callback?a=b").unwrap();
        let Route::Network { origin, may_be_private } = &target.route else { panic!("mapped to a server") };
        assert_eq!(
            (origin.authority().as_str(), origin.is_https, *may_be_private),
            ("127.0.0.1:9000", false, true)
        );
        assert_eq!((target.asked.path(), target.asked.query()), ("/callback", Some("a=b")));

        let mapped = Policy::new([], [("https://bot.contoso.com", "http://127.0.0.1:9000")]).unwrap();
        assert!(mapped.check_redirect(&target, "http://127.0.0.1:9000/elsewhere").is_ok());
        assert_eq!(mapped.check("http://127.0.0.1:9001/"), Err(Forbidden::Scheme));

        let bundled = policy().check("https://cdn.contoso.com/beep.wav").unwrap().route;
        assert_eq!(bundled, Route::Bundled("beep.wav".to_owned()));
        let other_port = policy().check("https://bot.contoso.com:8443/").unwrap().route;
        assert!(matches!(other_port, Route::Network { may_be_private: false, .. }));
    }

    #[test]
    fn a_redirect_is_held_to_the_same_rule() {
        let from = policy().check("https://bot.contoso.com/a/b").unwrap();
        let to = |location| policy().check_redirect(&from, location).map(|target| target.asked.to_string());
        assert_eq!(to("c?d"), Ok("https://bot.contoso.com/a/c?d".to_owned()));
        assert_eq!(to("//other.example/x"), Ok("https://other.example/x".to_owned()));
        assert_eq!(to("http://169.254.169.254/"), Err(Forbidden::Scheme));
        assert_eq!(to("https://10.0.0.1/"), Err(Forbidden::Address));
        assert_eq!(to("//me:pw@bot.example/"), Err(Forbidden::Credentials));
    }

    #[test]
    fn a_websocket_is_held_to_the_rule_of_the_request_that_opens_it() {
        let table = [
            ("https://bot.example/", Forbidden::SocketScheme),
            ("http://localhost/", Forbidden::SocketScheme),
            ("ws://bot.example/", Forbidden::SocketScheme),
            ("bot.example", Forbidden::SocketScheme),
            ("", Forbidden::SocketScheme),
            ("wss://10.0.0.1/", Forbidden::Address),
            ("wss://me@bot.example/", Forbidden::Credentials),
            ("wss://bot.example:22/", Forbidden::Port),
            ("wss://cdn.contoso.com/beep.wav", Forbidden::Bundled),
            ("wss:///", Forbidden::Malformed),
            (" wss://bot.example/", Forbidden::SocketScheme),
        ];
        for (url, why) in table {
            assert_eq!(policy().check_socket(url), Err(why), "{url}");
        }
        let table = [
            ("WSS://Bot.example/a?b=c", "wss://bot.example/a?b=c", "bot.example", true, false),
            ("ws://localhost:5000/a", "ws://localhost:5000/a", "localhost:5000", false, true),
            ("wss://bot.contoso.com/a?b", "wss://bot.contoso.com/a?b", "127.0.0.1:9000", false, true),
        ];
        for (url, asked, authority, is_encrypted, is_private) in table {
            let target = policy().check_socket(url).unwrap();
            assert_eq!(target.asked.as_str(), asked);
            let Route::Network { origin, may_be_private } = target.route else { panic!("{url}") };
            let got = (origin.authority(), origin.is_https, may_be_private);
            assert_eq!(got, (authority.to_owned(), is_encrypted, is_private), "{url}");
        }
    }

    #[test]
    fn datagrams_go_only_to_addresses_that_are_named() {
        let may = |policy: &Policy, address: &str| policy.may_send_to(address.parse().unwrap());
        let nobody = Policy::default();
        for address in ["8.8.8.8", "2606:4700::1111", "10.0.0.1", "::ffff:10.0.0.1"] {
            assert!(!may(&nobody, address), "{address}");
        }
        let named = Policy::new(["8.8.8.8", "10.0.0.1", "[fd00::1]", "10.0.0.2:9000"], []).unwrap();
        for (address, is_named) in [
            ("8.8.8.8", true),
            ("10.0.0.1", true),
            ("fd00::1", true),
            ("10.0.0.2", false),
            ("10.0.0.3", false),
            ("::1", false),
        ] {
            assert_eq!(may(&named, address), is_named, "{address}");
        }
        let local = Policy::new(["localhost"], []).unwrap();
        for (address, is_local) in [("127.0.0.1", true), ("::1", true), ("192.168.0.1", false)] {
            assert_eq!(may(&local, address), is_local, "{address}");
        }
        let mapped = Policy::new([], [("https://bot.contoso.com", "http://127.0.0.1:9000")]).unwrap();
        assert!(!may(&mapped, "127.0.0.1"), "only that port is named");
    }

    #[test]
    fn settings_that_are_no_hosts_are_refused() {
        for entry in
            ["", "a b", "host:port", "host:0", "http://host", "host/path", "u@host", "::1", "host:99999"]
        {
            assert!(Policy::new([entry], []).is_err(), "{entry}");
        }
        for entry in [
            "bot.example",
            "ftp://bot.example",
            "https://bot.example/path",
            "https://u@bot.example",
            "bundled",
        ] {
            assert!(Policy::new([], [(entry, "bundled")]).is_err(), "{entry}");
        }
    }
}
