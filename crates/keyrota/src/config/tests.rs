use domain::{Duration, Mode, RetireWhen, Timestamp};
use schemars::{Schema, json_schema};

use super::*;
use crate::complaint::Complaint;

/// The example of the documented surface, whole.
const EXAMPLE: &str = r#"
data_dir = "keyrota-data"                       # embedded database
# database = "postgres://…"                     # instead of it: several replicas
root_key = { file = "root.key" }

[[issuer]]
name = "apic-prod"
driver = "ibm_apic"
endpoint = "https://platform.example.com/api"
provider_org = "acme"
catalog = "production"
realm = "provider/default-idp-2"
username = "svc-keyrota"
password = { env = "APIC_PASSWORD" }
client_id = "…"
client_secret = { env = "APIC_CLIENT_SECRET" }
# ca_file = "…"      TLS is verified, always; a private authority is named here (plain http is for loopback only)
# budget = { in_flight = 32, per_second = 50 }
# propagation = "10m"   overrides the driver's fact: how long until a change holds everywhere

[[store]]
name = "local"
driver = "embedded"                             # also: vault_kv2, aws_secrets_manager, age_file

[[store]]
name = "bao"
driver = "vault_kv2"
address = "https://vault.example.com:8200"
mount = "secret"
environment = "production"
auth = { method = "token", token = { env = "VAULT_TOKEN" } }      # also approle, jwt, kubernetes

[[policy]]
name = "ninety-days"
match = "apic-prod/*/*/*"
environment = "production"                      # must equal the destination's
rotate_after = "90d"                            # age at which a successor is issued
overlap = "10d"                                 # both live at least this long after promotion
retire_when = "quiet"                           # evidence that nobody uses the old one
quiet_for = "24h"                               # the silence that "quiet" demands
retire_after = "100d"                           # age past which it escalates; it never cuts
mode = "automatic"                              # or "ask", "notify", "observe"
deliver = [{ store = "local", path = "apic/{consumer_org}/{app}/{credential}" }]
verify = { url = "https://gateway.example.com/ping", headers = { X-IBM-Client-Id = "{client_id}", X-IBM-Client-Secret = "{client_secret}" }, expect = 200 }
notify = ["owner", "ops"]
schedule = { window = "Sat 02:00-06:00", timezone = "Europe/Berlin", jitter = "30m" }

[[notifier]]
name = "ops"
driver = "smtp"                                 # also: webhook, slack
"#;

fn object(keys: &[&str]) -> Schema {
    let properties: serde_json::Map<String, serde_json::Value> =
        keys.iter().map(|key| ((*key).to_owned(), serde_json::json!({}))).collect();
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn with_drivers<T>(then: impl FnOnce(&Drivers<'_>) -> T) -> T {
    let words = |name, levels, keys: &[&str]| DriverWords { name, levels, schema: object(keys) };
    let apic = ["endpoint", "provider_org", "catalog", "realm", "username", "password", "client_id", "client_secret"];
    let issuers =
        [words("http", &["name"], &["endpoint"]), words("ibm_apic", &["consumer_org", "app", "credential"], &apic)];
    let stores = [
        words("age_file", &[], &["folder"]),
        words("embedded", &[], &[]),
        words("vault_kv2", &[], &["address", "mount", "auth"]),
    ];
    let notifiers = [words("smtp", &[], &["host", "to"]), words("slack", &[], &["url"])];
    then(&Drivers { issuers: &issuers, stores: &stores, notifiers: &notifiers })
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    with_drivers(|drivers| Config::parse(Path::new("folder/keyrota.toml"), text, drivers))
}

fn credential(text: &str) -> CredentialId {
    CredentialId::parse(text).unwrap()
}

fn policy_for<'a>(config: &'a Config, credential: &CredentialId) -> Option<&'a PolicyConfig> {
    config.policies.get(config.policy_index(credential)?)
}

/// The whole complaint, as a person sees it.
#[track_caller]
fn check(text: &str, expected: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(Complaint::from(&error).render(false).trim_end(), expected.trim());
}

