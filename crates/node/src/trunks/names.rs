//! What the DNS says, asked as this machine is set up to ask it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use sip_proto::{Candidates, Locating, Naptr, Question, Records, Srv};
use tokio::task::JoinSet;

/// How long one question to one name server may take, whatever the system says: somebody waits.
const LONGEST_WAIT: Duration = Duration::from_millis(1500);

/// How long it counts that a name does not exist, where its domain does not say.
const NEGATIVE_LIFETIME: Duration = Duration::from_secs(30);

/// Nothing was learned, which says nothing about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the DNS does not answer")]
pub(super) struct Unanswered;

/// Asks all that a search wants to know. A search that needs to know nothing asks nobody.
///
/// # Errors
///
/// [`Unanswered`] where nothing was found and some question had no answer.
pub(super) async fn search(mut search: Locating) -> Result<Candidates, Unanswered> {
    match search.poll_question() {
        None => Ok(search.finish()),
        Some(first) => search_by(Arc::new(resolver_of_system().await?), search, first).await,
    }
}

async fn search_by(
    resolver: Arc<TokioResolver>,
    mut search: Locating,
    first: Question,
) -> Result<Candidates, Unanswered> {
    let (mut next, mut asked, mut is_unanswered) = (Some(first), JoinSet::new(), false);
    loop {
        while let Some(question) = next.take().or_else(|| search.poll_question()) {
            let resolver = Arc::clone(&resolver);
            asked.spawn(async move { (ask(&resolver, &question).await, question) });
        }
        let Some(answered) = asked.join_next().await else { break };
        let Ok((answer, question)) = answered else { return Err(Unanswered) };
        is_unanswered |= answer.is_err();
        let (records, lifetime) = answer.unwrap_or((nothing(&question), NEGATIVE_LIFETIME));
        search.handle(&question, records, lifetime);
    }
    let found = search.finish();
    if found.list.is_empty() && is_unanswered { Err(Unanswered) } else { Ok(found) }
}

/// Set up as the system is at this moment, so that a change of that is followed. Without any set-up, this machine is asked, as
/// the C library does (resolv.conf(5)).
async fn resolver_of_system() -> Result<TokioResolver, Unanswered> {
    let made = tokio::task::spawn_blocking(|| {
        let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::debug!(%error, "failed to read which name servers there are");
            let here = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![here]);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        });
        let options = builder.options_mut();
        options.timeout = options.timeout.min(LONGEST_WAIT);
        // Carriers have IPv4 as a rule, and so have the sockets of this side.
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        builder.build()
    });
    made.await.map_err(|_stopped| Unanswered)?.map_err(|error| {
        tracing::warn!(%error, "failed to set up the asking of name servers");
        Unanswered
    })
}

async fn ask(resolver: &TokioResolver, question: &Question) -> Result<(Records, Duration), Unanswered> {
    // Names of services are whole; a host may be one of this machine's own domain.
    let whole = |name: &str| format!("{}.", name.trim_end_matches('.'));
    let found = match question {
        Question::Addresses(host) => resolver.lookup_ip(host.as_str()).await.map(Lookup::from),
        Question::Naptr(name) => resolver.lookup(whole(name), RecordType::NAPTR).await,
        Question::Srv(name) => resolver.lookup(whole(name), RecordType::SRV).await,
    };
    match found {
        Ok(lookup) => Ok((records(question, &lookup), lifetime(&lookup))),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let seconds = none.negative_ttl.map(|seconds| Duration::from_secs(seconds.into()));
            Ok((nothing(question), seconds.unwrap_or(NEGATIVE_LIFETIME)))
        }
        Err(error) => {
            tracing::debug!(%error, ?question, "the DNS does not answer");
            Err(Unanswered)
        }
    }
}

