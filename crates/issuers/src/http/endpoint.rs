//! Where the platform is.

use url::{Host, Url};

pub(super) fn endpoint(text: &str) -> Result<Url, String> {
    check(text).map_err(|why| format!("`endpoint` {why}"))
}

fn check(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; those have keys of their own".to_owned());
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err("must be https, since secrets go there; plain http is for loopback only".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path: what a call asks for stands in its own `query`".to_owned());
    }
    Ok(url)
}