#[test]
fn the_documented_example_loads() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config.data_dir, Path::new("folder/keyrota-data"));
    assert_eq!(config.notes, Vec::<String>::new());
    assert_eq!(config.notifiers.iter().map(|one| one.driver.as_str()).collect::<Vec<_>>(), ["smtp"]);
    let [issuer] = config.issuers.as_slice() else { panic!() };
    assert_eq!((issuer.name.as_str(), issuer.driver.as_str()), ("apic-prod", "ibm_apic"));
    assert_eq!(issuer.keys.settings.table.get("catalog").and_then(toml::Value::as_str), Some("production"));
    assert!(!issuer.keys.settings.table.contains_key("name"));
    assert_eq!(config.stores.len(), 2);
    let now = "2026-03-06T00:00:00Z".parse().unwrap();
    let id = credential("apic-prod/acme/shop/key");
    let policy = policy_for(&config, &id).unwrap().applied(&id, now).unwrap();
    assert_eq!((policy.mode, policy.retire_when), (Mode::Automatic, RetireWhen::Quiet));
    assert_eq!(policy.rotate_after, Duration::from_hours(90 * 24));
    let [destination] = policy.deliver.as_slice() else { panic!() };
    assert_eq!(destination.to_string(), "local:apic/acme/shop/key");
    let opening: Timestamp = "2026-03-07T01:00:00Z".parse().unwrap();
    let begin = policy.begin_not_before.unwrap();
    assert!(begin >= opening && begin.duration_since(opening) < Duration::from_mins(30));
}

#[test]
fn an_empty_policy_has_the_documented_defaults() {
    let config = parse("[[policy]]\nname = 'p'\nmatch = '**'\n").unwrap();
    let policy = policy_for(&config, &credential("any/thing")).unwrap();
    let days = |days: i64| Duration::from_hours(24 * days);
    assert_eq!((policy.rotate_after, policy.overlap), (days(90), days(10)));
    assert_eq!((policy.quiet_for, policy.retire_after), (days(1), days(100)));
    assert_eq!((policy.mode, policy.retire_when), (Mode::Automatic, RetireWhen::Quiet));
    assert!(policy.deliver.is_empty() && policy.schedule.is_none() && policy.verify.is_none());
}

#[test]
fn the_first_policy_that_matches_applies() {
    let text = "
        [[issuer]]\nname = 'a'\ndriver = 'http'
        [[issuer]]\nname = 'b'\ndriver = 'http'
        [[policy]]\nname = 'a-shop'\nmatch = 'a/*/shop'
        [[policy]]\nname = 'b-all'\nmatch = 'b/**'
        [[policy]]\nname = 'shops'\nmatch = '*/*/shop'
        [[policy]]\nname = 'a-all'\nmatch = 'a/**'";
    let config = parse(text).unwrap();
    let name = |id: &str| policy_for(&config, &credential(id)).map(|policy| policy.name.as_str());
    assert_eq!(name("a/x/shop"), Some("a-shop"));
    assert_eq!(name("a/x/y"), Some("a-all"));
    assert_eq!(name("b/x/shop"), Some("b-all"));
    assert_eq!(name("gone/x/shop"), Some("shops"));
    assert_eq!(name("gone/x/y"), None);
    assert!(config.notes.is_empty());
}

#[test]
fn a_policy_for_an_unknown_issuer_is_noted() {
    let text = "
        [[store]]\nname = 'local'\ndriver = 'embedded'
        [[policy]]\nname = 'p'\nmatch = 'apic-prd/**'\ndeliver = [{ store = 'local', path = '{app}/{credential}' }]";
    let config = parse(text).unwrap();
    assert_eq!(config.notes, ["policy `p` is for the issuer `apic-prd`, which is not configured"]);
}

#[test]
fn bad_toml() {
    check(
        "data_dir = \"x\"\n[[policy]\nname = 'p'\n",
        "
error[KR0103]: the file is not TOML: unclosed array table, expected `]`
  cause: folder/keyrota.toml:2:10
  state: nothing was changed",
    );
}

