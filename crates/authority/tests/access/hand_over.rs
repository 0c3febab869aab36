//! Who reads, who writes: every cell of the table, tried on a real OpenBao.

use authority::access::{Access, Capability, Identity, Policy, ReadyMade, Where};
use domain::Timestamp;
use serde_json::{Value, json};

use crate::server::Server;

const PASSWORD: &str = "acme/service-account";
const TOKEN: &str = "acme/access-token";
/// What a careless administrator grants beside it.
const BROAD: &str = r#"path "secret/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }"#;

/// A call, and what a server wants for it.
struct Verb {
    name: &'static str,
    method: &'static str,
    /// Between the mount and the secret's path.
    part: &'static str,
    query: &'static str,
    body: Value,
    needs: Capability,
}

fn verb(name: &'static str, method: &'static str, part: &'static str, needs: Capability) -> Verb {
    Verb { name, method, part, query: "", body: Value::Null, needs }
}

fn verbs() -> Vec<Verb> {
    use Capability::{Delete, List, Patch, Read, Update};
    let versions = json!({ "versions": [1] });
    let fields = json!({ "data": { "value": "changed" }, "options": { "cas": 2 } });
    let metadata = json!({ "custom_metadata": { "rotation": "7" } });
    vec![
        verb("read", "GET", "data", Read),
        Verb { query: "?version=1", ..verb("read the older", "GET", "data", Read) },
        verb("read the names of fields", "GET", "subkeys", Read),
        Verb { body: fields.clone(), ..verb("update", "POST", "data", Update) },
        Verb { body: fields, ..verb("patch", "PATCH", "data", Patch) },
        verb("delete the newest", "DELETE", "data", Delete),
        Verb { body: versions.clone(), ..verb("delete a version", "POST", "delete", Update) },
        Verb { body: versions.clone(), ..verb("undelete", "POST", "undelete", Update) },
        Verb { body: versions, ..verb("destroy", "PUT", "destroy", Update) },
        Verb { query: "?list=true", ..verb("list", "GET", "metadata", List) },
        verb("read metadata", "GET", "metadata", Read),
        Verb { body: metadata.clone(), ..verb("write metadata", "POST", "metadata", Update) },
        Verb { body: metadata, ..verb("patch metadata", "PATCH", "metadata", Patch) },
        verb("remove it whole", "DELETE", "metadata", Delete),
    ]
}

type Words = &'static [&'static str];

const MENDS: Words = &["read", "read the older", "update", "list", "read metadata"];
const ROTATES: Words = &["update", "delete a version", "destroy", "read metadata", "write metadata", "patch metadata"];
const READS: Words = &["read", "read the older", "read the names of fields", "read metadata"];

/// Who, what else they carry, what they may do to the password, and to the token. Everything else is refused.
const TABLE: &[(&str, Words, Words, Words)] = &[
    ("organisation-admin", &[], MENDS, MENDS),
    ("rotation-job", &[], ROTATES, ROTATES),
    ("developer", &[], &[], READS),
    ("developer", &["broad"], &[], READS),
];

#[test]
fn every_cell_is_refused_or_allowed_as_the_table_says() {
    let server = Server::start();
    let places = Where { mount: "secret".into(), password: PASSWORD.into(), token: TOKEN.into() };
    for ready_made in ReadyMade::ALL {
        let (status, answer) = server.put_policy(ready_made.name, &ready_made.text(&places).unwrap());
        assert!(status < 300, "{}: {answer}", ready_made.name);
    }
    server.put_policy("broad", BROAD);
    let mut wrong = Vec::new();
    let mut cells = 0;
    for (who, beside, password, token) in TABLE {
        let carried: Vec<&str> = [*who].into_iter().chain(beside.iter().copied()).collect();
        let owned: Vec<String> = carried.iter().map(|name| (*name).to_owned()).collect();
        let session = server.token(&owned);
        let access = access(&carried, &places);
        for (path, may) in [(PASSWORD, password), (TOKEN, token)] {
            for verb in verbs() {
                cells += 1;
                let expected = may.contains(&verb.name);
                let tried = try_it(&server, &session, path, &verb);
                let decided = access.allowed(&format!("secret/{}/{path}", verb.part), verb.needs);
                if tried != expected || decided != expected {
                    let cell = format!("{} may {} {path}", carried.join(" and "), verb.name);
                    wrong.push(format!("{cell}: {expected} expected, {tried} on the server, {decided} here"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cells, TABLE.len() * 2 * verbs().len());
}

/// The first rotation finds nothing there; the admin can begin by hand as well, a developer cannot.
#[test]
fn the_first_version() {
    let server = Server::start();
    let places = Where { mount: "secret".into(), password: PASSWORD.into(), token: "acme/*".into() };
    for (who, expected) in [("rotation-job", 200), ("organisation-admin", 200), ("developer", 403)] {
        server.put_policy(who, &ReadyMade::find(who).unwrap().text(&places).unwrap());
        let session = server.token(&[who.to_owned()]);
        for path in [PASSWORD, TOKEN] {
            let body = json!({ "data": { "value": "new" }, "options": { "cas": 0 } });
            let (status, answer) = server.call(&session, "POST", &format!("secret/data/{path}"), &body);
            assert_eq!(status, expected, "{who}, {path}: {answer}");
            server.must("DELETE", &format!("secret/metadata/{path}"), &Value::Null);
        }
    }
}

/// On a secret with two versions. What is refused has left it as it was; what is allowed has an effect or shows it.
fn try_it(server: &Server, session: &str, path: &str, verb: &Verb) -> bool {
    server.must("DELETE", &format!("secret/metadata/{path}"), &Value::Null);
    for value in ["first", "second"] {
        server.must("POST", &format!("secret/data/{path}"), &json!({ "data": { "value": value } }));
    }
    let look = || server.must("GET", &format!("secret/metadata/{path}"), &Value::Null)["data"].clone();
    let before = look();
    let called = format!("secret/{}/{path}{}", verb.part, verb.query);
    let (status, answer) = server.call(session, verb.method, &called, &verb.body);
    match status {
        403 => {
            assert_eq!(look(), before, "{}", verb.name);
            assert!(!answer.to_string().contains("second"), "{answer}");
            false
        }
        // Nothing stands below the secret itself.
        404 if verb.needs == Capability::List => true,
        200 | 204 => true,
        other => panic!("{} {path}: {other} {answer}", verb.name),
    }
}

fn access(carried: &[&str], places: &Where) -> Access {
    let text = |name: &str| ReadyMade::find(name).map_or(BROAD.to_owned(), |policy| policy.text(places).unwrap());
    let policies: Vec<Policy> = carried.iter().map(|name| Policy::parse(&text(name)).unwrap()).collect();
    let named = carried.iter().copied().zip(&policies);
    Access::compile(named, &Identity::default(), Timestamp::UNIX_EPOCH).unwrap()
}
