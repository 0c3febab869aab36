//! Who may do what: asked, checked, pushed to a real server.

use std::fs;

use components::{Bao, bao};
use serde_json::{Value, json};

use crate::{
    http::Client,
    world::{Known, World},
    wrong_input::{check_said, said, small},
};

const TEAM: &str = r#"# the team
path "secret/data/team/*" {
  capabilities = ["read", "list"]
}
path "secret/data/team/locked" {
  capabilities = ["deny"]
}
path "secret/data/team/kept" {
  capabilities = ["update"]
  required_parameters = ["owner"]
}
"#;

/// A world with texts in its folder, and the access policies of that name configured.
fn with_policies(texts: &[(&str, &str)]) -> World {
    let world = small();
    for (name, text) in texts {
        fs::write(world.folder().join(format!("{name}.hcl")), text).unwrap();
        append(&world, &format!("\n[[access_policy]]\nname = \"{name}\"\nfile = \"{name}.hcl\"\n"));
    }
    world
}

fn append(world: &World, text: &str) {
    let before = fs::read_to_string(world.config()).unwrap();
    fs::write(world.config(), before + text).unwrap();
}

/// Exit code and standard output.
#[track_caller]
fn check(world: &World, arguments: &str, code: i32, stdout: &str) {
    let ran = world.keyrota(arguments).exits(code);
    let folder = world.folder().display().to_string();
    assert_eq!(ran.stdout.replace(&folder, "[folder]"), stdout, "{arguments}");
}

#[test]
fn may_they() {
    let world =
        with_policies(&[("Team", TEAM), ("guest", "path \"secret/data/team/*\" { capabilities = [\"list\"] }")]);
    let granted = "path \"secret/data/team/*\" grants read, list (team, line 2)\n";
    check(&world, "policy test --as team secret/data/team/token read", 0, &format!("yes: {granted}"));
    check(&world, "policy test --as team /secret/data/team/token update", 1, &format!("no: {granted}"));
    let denied = "no: path \"secret/data/team/locked\" denies (team, line 5)\n";
    check(&world, "policy test --as Team secret/data/team/locked read", 1, denied);
    check(&world, "policy test --as team secret/data/other read", 1, "no: no rule matches\n");
    check(&world, "policy test --as team --policy guest.hcl secret/data/team/a", 0, "read, list\n");
    check(&world, "policy test --as guest secret/data/nothing", 1, "deny\n");
    let both = "yes: path \"secret/data/team/*\" grants read, list (guest, line 1; team, line 2)\n";
    check(&world, "policy test --policy guest.hcl --as team secret/data/team/a list", 0, both);
    check(
        &world,
        "policy test --as team secret/data/team/kept update --output json",
        0,
        "{\"allowed\":true,\"capability\":\"update\",\"path\":\"secret/data/team/kept\",\"rule\":{\"conditions\":\
         [\"required_parameters\"],\"from\":[{\"line\":8,\"policy\":\"team\"}],\"grants\":[\"update\"],\"pattern\":\
         \"secret/data/team/kept\"}}\n",
    );
    let kept = world.keyrota("policy test --as team secret/data/team/kept update").exits(0);
    assert_eq!(
        kept.stderr,
        "note: a server looks at each call's parameters as well: the rule has required_parameters\n"
    );
    fs::write(
        world.folder().join("home.json"),
        r#"{"path": {"home/{{identity.entity.name}}": {"capabilities": ["read"]}}}"#,
    )
    .unwrap();
    let asked = "policy test --policy home.json --identity identity.entity.name=ada home/ada";
    check(&world, asked, 0, "read\n");
}

/// No configuration is needed to ask about a file.
#[test]
fn what_is_ready_made_passes_the_linter() {
    let world = small();
    fs::remove_file(world.config()).unwrap();
    for name in ["organisation-admin", "rotation-job", "developer"] {
        let text = world.keyrota(&format!("policy template {name} --mount kv --token acme/+/token")).exits(0).stdout;
        assert!(text.contains("path \"kv/data/acme/+/token\""), "{text}");
        fs::write(world.folder().join(format!("{name}.hcl")), text).unwrap();
        check(&world, &format!("policy lint {name}.hcl"), 0, "");
    }
    check(&world, "policy test --policy developer.hcl kv/data/acme/shop/token", 0, "read\n");
    check(&world, "policy test --policy developer.hcl kv/data/service-account/password", 1, "deny\n");
}