#[test]
fn an_unknown_key_gets_the_nearest_known_name() {
    let text = "[[policy]]\nname = \"ninety-days\"\nmatch = \"**\"\noverlp = \"10d\"\n";
    let message = parse(text).unwrap_err().to_string();
    assert_eq!(message, "unknown key `overlp` in [[policy]] \"ninety-days\" (line 4); did you mean `overlap`?");
    check(
        text,
        "
error[KR0104]: unknown key `overlp` in [[policy]] \"ninety-days\"
  cause: folder/keyrota.toml:4:1
  state: nothing was changed
  hint: did you mean `overlap`?",
    );
    check(
        "isuer = []",
        "
error[KR0104]: unknown key `isuer` in the top level
  cause: folder/keyrota.toml:1:1
  state: nothing was changed
  hint: did you mean `issuer`?",
    );
    check(
        "[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\nendpiont = 'x'\n",
        "
error[KR0104]: unknown key `endpiont` in [[issuer]] \"a\"
  cause: folder/keyrota.toml:4:1
  state: nothing was changed
  hint: did you mean `endpoint`?",
    );
    check(
        "[[policy]]\nname = 'p'\nmatch = '**'\n\n[policy.schedule]\nwindow = '02:00-06:00'\ntime_zone = 'UTC'\n",
        "
error[KR0104]: unknown key `time_zone` in [[policy]] \"p\"
  cause: folder/keyrota.toml:7:1
  state: nothing was changed
  hint: did you mean `timezone`?",
    );
}

#[test]
fn a_wrong_type_names_key_and_line() {
    check(
        "[[policy]]\nname = 'p'\nmatch = '**'\nrotate_after = '90 days'\n",
        "
error[KR0105]: `rotate_after` of [[policy]] \"p\" is not usable: `90 days` is not a length of time such as \"90d\", \"12h\", \"30m\", \"30s\" or \"500ms\"
  cause: folder/keyrota.toml:4:16
  state: nothing was changed",
    );
    check(
        "[[policy]]\nname = 'p'\nmatch = 5\n",
        "
error[KR0105]: `match` of [[policy]] \"p\" is not usable: invalid type: integer `5`, expected a string
  cause: folder/keyrota.toml:3:9
  state: nothing was changed",
    );
    check(
        "root_key = { keychain = 'x' }\n",
        "
error[KR0105]: `root_key` of the top level is not usable: it must be a text, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"prog\", \"arg\"] }
  cause: folder/keyrota.toml:1:12
  state: nothing was changed",
    );
    check(
        "[issuer]\nname = 'a'\n",
        "
error[KR0105]: `issuer` of the top level is not usable: it is a list: write [[issuer]] with two brackets
  cause: folder/keyrota.toml:1:2
  state: nothing was changed",
    );
    check(
        "[[policy]]\nname = 'p'\n",
        "
error[KR0105]: [[policy]] \"p\" is not usable: it lacks the key `match`
  cause: folder/keyrota.toml:1:1
  state: nothing was changed",
    );
}

#[test]
fn an_unknown_driver_gets_the_nearest_known_name() {
    check(
        "[[issuer]]\nname = 'a'\ndriver = 'ibm-apic'\n",
        "
error[KR0106]: [[issuer]] \"a\" names the driver `ibm-apic`, which does not exist
  cause: folder/keyrota.toml:3:1
  state: nothing was changed
  hint: did you mean `ibm_apic`?",
    );
    check(
        "[[store]]\nname = 'a'\ndriver = 'paper'\n",
        "
error[KR0106]: [[store]] \"a\" names the driver `paper`, which does not exist
  cause: folder/keyrota.toml:3:1
  state: nothing was changed
  hint: known here: age_file, embedded, vault_kv2",
    );
}

#[test]
fn environments_must_agree() {
    check(
        "
[[store]]
name = 'bao'
driver = 'embedded'
environment = 'staging'
[[policy]]
name = 'p'
match = '**'
environment = 'production'
deliver = [{ store = 'bao', path = 'x' }]
",
        "
error[KR0109]: [[policy]] \"p\" is for the environment `production`, but delivers to the store `bao` of the environment `staging`
  cause: folder/keyrota.toml:9:1
  state: nothing was changed
  hint: deliver to a store of the same environment, or correct `environment` of the wrong one",
    );
}

