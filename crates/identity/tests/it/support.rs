//! A small directory and issuers for tests.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use identity::{
    EndpointVersion, Issuer, IssuerSettings, KeyRing, KeySource, KeySourceError, KeySourceFuture, Rotation,
    SigningKey, StoredKey, TokenEndpoint, TokenEndpointSettings, TokenRequest, Verifier, VerifierSettings,
    hash_secret,
};
use model::{AppId, Application, Directory, Permission, PermissionSet, Tenant, TenantId, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const BOT: &str = "2891555a-92ff-42e6-80fa-6e1300c6b5c6";
pub(crate) const NO_RIGHTS: &str = "0d2d1e2f-0000-4000-8000-000000000001";
pub(crate) const CONTOSO: &str = "aa67bd4c-8475-432d-bd41-39f255720e0a";
pub(crate) const FABRIKAM: &str = "86dc81db-c112-4228-9222-63f3esaa1edb";
pub(crate) const BASE: &str = "https://localhost:8443";
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

static HASH: LazyLock<String> = LazyLock::new(|| hash_secret("dev-secret").unwrap());

/// Making a key takes a while; all issuers of the tests but [`stranger`] share this one.
static KEY: LazyLock<StoredKey> = LazyLock::new(|| SigningKey::generate(NOW).unwrap().to_stored().unwrap());

pub(crate) fn roles() -> PermissionSet {
    [Permission::from(Permission::INITIATE), Permission::from(Permission::ACCESS_MEDIA)].into_iter().collect()
}

pub(crate) fn directory() -> Directory {
    let mut directory = Directory::default();
    for id in [BOT, NO_RIGHTS] {
        let app = Application {
            id: AppId::from(id),
            name: "Calling Bot".to_owned(),
            alias: None,
            secret_hashes: vec![HASH.clone()],
            assertion_keys: Vec::new(),
            webhook: None,
            is_calling_enabled: true,
            trunk_budget: Default::default(),
        };
        directory.applications.insert(app.id.clone(), app);
    }
    let contoso =
        BTreeMap::from([(AppId::from(BOT), roles()), (AppId::from(NO_RIGHTS), PermissionSet::default())]);
    let fabrikam = BTreeMap::from([(AppId::from(BOT), roles())]);
    for (id, name, grants) in [(CONTOSO, "Contoso", contoso), (FABRIKAM, "Fabrikam", fabrikam)] {
        let tenant = Tenant {
            id: TenantId::from(id),
            name: name.to_owned(),
            grants,
            access_policies: BTreeMap::new(),
            dial_in_numbers: [].into(),
        };
        directory.tenants.insert(tenant.id.clone(), tenant);
    }
    directory
}

pub(crate) fn key_ring() -> KeyRing {
    KeyRing::new(Rotation::default(), vec![SigningKey::from_stored(&KEY).unwrap()])
}

pub(crate) fn settings() -> IssuerSettings {
    IssuerSettings { bases: vec![BASE.to_owned()], ..IssuerSettings::default() }
}

pub(crate) fn issuer() -> Arc<Issuer> {
    Arc::new(Issuer::new(settings(), key_ring()))
}

/// An issuer of the same name with a key of its own.
pub(crate) fn stranger() -> Issuer {
    Issuer::new(settings(), KeyRing::new(Rotation::default(), vec![SigningKey::generate(NOW).unwrap()]))
}

pub(crate) fn endpoint() -> TokenEndpoint {
    TokenEndpoint::new(TokenEndpointSettings::default(), issuer())
}

pub(crate) fn request<'a>(tenant: &'a str, form: &'a str) -> TokenRequest<'a> {
    TokenRequest {
        tenant,
        version: EndpointVersion::V2,
        form: form.as_bytes(),
        authorization: None,
        address: HERE,
    }
}

pub(crate) fn form(client: &str, secret: &str) -> String {
    format!(
        "grant_type=client_credentials&client_id={client}&client_secret={secret}\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    )
}

pub(crate) struct NoKeys;

impl KeySource for NoKeys {
    fn fetch<'a>(&'a self, _url: &'a str) -> KeySourceFuture<'a> {
        Box::pin(async { Err(KeySourceError("no network".to_owned())) })
    }
}

pub(crate) fn verifier(own: Arc<Issuer>) -> Verifier {
    Verifier::new(VerifierSettings::default(), Some(own), Vec::new(), Box::new(NoKeys))
}
