//! Roads that the simulated portal does not go.

use domain::{CredentialId, Handle, Marker, RotationId};
use driver::{
    AttemptKey, DriverError, Effect, Found, IssueRequest, Issuer, Kind, Listing, Lookup, Scope, Subject, Ticket, Trial,
};
use futures_util::{TryStreamExt, future::join_all};
use secret::{Secret, SecretMap};

use super::configure;

const BARE: &str = r#"
endpoint = "https://x.example.com/v1"
error = "/error"
facts = { idempotency = "none", propagation = "1m" }
issue = { path = "/apps/{app_id}/keys", id = "/id", fields = { token = "/token" } }
revoke = { path = "/keys/{id}", gone = [404] }
"#;

const LIST: &str = r#"
list = { path = "/keys", items = "/data", app = "/app", id = "/id", created_at = "/made", next = "/next" }
"#;

const CREDENTIALS: &str = "credentials = [{ app = \"shop\", app_id = \"s/1\" }]\n";

fn ticket() -> Ticket {
    Ticket::for_journal_entry(1)
}

fn subject() -> Subject {
    Subject { credential: CredentialId::new("x", ["shop", "key"]).unwrap(), locator: "s/1".to_owned() }
}

fn request(chosen: Option<&SecretMap>) -> IssueRequest<'_> {
    IssueRequest {
        subject: subject(),
        name: "key_new".to_owned(),
        title: "Key_new".to_owned(),
        marker: Marker::new(&RotationId::new("r-1"), 1),
        replaces: None,
        token: AttemptKey("r-1:2".to_owned()),
        chosen,
        minted_from: None,
        current: None,
    }
}

fn handle(id: &str) -> Handle {
    Handle::parse(id).unwrap()
}

async fn all(issuer: &dyn Issuer, scope: Scope) -> Result<Vec<Found>, DriverError> {
    let pages: Vec<Listing> = issuer.list(scope).try_collect().await?;
    Ok(pages.into_iter().flat_map(|page| page.found).collect())
}

