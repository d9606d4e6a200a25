use sip_message::digest::{Algorithm, Ha1};
use sip_proto::{UserCredentials, Users};

use crate::context::SharedDirectory;

/// The directory as the registrar sees it.
pub(super) struct DirectoryUsers(pub(super) SharedDirectory);

impl Users for DirectoryUsers {
    fn lookup(&self, username: &str, realm: &str) -> Option<UserCredentials> {
        let directory = self.0.load();
        let user = directory.user_by_sip_name(username)?;
        let ha1 = user.ha1.as_ref().filter(|ha1| ha1.realm == realm)?;
        let (md5, sha256) = if username.contains('@') {
            (&ha1.md5_address, &ha1.sha256_address)
        } else {
            (&ha1.md5_local, &ha1.sha256_local)
        };
        Some(UserCredentials {
            aor: user.address.to_lowercase(),
            ha1_md5: Ha1::from_hex(Algorithm::Md5, md5),
            ha1_sha256: Ha1::from_hex(Algorithm::Sha256, sha256),
        })
    }
}
