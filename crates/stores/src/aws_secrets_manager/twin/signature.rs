//! Whether a call is signed as the documents of Signature Version 4 demand. Written without the driver's signer.

use std::collections::BTreeMap;

use aws_lc_rs::{
    constant_time,
    digest::{SHA256, digest},
    hmac,
};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use twin::Call;

/// AWS refuses what is older or newer.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What a caller claims in its `Authorization`.
#[derive(Debug)]
pub(super) struct Claim {
    pub key_id: String,
    day: String,
    region: String,
    service: String,
    signed: Vec<String>,
    signature: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Missing,
    Incomplete(&'static str),
    /// With what should have been signed, as AWS tells it: the session token is in there.
    Mismatch(String),
    Time(String),
}

impl Claim {
    pub(super) fn of(call: &Call) -> Result<Self, Broken> {
        let header = call.header("authorization").ok_or(Broken::Missing)?;
        let rest = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(Broken::Incomplete("the algorithm"))?;
        let parts: BTreeMap<&str, &str> = rest.split(", ").filter_map(|part| part.split_once('=')).collect();
        let part = |name| parts.get(name).copied().ok_or(Broken::Incomplete(name));
        let [key_id, day, region, service, "aws4_request"] = part("Credential")?.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(Broken::Incomplete("Credential"));
        };
        let signature = part("Signature")?;
        Ok(Self {
            key_id: key_id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: unhex(signature).ok_or(Broken::Incomplete("Signature"))?,
        })
    }

    pub(super) fn verify(
        &self,
        call: &Call,
        key: &str,
        region: &str,
        service: &str,
        now: Timestamp,
    ) -> Result<(), Broken> {
        if self.region != region || self.service != service {
            return Err(Broken::Incomplete("the scope"));
        }
        let time = call.header("x-amz-date").ok_or(Broken::Incomplete("X-Amz-Date"))?;
        self.check_time(time, now)?;
        for wanted in ["host", "x-amz-date", "x-amz-security-token", "x-amz-target", "content-type"] {
            if call.header(wanted).is_some() && !self.signed.iter().any(|name| name == wanted) {
                return Err(Broken::Incomplete("SignedHeaders"));
            }
        }
        if !self.signed.is_sorted() {
            return Err(Broken::Incomplete("SignedHeaders"));
        }
        let mut canonical = format!("{}\n{}\n{}\n", call.method, call.path, call.query);
        for name in &self.signed {
            let value = call.header(name).ok_or(Broken::Incomplete("SignedHeaders"))?;
            canonical += &format!("{name}:{}\n", value.trim());
        }
        canonical += &format!("\n{}\n{}", self.signed.join(";"), hex(&call.body));
        let scope = format!("{}/{region}/{service}/aws4_request", self.day);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(canonical.as_bytes()));
        let sign = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let signing = [self.day.as_str(), region, service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{key}").into_bytes(), |key, text| sign(&key, text));
        constant_time::verify_slices_are_equal(&sign(&signing, &text), &self.signature)
            .map_err(|_| Broken::Mismatch(canonical))
    }

    fn check_time(&self, time: &str, now: Timestamp) -> Result<(), Broken> {
        let parsed = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok();
        let parsed = parsed.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
        let Some(at) = parsed.map(|zoned| zoned.timestamp()) else { return Err(Broken::Incomplete("X-Amz-Date")) };
        if !time.starts_with(&self.day) {
            return Err(Broken::Incomplete("the scope"));
        }
        let skew = now.duration_since(at);
        match skew {
            late if late > SKEW_MAX => {
                Err(Broken::Time(format!("Signature expired: {time} is now earlier than allowed")))
            }
            early if early < -SKEW_MAX => {
                Err(Broken::Time(format!("Signature not yet current: {time} is still later")))
            }
            _ => Ok(()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(byte).collect()
}
