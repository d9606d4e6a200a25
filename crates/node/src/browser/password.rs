use model::{IndexedDirectory, UserId};
use sip_message::digest::{Algorithm, Ha1};
use subtle::ConstantTimeEq;

/// The user with that name (`john`, `john@contoso.example`) and password; nobody where either is wrong. That takes as long for
/// a name that nobody has.
pub fn sign_in(directory: &IndexedDirectory, name: &str, password: &str) -> Option<UserId> {
    let user = directory.user_by_sip_name(name.trim());
    let kept = user.and_then(|user| user.ha1.as_ref().map(|ha1| (user.address.as_str(), ha1)));
    let (address, realm, expected) = match kept {
        Some((address, ha1)) => (address, ha1.realm.as_str(), ha1.sha256_address.as_str()),
        None => ("", "", ""),
    };
    let given = Ha1::new(Algorithm::Sha256, address, realm, password);
    let is_right: bool = given.hex().as_bytes().ct_eq(expected.to_ascii_lowercase().as_bytes()).into();
    user.filter(|_| is_right && !expected.is_empty()).map(|user| user.id.clone())
}

#[cfg(test)]
mod tests {
    use model::{Directory, User};

    use super::*;

    fn directory(has_password: bool) -> IndexedDirectory {
        let hex = |algorithm, name| Ha1::new(algorithm, name, "contoso.example", "right").hex().to_owned();
        let (local, address) = ("john", "john@contoso.example");
        let ha1 = model::Ha1 {
            realm: "contoso.example".to_owned(),
            md5_local: hex(Algorithm::Md5, local),
            md5_address: hex(Algorithm::Md5, address),
            sha256_local: hex(Algorithm::Sha256, local),
            sha256_address: hex(Algorithm::Sha256, address),
        };
        let user = User {
            id: "1".into(),
            tenant: "tenant".into(),
            name: "John".to_owned(),
            address: address.to_owned(),
            ha1: has_password.then_some(ha1),
            script: None,
            is_administrator: false,
        };
        Directory { users: [(user.id.clone(), user)].into(), ..Directory::default() }.into()
    }

    #[test]
    fn a_user_signs_in_by_name_or_address_with_the_password_only() {
        let known = directory(true);
        for (name, password, is_let_in) in [
            ("john", "right", true),
            (" John@contoso.example ", "right", true),
            ("john", "wrong", false),
            ("john", "", false),
            ("jane", "right", false),
            ("", "", false),
        ] {
            let expected = is_let_in.then(|| UserId::from("1"));
            assert_eq!(sign_in(&known, name, password), expected, "{name:?} {password:?}");
        }
        assert_eq!(sign_in(&directory(false), "john", ""), None, "who has no password cannot sign in");
    }
}