#[tokio::test]
async fn pages_follow_the_link_of_the_platform_itself() {
    let pages = [
        (200, r#"{"data": [{"app": "a", "id": 1, "made": 1700000000}], "next": "/v1/keys?after=1"}"#),
        (200, r#"{"data": [{"app": "b", "id": 2, "made": "2026-01-01T00:00:00Z"}], "next": null}"#),
    ];
    let (issuer, script) = configure(&format!("{BARE}{LIST}"), &pages).unwrap();
    let found = all(&*issuer, Scope::All).await.unwrap();
    let names: Vec<_> = found.iter().map(|one| (one.names.join("/"), one.handle.to_string())).collect();
    assert_eq!(names, [("a/key".to_owned(), "1".to_owned()), ("b/key".to_owned(), "2".to_owned())]);
    assert_eq!(script.asked()[1].url.as_str(), "https://x.example.com/v1/keys?after=1");
}

/// Twenty walks that look at the same time are no twenty listings; but none is told what held before it began.
#[tokio::test]
async fn narrow_looks_share_the_next_listing_where_only_the_whole_tells() {
    const ONE: &str = r#"{"data": [{"app": "s/1", "id": 1, "made": 1}, {"app": "other", "id": 9, "made": 1}]}"#;
    const TWO: &str = r#"{"data": [{"app": "s/1", "id": 1, "made": 1}, {"app": "s/1", "id": 2, "made": 2}]}"#;
    let (issuer, script) = configure(&format!("{BARE}{LIST}"), &[(200, ONE), (200, TWO), (200, ONE)]).unwrap();
    let looks = join_all((0..20).map(|_| all(&*issuer, Scope::Siblings(subject())))).await;
    let found: Vec<usize> = looks.into_iter().map(|look| look.unwrap().len()).collect();
    assert_eq!((found[0], &found[1..]), (1, &[2; 19][..]), "the first listing began before the others came");
    assert_eq!(script.asked().len(), 2);
    assert_eq!(all(&*issuer, Scope::Siblings(subject())).await.unwrap().len(), 1, "nothing is kept");
}

#[tokio::test]
async fn a_link_elsewhere_a_list_that_moved_and_an_item_that_lacks_something_fail_the_listing() {
    for (pages, kind, words) in [
        (&[(200, r#"{"data": [], "next": "https://elsewhere.example.com/keys"}"#)][..], Kind::Protocol, "another host"),
        (
            &[(200, r#"{"data": [{"app": "a", "id": 1, "made": 1}, {"app": "a", "id": 1, "made": 1}]}"#)],
            Kind::Conflict,
            "`1` came twice",
        ),
        (&[(200, r#"{"data": [{"app": "a", "id": 1}]}"#)], Kind::Protocol, "`created_at` at \"/made\""),
        (&[(200, r#"{"data": [{"app": "a", "made": 1}]}"#)], Kind::Protocol, "`id` at \"/id\""),
        (&[(200, r#"{"keys": []}"#)], Kind::Protocol, "no list at \"/data\""),
        (&[(200, r#"{"error": "not today"}"#)], Kind::Protocol, "not today"),
        (&[(200, "<html>")], Kind::Protocol, "no list at"),
        (&[(403, r#"{"error": "no"}"#)], Kind::Forbidden, "403, \"no\""),
    ] {
        let (issuer, _) = configure(&format!("{BARE}{LIST}"), pages).unwrap();
        let error = all(&*issuer, Scope::All).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::NotApplied), "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn applications_may_be_listed_first_and_their_keys_each_by_a_call() {
    let list = r#"
list = { path = "/apps", items = "", app = "../name", app_id = "../id", id = "/id", created_at = "/made", only = { "/on" = [true] } }
each = { path = "/apps/{app_id}/keys", items = "/keys" }
"#;
    let keys = r#"{"keys": [{"id": "k1", "made": 1, "on": true}, {"id": "k0", "made": 1, "on": false}]}"#;
    let answers = [(200, r#"[{"name": "shop", "id": "s/1"}]"#), (200, keys), (200, keys)];
    let (issuer, script) = configure(&format!("{BARE}{list}"), &answers).unwrap();
    let found = all(&*issuer, Scope::All).await.unwrap();
    assert_eq!((found.len(), found[0].names.join("/")), (1, "shop/key".to_owned()));
    let siblings = all(&*issuer, Scope::Siblings(subject())).await.unwrap();
    assert_eq!(siblings, found, "one call is enough for one application");
    let paths: Vec<_> = script.asked().iter().map(|call| call.url.path().to_owned()).collect();
    assert_eq!(paths, ["/v1/apps", "/v1/apps/s%2F1/keys", "/v1/apps/s%2F1/keys"]);
}

#[tokio::test]
async fn a_value_never_climbs_out_of_its_segment() {
    let (issuer, script) = configure(&format!("{BARE}{CREDENTIALS}"), &[(204, "")]).unwrap();
    issuer.revoke(&subject(), &handle("a/b?c#d%2e"), &ticket()).await.unwrap();
    assert_eq!(script.asked()[0].url.as_str(), "https://x.example.com/v1/keys/a%2Fb%3Fc%23d%252e");
    let at = Subject { locator: "..".to_owned(), ..subject() };
    let error = issuer.issue(&IssueRequest { subject: at, ..request(None) }, &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect, script.asked().len()), (Kind::Invalid, Effect::NotApplied, 0), "{error}");
}

#[tokio::test]
async fn only_the_platform_itself_says_gone() {
    let answers = [(404, r#"{"error": "no such key"}"#), (404, "<html>proxy</html>"), (404, "{}")];
    let look_up = "look_up = { path = \"/keys/{id}\", gone = [404] }\n";
    let (issuer, _) = configure(&format!("{BARE}{look_up}{CREDENTIALS}"), &answers).unwrap();
    assert_eq!(issuer.look_up(&subject(), &handle("k")).await.unwrap(), Lookup::Gone);
    assert_eq!(issuer.look_up(&subject(), &handle("k")).await.unwrap_err().kind, Kind::Protocol);
    let error = issuer.revoke(&subject(), &handle("k"), &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Protocol, Effect::NotApplied));
}

#[tokio::test]
async fn an_issue_whose_answer_cannot_be_read_is_in_doubt_and_quotes_nothing() {
    for (status, body) in [
        (201, r#"{"id": "k", "tokn": "canary"}"#),
        (200, r#"{"error": "half done"}"#),
        (201, "canary"),
        (302, ""),
        (502, "<html>canary</html>"),
    ] {
        let (issuer, _) = configure(
            &format!("{BARE}{CREDENTIALS}").replace("token = \"/token\"", "tkn = \"/token\""),
            &[(status, body)],
        )
        .unwrap();
        let error = issuer.issue(&request(None), &ticket()).await.unwrap_err();
        assert_eq!(error.effect, Effect::Unknown, "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn name_and_password_or_a_header_go_with_every_call() {
    for (login, header, value) in [
        ("login = { kind = \"basic\" }\nusername = \"me\"\npassword = \"pw\"\n", "Authorization", "Basic bWU6cHc="),
        (
            "login = { kind = \"headers\", send = { X-Api-Key = \"{key}\" } }\nsecrets = { key = \"k-1\" }\n",
            "X-Api-Key",
            "k-1",
        ),
    ] {
        let refused = (401, r#"{"error": "the key k-1 is not known to pw"}"#);
        let (issuer, script) = configure(&format!("{login}{BARE}{CREDENTIALS}"), &[(204, ""), refused]).unwrap();
        issuer.revoke(&subject(), &handle("k"), &ticket()).await.unwrap();
        assert_eq!(script.asked()[0].custom_headers, [(header.to_owned(), value.to_owned())]);
        let error = issuer.revoke(&subject(), &handle("k"), &ticket()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied));
        assert_eq!(error.message.contains("k-1"), header == "Authorization", "its own secret is taken out: {error}");
    }
}

#[tokio::test]
async fn forms_are_encoded_and_headers_keep_their_line() {
    let issue = r#"issue = { path = "/keys", form = { note = "{title} & more" }, headers = { X-For = "{name}" }, id = "/id", fields = { tkn = "/t" } }"#;
    let bare: String = BARE.lines().filter(|line| !line.starts_with("issue")).map(|line| format!("{line}\n")).collect();
    let (issuer, script) =
        configure(&format!("{bare}{issue}\n{CREDENTIALS}"), &[(200, r#"{"id": 5, "t": "s"}"#)]).unwrap();
    let issued = issuer.issue(&request(None), &ticket()).await.unwrap();
    assert_eq!(issued.handle, handle("5"));
    let asked = script.asked().remove(0);
    assert_eq!((&asked.body.0[..], &asked.custom_headers[0].1[..]), (&b"note=Key_new+%26+more"[..], "key_new"));
    let name = "a\r\nX-Admin: 1".to_owned();
    let error = issuer.issue(&IssueRequest { name, ..request(None) }, &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect, script.asked().len()), (Kind::Invalid, Effect::NotApplied, 0));
}

const CHOSEN: &str = r#"
endpoint = "https://x.example.com"
facts = { minting = "us", propagation = "1m" }
secret = { id_ = { bytes = 2, encoding = "hex", public = true }, pw = { bytes = 16, encoding = "base64" } }
issue = { path = "/keys", json = { id = "{id_}", secret = "{pw}" }, id = "{id_}", already = [409] }
look_up = { path = "/keys/{id}", gone = [404] }
revoke = { path = "/keys/{id}", gone = [404] }
verify = { path = "/me", headers = { X-Pair = "{id_}:{pw}" }, refused = [403] }
credentials = [{ app = "shop" }]
"#;

fn fields(secret: &SecretMap) -> Vec<(&str, &str)> {
    secret.iter().map(|(name, value)| (name, value.expose_text().unwrap())).collect()
}

#[tokio::test]
async fn what_we_chose_is_found_again_after_a_lost_answer() {
    let answers = [(409, "{}"), (200, "{}"), (409, "{}"), (404, "{}")];
    let (issuer, script) = configure(CHOSEN, &answers).unwrap();
    let chosen = issuer.minter().unwrap().choose(&subject(), &request(None).marker, &super::Counting).unwrap();
    let issued = issuer.issue(&request(Some(&chosen)), &ticket()).await.unwrap();
    assert_eq!((issued.handle, fields(&issued.secret)), (handle("0707"), fields(&chosen)));
    assert_eq!(script.asked()[1].url.path(), "/keys/0707");
    let error = issuer.issue(&request(Some(&chosen)), &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied), "somebody else's is in the way");
}

#[tokio::test]
async fn a_trial_is_no_word_about_our_login() {
    let answers = [(200, ""), (403, ""), (401, ""), (500, "")];
    let (issuer, script) = configure(CHOSEN, &answers).unwrap();
    let secret =
        SecretMap::new([("id_", "a"), ("pw", "b")].map(|(name, value)| (name.to_owned(), Secret::from_text(value))));
    let verifier = issuer.verifier().unwrap();
    let (at, id) = (subject(), handle("a"));
    let verify = || verifier.verify(&at, &id, &secret);
    assert_eq!(verify().await.unwrap(), Trial::Accepted);
    assert_eq!(script.asked()[0].custom_headers[0].1, "a:b");
    assert!(matches!(verify().await.unwrap(), Trial::Refused(_)));
    assert_eq!(verify().await.unwrap_err().kind, Kind::Protocol);
    assert_eq!(verify().await.unwrap_err().kind, Kind::Unavailable);
}

#[tokio::test]
async fn names_are_given_back() {
    let rename = r#"
rename = { path = "/keys/{id}", json = { name = "{name}", title = "{title}" }, conflict = [422] }
look_up = { path = "/keys/{id}", gone = [404], name = "/name" }
"#;
    let named = BARE
        .replace("propagation", "names = true, propagation")
        .replace("id = \"/id\"", "id = \"/id\", json = { name = \"{name}\" }");
    let answers = [(200, ""), (422, r#"{"error": "taken"}"#), (200, r#"{"name": "key"}"#)];
    let (issuer, script) = configure(&format!("{named}{rename}{CREDENTIALS}"), &answers).unwrap();
    let renamer = issuer.renamer().unwrap();
    renamer.rename(&subject(), &handle("k"), "key", "Key", &ticket()).await.unwrap();
    assert_eq!(script.asked()[0].body.0, &br#"{"name":"key","title":"Key"}"#[..]);
    let error = renamer.rename(&subject(), &handle("k"), "key", "Key", &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Conflict, Effect::NotApplied));
    let there = Lookup::There { name: "key".to_owned(), title: "key".to_owned() };
    assert_eq!(issuer.look_up(&subject(), &handle("k")).await.unwrap(), there);
}

#[tokio::test]
async fn what_expires_tells_when_and_a_platform_that_replaces_needs_no_revoke() {
    let described = r#"
endpoint = "https://x.example.com"
facts = { overlap = "replace", idempotency = "none", ending = "expires", propagation = "0s" }
issue = { path = "/reset", id = "/id", fields = { tkn = "/token" }, expires_in = "/expires_in" }
credentials = [{ app = "shop", id = "old", created_at = "2026-01-01T00:00:00Z", owner_email = "o@example.com" }]
"#;
    let (issuer, _) = configure(described, &[(200, r#"{"id": "n", "token": "t", "expires_in": 3600}"#)]).unwrap();
    let found = all(&*issuer, Scope::All).await.unwrap();
    assert_eq!((found[0].handle.as_str(), found[0].names.join("/")), ("old", "shop/key".to_owned()));
    assert_eq!(found[0].owner.as_ref().unwrap().name, "o@example.com");
    let issued = issuer.issue(&request(None), &ticket()).await.unwrap();
    assert_eq!(issued.expires_at.unwrap().to_string(), "2026-11-23T13:00:00Z");
    let error = issuer.revoke(&subject(), &handle("n"), &ticket()).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Invalid, Effect::NotApplied));
    assert_eq!(issuer.look_up(&subject(), &handle("n")).await.unwrap(), Lookup::Untold);
}
