//! TLS in front of a twin, with a certificate that this system has no reason to trust.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::world::World;

#[derive(Clone, Copy)]
pub(crate) enum Certificate {
    SelfSigned,
    /// The same, marked as an authority's, as `openssl req -x509` makes them.
    OwnAuthority,
    /// Signed by an authority that nobody knows.
    OfAuthority,
}

/// Ends when it is dropped.
pub(crate) struct TlsProxy {
    /// The base address of the server, over TLS.
    pub(crate) url: String,
    /// The certificate of whoever signed, PEM.
    pub(crate) authority: String,
    _runtime: Runtime,
}

pub(crate) fn in_front_of(world: &World, certificate: Certificate) -> TlsProxy {
    before(world.announced["base_url"].as_str().unwrap(), certificate)
}

/// In front of any server of this machine that speaks plain HTTP.
pub(crate) fn before(address: &str, certificate: Certificate) -> TlsProxy {
    let base = url::Url::parse(address).unwrap();
    let inside = format!("{}:{}", base.host_str().unwrap(), base.port().unwrap());
    let (server, authority) = certificates(certificate);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("https://{}{}", listener.local_addr().unwrap(), base.path());
    runtime.spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let (acceptor, inside) = (acceptor.clone(), inside.clone());
            tokio::spawn(async move {
                // A client that does not trust us ends the handshake.
                let Ok(mut outside) = acceptor.accept(outside).await else { return };
                let mut inside = TcpStream::connect(inside).await.unwrap();
                copy_bidirectional(&mut outside, &mut inside).await.ok();
            });
        }
    });
    TlsProxy { url, authority, _runtime: runtime }
}

fn certificates(certificate: Certificate) -> (ServerConfig, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, authority) = match certificate {
        Certificate::SelfSigned | Certificate::OwnAuthority => {
            if matches!(certificate, Certificate::OwnAuthority) {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            let certificate = params.self_signed(&key).unwrap();
            let pem = certificate.pem();
            (certificate, pem)
        }
        Certificate::OfAuthority => {
            let mut above = CertificateParams::new(Vec::new()).unwrap();
            above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(above, KeyPair::generate().unwrap()).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), issuer.pem())
        }
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (server, authority)
}
