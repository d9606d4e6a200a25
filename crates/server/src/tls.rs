//! Certificates: the operator's, or those of a local authority that `dev` makes for itself.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate chain and its key, on disk.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Reads a certificate and its key.
pub(crate) fn acceptor(files: &Files) -> Result<TlsAcceptor> {
    let (certificate, key) = (&files.certificate, &files.key);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("failed to read the certificate {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("failed to read the key {}", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("the key does not belong to the certificate {}", certificate.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The local authority of a data folder and a certificate for `localhost` by it; made where they are missing.
///
/// `ca.pem` is what clients are told to trust. The authority's key is used once and never written: whoever trusts
/// `ca.pem` trusts this one certificate and nothing that could be made later.
pub(crate) fn local(data: &Path) -> Result<Files> {
    let files = Files { certificate: data.join("localhost.pem"), key: data.join("localhost.key") };
    let authority = data.join("ca.pem");
    if authority.is_file() && files.certificate.is_file() && files.key.is_file() {
        return Ok(files);
    }
    let key = KeyPair::generate().context("failed to make a key")?;
    let issuer = Issuer::new(authority_params(), KeyPair::generate().context("failed to make a key")?);
    let authority_certificate =
        authority_params().self_signed(issuer.key()).context("failed to make a certificate")?;
    let certificate = localhost_params()?.signed_by(&key, &issuer).context("failed to make a certificate")?;
    write(&files.key, &key.serialize_pem(), 0o600)?;
    write(&files.certificate, &certificate.pem(), 0o644)?;
    write(&authority, &authority_certificate.pem(), 0o644)?;
    Ok(files)
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Hookswitch local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2056, 1, 1));
    params
}

fn localhost_params() -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into().context("failed to name a certificate")?),
        SanType::IpAddress(IpAddr::from([127, 0, 0, 1])),
        SanType::IpAddress(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Some clients refuse server certificates that live longer than 825 days, but only from public authorities.
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2056, 1, 1));
    Ok(params)
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let temporary = path.with_extension("new");
    let written = (|| -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.with_context(|| format!("failed to write {}", path.display()))
}
