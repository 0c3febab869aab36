//! The Administration API: logs, licence, high-risk users; and the health check.

use jiff::Timestamp;
use serde_json::{Value, json};
use twin::{Call, Reply};

use super::{BASE_PATH, SecurId, before, message};

/// How long each log is kept.
const DAYS_KEPT: i64 = 90;
const PAGE_SIZE_MAX: usize = 100;

impl SecurId {
    pub(super) fn answer(&mut self, now: Timestamp, call: &Call) -> Reply {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/oauth/token") => return self.token(now, call),
            ("GET", "/AdminInterface/healthcheck" | "/healthcheck") => {
                return Reply::json(200, &json!({ "status": "HEALTHY" }));
            }
            _ => {}
        }
        let Some(path) = call.path.strip_prefix(BASE_PATH) else {
            return message(404, "Not Found");
        };
        let (permission, super_only) = match (call.method.as_str(), path) {
            ("GET", "/v1/adminlog/exportlogs") => ("rsa.audit.admin", false),
            ("GET", "/v1/usereventlog/exportlogs") => ("rsa.audit.user", false),
            ("GET", "/v1/systemlog/exportlogs") => ("rsa.audit.system", false),
            ("GET", "/v1/licenseusage" | "/v2/licenseusage") => ("rsa.report.license.usage", false),
            ("GET", "/v2/users/highrisk") => ("rsa.user.risky.read", true),
            _ => return message(404, "Not Found"),
        };
        let bearer = match self.authorize(now, call) {
            Ok(bearer) => bearer,
            Err(refusal) => return refusal.reply(),
        };
        let licensed = !self.options.audit_only || permission.starts_with("rsa.audit.");
        if !licensed || !bearer.rights.allow(permission, super_only) {
            return message(403, "You do not have the required permission").header("x-twin-detail", "role");
        }
        match path {
            "/v1/adminlog/exportlogs" => self.export(now, call, "elements", &self.events),
            "/v1/usereventlog/exportlogs" => self.export(now, call, "userEventLogExportEntries", &[]),
            "/v1/systemlog/exportlogs" => self.export(now, call, "elements", &[]),
            "/v2/users/highrisk" => Reply::json(200, &json!({ "users": [] })),
            _ => Reply::json(200, &json!({ "licensedUsers": 500, "usedLicenses": 17 })),
        }
    }

    fn export(&self, now: Timestamp, call: &Call, list: &str, events: &[Value]) -> Reply {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(call.query.as_bytes()).into_owned().collect();
        let get = |name: &str| query.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
        let number = |name: &str, otherwise: usize| get(name).map_or(Some(otherwise), |text| text.parse().ok());
        let time = |name: &str| get(name).map(|text| text.parse::<Timestamp>()).transpose().ok();
        let (Some(size), Some(page), Some(after), Some(until)) = (
            number("pageSize", PAGE_SIZE_MAX),
            number("pageNumber", 0),
            time("startTimeAfter"),
            time("endTimeOnOrBefore"),
        ) else {
            return message(400, "A query parameter is invalid");
        };
        if !(1..=PAGE_SIZE_MAX).contains(&size) {
            return message(400, "The page size must be from 1 to 100");
        }
        let kept_since = before(now, jiff::SignedDuration::from_hours(24 * DAYS_KEPT));
        let after = after.unwrap_or(kept_since).max(kept_since);
        let in_range = |event: &&Value| {
            let at = event["eventLogDate"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
            at.is_some_and(|at| at > after && until.is_none_or(|until| at <= until))
        };
        let found: Vec<&Value> = events.iter().filter(in_range).collect();
        let elements: Vec<&&Value> = found.iter().skip(page.saturating_mul(size)).take(size).collect();
        Reply::json(
            200,
            &json!({
                "totalPages": found.len().div_ceil(size),
                "totalElements": found.len(),
                "currentPage": page,
                list: elements,
            }),
        )
    }
}