#[test]
fn the_configured_ones_are_listed_shown_and_checked() {
    let world = with_policies(&[("team", TEAM), ("odd", "path \"a/*/b\" { capabilities = [\"read\"] }")]);
    check(
        &world,
        "policy list",
        0,
        "NAME  RULES  FILE\nteam  3      [folder]/team.hcl\nodd   1      [folder]/odd.hcl\n",
    );
    check(&world, "policy show team", 0, TEAM);
    let shown = world.keyrota("policy show odd --output json").exits(0).json();
    assert_eq!(shown["policy"], "path \"a/*/b\" { capabilities = [\"read\"] }");
    check(
        &world,
        "policy lint",
        1,
        "[folder]/team.hcl:8:1: doubtful: \"secret/data/team/kept\" takes away read, list that \"secret/data/team/*\" on \
         line 2 grants: the closer pattern counts alone\n  repeat them here if they shall stay\n\
         [folder]/odd.hcl:1:1: wrong: `*` before the end of \"a/*/b\" stands for a star, not for anything\n  \
         use `+` for one whole segment, and `*` only as the last character\n",
    );
    check(
        &world,
        "policy lint team.hcl --output json",
        3,
        "{\"advice\":\"repeat them here if they shall stay\",\"column\":1,\"file\":\"team.hcl\",\"line\":8,\"severity\":\"doubtful\",\"what\":\"\\\"secret/data/team/kept\\\" takes away read, list that \\\"secret/data/team/*\\\" on line 2 grants: the closer pattern counts alone\"}\n",
    );
    let checked = world.keyrota("check").exits(0).stdout;
    assert!(checked.contains("access policy odd   reduced"), "{checked}");
    fs::write(world.folder().join("odd.hcl"), "path \"a\" { capabilities = [\"raed\"] }").unwrap();
    let checked = world.keyrota("check").exits(1);
    assert!(checked.stdout.contains("failed   unknown capability `raed` on path \"a\""), "{}", checked.stdout);
}