#[test]
fn a_store_of_an_environment_takes_nothing_from_a_policy_of_none() {
    let stores = "
[[store]]
name = 'plain'
driver = 'embedded'
[[store]]
name = 'bao'
driver = 'embedded'
environment = 'staging'
[[policy]]
name = 'p'
match = '**'
";
    check(
        &format!("{stores}deliver = [{{ store = 'bao', path = 'x' }}]\n"),
        "
error[KR0109]: [[policy]] \"p\" names no environment, but delivers to the store `bao` of the environment `staging`
  cause: folder/keyrota.toml:12:1
  state: nothing was changed
  hint: write `environment = \"staging\"` in the policy if that is meant, or deliver to another store",
    );
    check(
        &format!("{stores}deliver = [{{ store = 'plain', path = 'x', read_as = 'bao' }}]\n"),
        "
error[KR0109]: [[policy]] \"p\" names no environment, but delivers to the store `bao` of the environment `staging`
  cause: folder/keyrota.toml:12:1
  state: nothing was changed
  hint: write `environment = \"staging\"` in the policy if that is meant, or deliver to another store",
    );
    // The embedded store of one machine serves all of them.
    let policy = format!("{stores}environment = 'staging'\ndeliver = [{{ store = 'plain', path = 'x' }}]\n");
    parse(&policy).unwrap();
}

#[test]
fn names_are_unique_and_plain() {
    check(
        "[[store]]\nname = 'a'\ndriver = 'embedded'\n[[store]]\nname = 'a'\ndriver = 'embedded'\n",
        "
error[KR0107]: [[store]] \"a\" has the name of another one on line 2
  cause: folder/keyrota.toml:5:1
  state: nothing was changed
  hint: give each its own name",
    );
    check(
        "[[store]]\nname = 'a/b'\ndriver = 'embedded'\n",
        "
error[KR0105]: `name` of [[store]] \"a/b\" is not usable: it may hold letters, digits, `.`, `_` and `-`
  cause: folder/keyrota.toml:2:1
  state: nothing was changed",
    );
}

#[test]
fn policies_refer_only_to_what_there_is() {
    let policy = |rest: &str| {
        format!(
            "[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\n[[store]]\nname = 'local'\ndriver = 'embedded'\n[[policy]]\nname = 'p'\nmatch = '**'\n{rest}\n"
        )
    };
    check(
        &policy("deliver = [{ store = 'locl', path = 'x' }]"),
        "
error[KR0108]: [[policy]] \"p\" names the store `locl`, which is not configured
  cause: folder/keyrota.toml:10:1
  state: nothing was changed
  hint: did you mean `local`?",
    );
    check(
        &policy("notify = ['ops']"),
        "
error[KR0108]: [[policy]] \"p\" names the notifier `ops`, which is not configured
  cause: folder/keyrota.toml:10:1
  state: nothing was changed
  hint: known here: owner",
    );
    check(
        &policy("deliver = [{ store = 'local', path = 'x/{ap}' }]"),
        "
error[KR0105]: `path` in `deliver` of [[policy]] \"p\": the path `x/{ap}` has the placeholder `{ap}`, which means nothing here; did you mean `{app}`?
  cause: folder/keyrota.toml:10:1
  state: nothing was changed",
    );
    check(
        &policy("deliver = [{ store = 'local', path = 'x', fields = { key = '{client_secret:BASE64}' } }]"),
        "
error[KR0105]: `deliver` of [[policy]] \"p\" is not usable: `fields.key`: `{client_secret:BASE64}` asks for an encoding that there is not; did you mean `{client_secret:base64}`?
  cause: folder/keyrota.toml:10:1
  state: nothing was changed",
    );
    check(
        &policy("rotate_after = '90d'\nretire_after = '30d'"),
        "
error[KR0110]: [[policy]] \"p\": `retire_after` (30d) must be longer than `rotate_after` (90d), or every old version is overdue before it has a successor
  cause: folder/keyrota.toml:11:1
  state: nothing was changed",
    );
    check(
        &policy("verify = { url = 'http://gateway.example.com/' }"),
        "
error[KR0105]: `verify` of [[policy]] \"p\" is not usable: `url` must be https; plain http is for loopback only
  cause: folder/keyrota.toml:10:1
  state: nothing was changed",
    );
    check(
        &policy("schedule = { window = 'Saturday night' }"),
        "
error[KR0105]: `schedule` of [[policy]] \"p\": `Saturday night` is not a window such as \"Sat 02:00-06:00\", \"Mon-Fri 22:00-04:00\" or \"02:00-06:00\"
  cause: folder/keyrota.toml:10:1
  state: nothing was changed",
    );
    check(
        &policy("schedule = { window = '02:00-06:00', timezone = 'Europe/Berln' }"),
        "
error[KR0105]: `schedule` of [[policy]] \"p\" is not usable: `Europe/Berln` is not a time zone of the IANA database, such as \"Europe/Berlin\"
  cause: folder/keyrota.toml:10:1
  state: nothing was changed",
    );
}