/// The records of an answer that the question is about.
fn records(question: &Question, lookup: &Lookup) -> Records {
    let data = lookup.answers().iter().map(|record| &record.data);
    match question {
        Question::Addresses(_) => Records::Addresses(data.filter_map(RData::ip_addr).collect()),
        Question::Naptr(_) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let naptr = data.filter_map(|data| {
                let RData::NAPTR(record) = data else { return None };
                Some(Naptr {
                    order: record.order,
                    preference: record.preference,
                    flags: text(&record.flags),
                    service: text(&record.services),
                    replacement: record.replacement.to_ascii(),
                })
            });
            Records::Naptr(naptr.collect())
        }
        Question::Srv(_) => {
            let srv = data.filter_map(|data| {
                let RData::SRV(record) = data else { return None };
                Some(Srv {
                    priority: record.priority,
                    weight: record.weight,
                    port: record.port,
                    target: record.target.to_ascii(),
                })
            });
            Records::Srv(srv.collect())
        }
    }
}

fn lifetime(lookup: &Lookup) -> Duration {
    let seconds = lookup.answers().iter().map(|record| record.ttl).min();
    seconds.map_or(NEGATIVE_LIFETIME, |seconds| Duration::from_secs(seconds.into()))
}

fn nothing(question: &Question) -> Records {
    match question {
        Question::Addresses(_) => Records::Addresses(Vec::new()),
        Question::Naptr(_) => Records::Naptr(Vec::new()),
        Question::Srv(_) => Records::Srv(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hickory_resolver::config::{ConnectionConfig, ResolveHosts};
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, SRV};
    use hickory_resolver::proto::rr::{Name, Record};
    use sip_proto::Transport;
    use tokio::net::UdpSocket;

    use super::*;

    /// Answers as a name server that knows one service and its two hosts.
    async fn serve(socket: UdpSocket) {
        let mut buffer = vec![0; 1500];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let mut message = Message::from_vec(&buffer[..length]).unwrap().into_response();
            let name = message.queries[0].name().clone();
            let host = |text: &str| Name::from_ascii(text).unwrap();
            match (message.queries[0].query_type(), name.to_ascii().to_lowercase().as_str()) {
                (RecordType::SRV, "_sip._udp.carrier.example.") => {
                    for (priority, target) in [(2, "b.carrier.example."), (1, "a.carrier.example.")] {
                        let srv = SRV::new(priority, 0, 5070, host(target));
                        message.add_answer(Record::from_rdata(name.clone(), 600, RData::SRV(srv)));
                    }
                }
                (RecordType::A, "a.carrier.example.") => {
                    message.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
                }
                (RecordType::A, "b.carrier.example.") => {
                    message.add_answer(Record::from_rdata(name, 300, RData::A(A::new(192, 0, 2, 2))));
                }
                _ => message.metadata.response_code = ResponseCode::NXDomain,
            }
            socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
        }
    }

    fn resolver(server: SocketAddr) -> Arc<TokioResolver> {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        builder.options_mut().attempts = 1;
        builder.options_mut().timeout = Duration::from_millis(200);
        Arc::new(builder.build().unwrap())
    }

    async fn found(server: SocketAddr, uri: &str) -> Result<(Vec<String>, Duration), Unanswered> {
        let mut search = Locating::new(&uri.parse().unwrap(), &[Transport::Udp], [1; 32]).unwrap();
        let first = search.poll_question().unwrap();
        let found = search_by(resolver(server), search, first).await?;
        let list = found.list.iter().map(|place| format!("{} {}", place.remote, place.name));
        Ok((list.collect(), found.lifetime))
    }

    #[tokio::test]
    async fn a_service_leads_to_the_addresses_of_its_hosts_for_as_long_as_all_records_last() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        tokio::spawn(serve(socket));
        let places = ["192.0.2.1:5070 carrier.example", "192.0.2.2:5070 carrier.example"];
        let service = found(server, "sip:carrier.example;transport=udp").await;
        assert_eq!(service, Ok((places.map(str::to_owned).into(), Duration::from_secs(60))));
        let host = found(server, "sip:b.carrier.example:5080;transport=udp").await;
        let place = "192.0.2.2:5080 b.carrier.example".to_owned();
        assert_eq!(host, Ok((vec![place], Duration::from_secs(300))));
        let nobody = found(server, "sip:nobody.example;transport=udp").await;
        assert_eq!(nobody, Ok((Vec::new(), NEGATIVE_LIFETIME)));
    }

    #[tokio::test]
    async fn a_name_server_that_says_nothing_leaves_a_name_unknown() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = silent.local_addr().unwrap();
        assert_eq!(found(server, "sip:carrier.example:5060;transport=udp").await, Err(Unanswered));
    }
}