#[test]
fn what_is_wrong_is_said() {
    let world = with_policies(&[("team", "path \"a\" {\n  capabilites = [\"read\"]\n}")]);
    check_said!(world, world.keyrota("policy test --as team a read"), @r#"
    exit 2
    error[KR0701]: unknown key `capabilites` in path "a"
      cause: [folder]/team.hcl:2:3
      hint: did you mean `capabilities`?
    "#);
    check_said!(world, world.keyrota("policy test --as taem a read"), @r#"
    exit 2
    error[KR0702]: no access policy is called `taem`
      hint: did you mean `team`?
    "#);
    check_said!(world, world.keyrota("policy test --policy nothing.hcl a read"), @r#"
    exit 2
    error[KR0504]: the policy cannot be read from `nothing.hcl`
      cause: No such file or directory (os error 2)
    "#);
    check_said!(world, world.keyrota("policy template devloper"), @r#"
    exit 2
    error[KR0702]: no ready-made policy is called `devloper`
      hint: did you mean `developer`?
    "#);
    check_said!(world, world.keyrota("policy template king"), @r#"
    exit 2
    error[KR0702]: no ready-made policy is called `king`
      hint: there are organisation-admin (reads and mends the password and the token), rotation-job (writes both and reads neither), developer (reads the token, changes nothing)
    "#);
    check_said!(world, world.keyrota("policy template developer --mount a\"b"), @r#"
    exit 2
    error[KR0501]: the policy cannot be made
      cause: the mount `a"b` must be a path, without quotes, braces, control characters or a slash at either end
      state: nothing was printed
    "#);
    fs::write(world.folder().join("home.hcl"), "path \"home/{{identity.entity.name}}\" {}").unwrap();
    check_said!(world, world.keyrota("policy test --policy home.hcl a read"), @r#"
    exit 2
    error[KR0701]: policy `home`, line 1: `{{identity.entity.name}}` has no value here
      hint: give it one with `--identity identity.entity.name=VALUE`
    "#);
    for arguments in
        ["policy test a read", "policy test --policy home.hcl a deny", "policy test --policy home.hcl a raed"]
    {
        let ran = world.keyrota(arguments).exits(2);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments}");
    }
}

#[test]
fn push_writes_the_same_rules_to_a_real_server() {
    let bao = bao();
    let world = with_policies(&[("Team", TEAM), ("guest", "path \"secret/data/guest\" { capabilities = [\"read\"] }")]);
    let login = bao.root_token();
    fs::write(world.folder().join("vault.token"), login).unwrap();
    append(&world, &store(&bao, ""));
    let rows = |team: &str, guest: &str| {
        let head = "POLICY  RESULT     FROM\n";
        format!("{head}team    {team:<9}  [folder]/Team.hcl\nguest   {guest:<9}  [folder]/guest.hcl\n")
    };
    check(
        &world,
        "policy push --store bao",
        0,
        &rows("written", "written").replace("RESULT     FROM", "RESULT   FROM").replace("written  ", "written"),
    );
    check(&world, "policy push --store bao", 0, &rows("unchanged", "unchanged"));
    fs::write(world.folder().join("guest.hcl"), "path \"secret/data/guest\" { capabilities = [\"list\"] }").unwrap();
    check(&world, "policy push --store bao", 0, &rows("unchanged", "replaced"));
    let named = world.keyrota("policy push --store bao --as guest guest2.hcl").exits(2);
    assert!(named.stderr.starts_with("error[KR0504]"), "{}", named.stderr);
    check(
        &world,
        "policy push --store bao --as guest --output json",
        0,
        "{\"policy\":\"guest\",\"result\":\"unchanged\",\"store\":\"bao\"}\n",
    );
    let kept = as_root(&bao, "GET", "/v1/sys/policies/acl/team", &Value::Null);
    assert_eq!(kept["data"]["policy"], TEAM);
    // A login that may not write policies, as a rotation job's may not.
    let made = as_root(&bao, "POST", "/v1/auth/token/create", &json!({ "policies": ["guest"] }));
    fs::write(world.folder().join("vault.token"), made["auth"]["client_token"].as_str().unwrap()).unwrap();
    check_said!(world, world.keyrota("policy push --store bao --as guest"), @r#"
    exit 1
    error[KR0302]: `bao` does not show the policy `guest`
      cause: not allowed: reading the policy `guest`: 403, "1 error occurred: * permission denied"; the login's own policy needs `capabilities = ["read"]` on `sys/policies/acl/guest`
      state: `guest` was not changed, nor any policy after it
      hint: grant the account the right that the cause names, then run `keyrota check`
    "#);
    check_said!(world, world.keyrota("policy push --store local --as guest"), @r#"
    exit 1
    error[KR0505]: the store `local` keeps no access policies
      state: nothing was changed
      hint: name a store with `driver = "vault_kv2"`
    "#);
    // A trap is not pushed.
    fs::write(world.folder().join("vault.token"), login).unwrap();
    fs::write(world.folder().join("guest.hcl"), "path \"a/*/b\" { capabilities = [\"list\"] }").unwrap();
    let refused = world.keyrota("policy push --store bao").exits(2);
    assert!(refused.stderr.contains("error[KR0701]: `*` before the end"), "{}", refused.stderr);
}

/// The whole hand-over: the job's own token delivers and cannot read, a developer's token reads what is current.
#[test]
fn the_job_delivers_what_developers_read() {
    let bao = bao();
    let world = small();
    let mut server = Client::new(&bao.address());
    let tokens = ["rotation-job", "developer"].map(|name| {
        let text = world.keyrota(&format!("policy template {name} --token apic/*")).exits(0).stdout;
        as_root(&bao, "PUT", &format!("/v1/sys/policies/acl/{name}"), &json!({ "policy": text }));
        let wanted = json!({ "policies": [name], "no_default_policy": true });
        let made = as_root(&bao, "POST", "/v1/auth/token/create", &wanted);
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    });
    let [job, developer] = &tokens;
    fs::write(world.folder().join("vault.token"), job).unwrap();
    append(&world, &store(&bao, "check_path = \"apic\"\nreadable = false\n"));
    world.reconfigure("{ store = \"local\",", "{ store = \"bao\",");
    let checked = world.keyrota("check").exits(0).stdout;
    assert!(checked.contains("the token may write, and writes are compared"), "{checked}");
    let paths: Vec<String> = world.live().iter().map(Known::path).collect();
    world.keyrota("run --once").exits(0);
    assert_eq!(paths.len(), 2);
    for path in paths {
        let data = format!("/v1/secret/data/{path}");
        assert_eq!(server.get(&data, &[("x-vault-token", job)]).status, 403, "{path}");
        let answer = server.get(&data, &[("x-vault-token", developer)]);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let fields = &told["data"]["data"];
        let (id, secret) = (fields["client_id"].as_str().unwrap(), fields["client_secret"].as_str().unwrap());
        assert_eq!(world.gateway().ping(id, secret), 200, "{path}");
        assert_eq!(server.call("DELETE", &data, &[("x-vault-token", developer)], "").status, 403, "{path}");
    }
}

/// A `[[store]]` that logs in with the token in the file `vault.token`.
fn store(bao: &Bao, keys: &str) -> String {
    format!(
        "\n[[store]]\nname = \"bao\"\ndriver = \"vault_kv2\"\naddress = \"{}\"\n{keys}\
         auth = {{ method = \"token\", token = {{ file = \"vault.token\" }} }}\n",
        bao.address()
    )
}

/// As root, where nothing but success is expected.
fn as_root(bao: &Bao, method: &str, path: &str, body: &Value) -> Value {
    let headers = [("x-vault-token", bao.root_token()), ("content-type", "application/json")];
    let answer = Client::new(&bao.address()).call(method, path, &headers, &body.to_string());
    assert!(answer.status < 300, "{path}: {}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}