#[test]
fn what_is_not_built_yet_says_so() {
    check(
        "database = 'postgres://user:canary@db/keyrota'\n",
        "
error[KR0105]: `database` is not in this release
  cause: folder/keyrota.toml:1:1
  state: nothing was changed
  hint: leave it out: the embedded database in `data_dir` is used",
    );
}

#[test]
fn a_drivers_complaint_gets_its_line() {
    let config = parse("[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\ncatalog = 5\n").unwrap();
    let keys = &config.issuers.first().unwrap().keys;
    let said = |message: &str| keys.complaint(&InvalidSettings(message.to_owned())).to_string();
    assert_eq!(
        said("`catalog` must be a text"),
        "`catalog` of [[issuer]] \"a\" is not usable: `catalog` must be a text (line 4)"
    );
    assert_eq!(
        said("missing field `endpoint`"),
        "[[issuer]] \"a\" is not usable: it lacks the key `endpoint` (line 1)"
    );
}

#[test]
fn secrets_in_the_file_show_up_nowhere() {
    let canary = "canary-5b1f";
    let text = format!(
        "root_key = '{canary}'
        [[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\npassword = '{canary}'
        [[policy]]\nname = 'p'\nmatch = '**'
        verify = {{ url = 'https://x.example/', headers = {{ Authorization = '{canary}' }} }}"
    );
    assert!(!format!("{:?}", parse(&text).unwrap()).contains(canary));
    for wrong in [
        format!("[[policy]]\nname = 'p'\nmatch = '**'\nverify = '{canary}'"),
        format!("[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\nbudget = '{canary}'"),
        format!("[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\npassword = \"{canary}\ncatalog = 'x'"),
        format!("root_key = ['{canary}']"),
        format!("root_key = {{ env = ['{canary}'] }}"),
        format!("[[issuer]]\nname = 'a'\ndriver = 'ibm_apic'\npassword = {canary}"),
    ] {
        let error = parse(&wrong).unwrap_err();
        let shown = format!("{error} {error:?} {}", Complaint::from(&error).render(false));
        assert!(!shown.contains(canary), "{shown}");
    }
}

#[test]
fn policies_of_other_issuers_cost_nothing() {
    let mut text = String::from("[[issuer]]\nname = 'apic-prod'\ndriver = 'http'\n");
    for n in 0..50 {
        text.push_str(&format!("[[policy]]\nname = 'p{n}'\nmatch = 'other-{n}/**'\n"));
    }
    text.push_str("[[policy]]\nname = 'last'\nmatch = 'apic-prod/*/*/*'\nschedule = { window = 'Sat 02:00-06:00' }\n");
    let config = parse(&text).unwrap();
    let id = credential("apic-prod/organisation-17/application-3/default");
    assert_eq!(config.candidates.get("apic-prod"), Some(&vec![50]));
    assert_eq!(policy_for(&config, &id).unwrap().name, "last");
}

#[test]
fn the_schema_knows_every_key_of_the_example() {
    let schema = with_drivers(schema);
    let text = schema.to_string();
    for key in ["data_dir", "retire_when", "overlap_over", "client_secret", "in_flight", "timezone", "mount"] {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    let drivers = schema.pointer("/properties/issuer/items/oneOf").and_then(serde_json::Value::as_array).unwrap();
    let apic = drivers.last().unwrap();
    assert_eq!(apic.pointer("/properties/driver/const").unwrap(), "ibm_apic");
    assert_eq!(apic.pointer("/required").unwrap(), &serde_json::json!(["name", "driver"]));
    assert_eq!(apic.pointer("/additionalProperties").unwrap(), false);
    for reference in references(&schema) {
        assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

fn references(schema: &serde_json::Value) -> Vec<String> {
    match schema {
        serde_json::Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| match value {
                serde_json::Value::String(target) if key == "$ref" => vec![target.clone()],
                other => references(other),
            })
            .collect(),
        serde_json::Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_root_key_is_read_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyrota.toml");
    let config = with_drivers(|drivers| Config::parse(&file, "", drivers)).unwrap();
    assert!(matches!(config.read_root_key(), Err(RootKeyError::Unreadable(_))));
    std::fs::write(folder.path().join(ROOT_KEY), "nonsense").unwrap();
    assert!(matches!(config.read_root_key(), Err(RootKeyError::Malformed(_))));
}
