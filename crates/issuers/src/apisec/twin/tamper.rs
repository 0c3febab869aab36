//! What a person does at the console, while we look elsewhere.

use jiff::Timestamp;
use serde_json::{Value, json};
use twin::Reply;

use super::{ApiSec, TENANT};

impl ApiSec {
    /// The actions, each an object with `action` and what it needs:
    ///
    /// | `action` | needs |
    /// | --- | --- |
    /// | `set_password` | `account`, `password` |
    /// | `deactivate`, `activate` | `account` |
    /// | `require_two_factor`, `make_admin` | `account` |
    /// | `issue_by_hand` | `names`: a new password or personal access token; answers `content` |
    /// | `remove_by_hand` | `names`, `content`: removes that personal access token |
    /// | `begin_maintenance` | `answer`: `page` or `redirect`, until `end_maintenance` |
    /// | `end_maintenance` | |
    pub(super) fn tamper_with(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let what = required(action, "action")?;
        if matches!(what, "issue_by_hand" | "remove_by_hand") {
            let names: Vec<&str> = action["names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let [tenant, account, credential] = names.as_slice() else {
                return Err("`names` are those of tenant, account and credential".to_owned());
            };
            if *tenant != TENANT {
                return Err(format!("there is no tenant `{tenant}`"));
            }
            let user = self.user_named(account)?;
            return match what {
                "issue_by_hand" => self.issue_by_hand(now, user, credential),
                _ => self.remove_by_hand(required(action, "content")?),
            };
        }
        if matches!(what, "begin_maintenance" | "end_maintenance") {
            self.maintenance = if what == "end_maintenance" { None } else { Some(away(required(action, "answer")?)?) };
            return Ok(json!({}));
        }
        let at = self.user_named(required(action, "account")?)?;
        let user = &mut self.users[at];
        match what {
            "set_password" => user.set_password(required(action, "password")?, now),
            "deactivate" => user.active = false,
            "activate" => user.active = true,
            "require_two_factor" => user.two_factor = true,
            "make_admin" => user.admin = true,
            unknown => return Err(format!("unknown action `{unknown}`")),
        }
        Ok(json!({}))
    }

    fn issue_by_hand(&mut self, now: Timestamp, at: usize, credential: &str) -> Result<Value, String> {
        match credential {
            "password" => {
                let password = format!("By-hand-{}", self.random.hex());
                self.users[at].set_password(&password, now);
                Ok(json!({ "content": password }))
            }
            "pat" => Ok(json!({ "content": self.hand_out_personal(now, at) })),
            other => Err(format!("nobody makes a `{other}` by hand")),
        }
    }

    fn remove_by_hand(&mut self, content: &str) -> Result<Value, String> {
        let token = self.tokens.iter_mut().find(|token| token.personal && token.text == content);
        token.ok_or("there is no such personal access token")?.removed = true;
        Ok(json!({}))
    }

    fn user_named(&self, account: &str) -> Result<usize, String> {
        let found = self.users.iter().position(|user| user.name == account);
        found.ok_or_else(|| format!("there is no account `{account}`"))
    }
}

/// What a platform that is being worked on answers to everything.
fn away(answer: &str) -> Result<Reply, String> {
    match answer {
        "page" => {
            let page = Reply { body: "<html><body>We will be back soon.</body></html>".into(), ..Reply::empty(200) };
            Ok(page.header("content-type", "text/html"))
        }
        "redirect" => Ok(Reply::empty(302).header("location", "/maintenance.html")),
        other => Err(format!("`answer` is `{other}`; it can be page, redirect")),
    }
}

fn required<'a>(action: &'a Value, name: &str) -> Result<&'a str, String> {
    action.get(name).and_then(Value::as_str).ok_or_else(|| format!("`{name}` is missing, or no text"))
}
