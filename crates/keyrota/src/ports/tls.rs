//! TLS as every client connection uses it: one provider, certificates always verified.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

/// What is wrong with a `ca_file`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("the file {} is not a list of PEM certificates", .file.display())]
    Unreadable { file: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("the file {} holds no PEM certificate", .file.display())]
    Empty { file: PathBuf },
    #[error("a certificate in {} cannot be an authority", .file.display())]
    Refused { file: PathBuf, source: rustls::Error },
}

/// Trusts the authorities of the system, and those of `ca_file` beside them.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, ClientConfigError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let authorities = ca_file.map(read_authorities).transpose()?.unwrap_or_default();
    let mut config = match (verifier(authorities, provider), ca_file) {
        (Ok(verifier), _) => {
            // Not dangerous in itself: this is the documented way to verify as the platform does.
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        (Err(source), Some(file)) => return Err(AuthorityError::Refused { file: file.to_owned(), source }.into()),
        // A system without authorities, as small containers are: nothing is trusted, and plain loopback still works.
        (Err(_), None) => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientConfigError {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

fn verifier(
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    Verifier::new_with_extra_roots(authorities, provider)
}

fn read_authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let unreadable = |source| AuthorityError::Unreadable { file: file.to_owned(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(AuthorityError::Empty { file: file.to_owned() });
    }
    Ok(certificates)
}
