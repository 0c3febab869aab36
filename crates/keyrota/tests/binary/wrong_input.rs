//! What people get wrong, and what they read then: whole standard error, as it stands on their screen.

use std::fs;

use tokio::net::TcpSocket;

use crate::{
    end_state::check_renewed,
    tls::{self, Certificate},
    world::{Ran, World},
};

/// Exit code and standard error, without what differs from run to run.
pub(crate) fn said(world: &World, ran: &Ran) -> String {
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    let folder = world.folder().display().to_string();
    let mut text = format!("exit {}\n{}", ran.code.unwrap(), ran.stderr.replace(&folder, "[folder]"));
    while let Some(at) = text.find("127.0.0.1:") {
        let port: String = text[at + 10..].chars().take_while(char::is_ascii_digit).collect();
        text = text.replace(&format!("127.0.0.1:{port}"), "[host]");
    }
    // Whether it is the first command of this world is no matter of what went wrong.
    if let Some((before, rest)) = text.split_once("note: there was no database in ") {
        text = format!("{before}{}", rest.split_once('\n').unwrap().1);
    }
    // The platform's number of the call: which of several that start together logs in first is left open.
    if let Some((before, rest)) = text.split_once("(request ") {
        text = format!("{before}(request [id]){}", rest.split_once(')').unwrap().1);
    }
    text
}

/// Checks, and that nothing was called that could change anything.
macro_rules! check_said {
    ($world:expr, $ran:expr, @$expected:literal) => {{
        let ran = $ran;
        insta::assert_snapshot!(said(&$world, &ran), @$expected);
        assert_eq!(ran.stdout, "");
        assert!($world.writes().is_empty());
    }};
}

pub(crate) use check_said;

pub(crate) fn small() -> World {
    World::new("--consumer-orgs 1 --apps 2 --age 95d")
}

#[test]
fn no_configuration() {
    let world = small();
    fs::remove_file(world.config()).unwrap();
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0102]: the configuration file [folder]/keyrota.toml cannot be read
      cause: No such file or directory (os error 2)
      state: nothing was changed
    "#);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keyrota"));
    command.arg("status").env_clear().env("XDG_CONFIG_HOME", world.folder()).current_dir(world.folder());
    check_said!(world, world.perform("status", &mut command, ""), @r#"
    exit 2
    error[KR0101]: no configuration file was found
      cause: none of these is there: keyrota.toml, [folder]/keyrota/keyrota.toml, /etc/keyrota/keyrota.toml
      state: nothing was changed
      hint: write one with `keyrota init`, or name one with `--config FILE`
    "#);
}

#[test]
fn bad_toml() {
    let world = small();
    world.reconfigure("overlap = \"5d\"", "overlap = \"5d");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0103]: the file is not TOML: invalid basic string, expected `"`
      cause: [folder]/keyrota.toml:25:14
      state: nothing was changed
    "#);
}

#[test]
fn an_unknown_key() {
    let world = small();
    world.reconfigure("overlap = \"5d\"", "overlpa = \"5d\"");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0104]: unknown key `overlpa` in [[policy]] "ninety"
      cause: [folder]/keyrota.toml:25:1
      state: nothing was changed
      hint: did you mean `overlap`?
    "#);
}

#[test]
fn an_unknown_key_of_a_driver() {
    let world = small();
    world.reconfigure("realm = ", "relm = ");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0104]: unknown key `relm` in [[issuer]] "apic"
      cause: [folder]/keyrota.toml:11:1
      state: nothing was changed
      hint: did you mean `realm`?
    "#);
}

#[test]
fn a_value_of_the_wrong_kind() {
    let world = small();
    world.reconfigure("overlap = \"5d\"", "overlap = 5");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0105]: `overlap` of [[policy]] "ninety" is not usable: invalid type: integer `5`, expected a string
      cause: [folder]/keyrota.toml:25:11
      state: nothing was changed
    "#);
}

#[test]
fn periods_that_contradict_each_other() {
    let world = small();
    world.reconfigure("retire_after = \"100d\"", "retire_after = \"80d\"");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0110]: [[policy]] "ninety": `retire_after` (80d) must be longer than `rotate_after` (90d), or every old version is overdue before it has a successor
      cause: [folder]/keyrota.toml:27:1
      state: nothing was changed
    "#);
}

#[test]
fn a_wrong_password() {
    let world = small();
    world.reconfigure("password = \"", "password = \"x");
    check_said!(world, world.keyrota("plan"), @r#"
    exit 1
    error[KR0201]: `apic` could not be worked with
      cause: login refused: logging in as `svc-keyrota` in realm `provider/default-idp-2`: 401, "The user name or the password is wrong." (request [id])
      state: nothing was changed
      hint: check the login in its [[issuer]] table, then run `keyrota check`
    "#);
    let status = world.keyrota("status").exits(3);
    assert!(
        status.stderr.starts_with("warning: `apic` could not be observed when it was last tried: "),
        "{}",
        status.stderr
    );
    assert!(status.stderr.contains("login refused") && status.stderr.contains("`keyrota check`"), "{}", status.stderr);
}

#[test]
fn a_missing_variable() {
    let world = small();
    let password = &world.announced["login"]["password"];
    world.reconfigure(&format!("password = {password}"), "password = { env = \"APIC_PASSWORD\" }");
    check_said!(world, world.keyrota("run --once"), @r#"
    exit 2
    error[KR0105]: `password` of [[issuer]] "apic" is not usable: `password`: the environment variable `APIC_PASSWORD` is not set
      cause: [folder]/keyrota.toml:13:1
      state: nothing was changed
    "#);
}

#[test]
fn an_unreachable_host() {
    let world = small();
    // Taken, so that nobody else gets it, and not listened to.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = socket.local_addr().unwrap();
    world.reconfigure(world.announced["base_url"].as_str().unwrap(), &format!("http://{nobody}/api"));
    check_said!(world, world.keyrota("plan"), @r#"
    exit 1
    error[KR0207]: `apic` could not be worked with
      cause: the host could not be reached: [host]: Connection refused (os error 111)
      state: nothing was changed
      hint: check the address and the network, then run `keyrota check`
    "#);
}

#[test]
fn plain_http_to_the_outside() {
    let world = small();
    world.reconfigure(world.announced["base_url"].as_str().unwrap(), "http://platform.example.com/api");
    check_said!(world, world.keyrota("plan"), @r#"
    exit 2
    error[KR0105]: `endpoint` of [[issuer]] "apic" is not usable: `endpoint` is "http://platform.example.com/api": passwords go there, so it must be https (http is for loopback only)
      cause: [folder]/keyrota.toml:8:1
      state: nothing was changed
    "#);
}

#[test]
fn a_self_signed_certificate() {
    let world = small();
    let proxy = tls::in_front_of(&world, Certificate::SelfSigned);
    world.reconfigure(world.announced["base_url"].as_str().unwrap(), &proxy.url);
    check_said!(world, world.keyrota("plan"), @r#"
    exit 1
    error[KR0209]: `apic` could not be worked with
      cause: the server's certificate is not trusted: [host]: it is signed by an authority that is not trusted here
      state: nothing was changed
      hint: name the authority that signed it as `ca_file` in the [[issuer]] table; TLS is always verified
    "#);
}

/// Named as the authority it says it is, it still serves nobody; without that mark it does.
#[test]
fn a_self_signed_certificate_that_calls_itself_an_authority() {
    let world = small();
    let base = world.announced["base_url"].as_str().unwrap();
    let proxy = tls::in_front_of(&world, Certificate::OwnAuthority);
    fs::write(world.folder().join("ca.pem"), &proxy.authority).unwrap();
    world.reconfigure("driver = \"ibm_apic\"", "driver = \"ibm_apic\"\nca_file = \"ca.pem\"");
    world.reconfigure(base, &proxy.url);
    check_said!(world, world.keyrota("plan"), @r#"
    exit 1
    error[KR0209]: `apic` could not be worked with
      cause: the server's certificate is not trusted: [host]: it signs itself and is marked as an authority's, not as a server's
      state: nothing was changed
      hint: give the server a certificate that an authority signed, and name that authority as `ca_file`; or make its own without CA:TRUE (`openssl req -x509 -addext basicConstraints=critical,CA:FALSE …`), and name that
    "#);
    // The way out that the hint names.
    let unmarked = tls::in_front_of(&world, Certificate::SelfSigned);
    fs::write(world.folder().join("ca.pem"), &unmarked.authority).unwrap();
    world.reconfigure(&proxy.url, &unmarked.url);
    world.keyrota("plan").exits(0);
}

#[test]
fn a_private_authority() {
    let world = small();
    let proxy = tls::in_front_of(&world, Certificate::OfAuthority);
    world.reconfigure(world.announced["base_url"].as_str().unwrap(), &proxy.url);
    check_said!(world, world.keyrota("plan"), @r#"
    exit 1
    error[KR0209]: `apic` could not be worked with
      cause: the server's certificate is not trusted: [host]: it is signed by an authority that is not trusted here
      state: nothing was changed
      hint: name the authority that signed it as `ca_file` in the [[issuer]] table; TLS is always verified
    "#);
    // The way out that the hint names.
    fs::write(world.folder().join("ca.pem"), &proxy.authority).unwrap();
    world.reconfigure("driver = \"ibm_apic\"", "driver = \"ibm_apic\"\nca_file = \"ca.pem\"");
    world.run().exits(0);
    assert_eq!(world.live().len(), 4);
}

#[test]
fn an_authority_that_is_none() {
    let world = small();
    fs::write(world.folder().join("ca.pem"), "not a certificate").unwrap();
    world.reconfigure("driver = \"ibm_apic\"", "driver = \"ibm_apic\"\nca_file = \"ca.pem\"");
    check_said!(world, world.keyrota("plan"), @r#"
    exit 2
    error[KR0111]: the HTTP client cannot be set up
      cause: the file [folder]/ca.pem holds no PEM certificate
      state: nothing was changed
    "#);
}

/// A mistake in the policy costs one credential its rotation, not the estate: the first one has to come through.
#[test]
fn a_trial_that_cannot_work() {
    let world = small();
    world.reconfigure("{client_secret}", "{client_secrt}");
    let ran = world.keyrota("run --once");
    insta::assert_snapshot!(said(&world, &ran), @r#"
    exit 3
    warning: policy `ninety`: no rotation under it has come through yet, so no other was begun; `keyrota status` and `keyrota plan` show the one that goes first
    warning: apic/northwind-bank/billing/Credential-for-Billing: parked at the first attempt: request refused: the header `X-IBM-Client-Secret` of `verify` needs the field `client_secrt`, but the secret has `client_id`, `client_secret`; mend the cause, then run `keyrota credential rotate apic/northwind-bank/billing/Credential-for-Billing`
    "#);
    // As long as it is not mended, no run risks another one.
    world.keyrota("run --once").exits(3);
    let before = world.known();
    assert_eq!(before.len(), 3);
    assert!(before.iter().all(|one| one.live));
    assert!(world.writes().iter().all(|(method, _)| method == "POST"));

    // Mended, it goes on where it stopped.
    world.reconfigure("{client_secrt}", "{client_secret}");
    world.keyrota(&format!("credential rotate {}", before[0].path())).exits(0);
    world.run().exits(0);
    world.advance("6d");
    world.run_to_rest();
    check_renewed(&world, &before[..2]);
}

#[test]
fn an_unknown_credential() {
    let world = small();
    world.keyrota("discover").exits(0);
    check_said!(world, world.keyrota("credential hold apic/northwind-bank/biling/Credential-for-Billing"), @r#"
    exit 2
    error[KR0502]: no credential is called `apic/northwind-bank/biling/Credential-for-Billing`
      state: nothing was changed
      hint: did you mean `apic/northwind-bank/billing/Credential-for-Billing`?
    "#);
    check_said!(world, world.keyrota("credential show billing"), @r#"
    exit 2
    error[KR0502]: no credential is called `billing`
      state: nothing was changed
      hint: `keyrota credential list` names them all
    "#);
    check_said!(world, world.keyrota("secret get apic/northwind-bank/billing/nothing"), @r#"
    exit 1
    error[KR0509]: nothing is current at `apic/northwind-bank/billing/nothing`
      hint: `keyrota secret list` names every path
    "#);
}

#[test]
fn a_bad_selector() {
    let world = small();
    check_said!(world, world.keyrota("run --once /apic/**"), @r#"
    exit 2
    error[KR0503]: the selector `/apic/**` has an empty segment
      state: nothing was changed
      hint: a selector is a glob over identifiers, for example `apic-prod/acme/*/*`
    "#);
    check_said!(world, world.keyrota("plan apic//x"), @r#"
    exit 2
    error[KR0503]: the selector `apic//x` has an empty segment
      state: nothing was changed
      hint: a selector is a glob over identifiers, for example `apic-prod/acme/*/*`
    "#);
    // Well formed, and nobody's: whoever relies on it should hear of it.
    world.keyrota("discover").exits(0);
    check_said!(world, world.keyrota("plan apik/**"), @r#"
    exit 3
    warning: no credential matches `apik/**`; `keyrota credential list` names them all
    "#);
    let ran = world.keyrota("run --once apik/**").exits(3);
    assert!(ran.stderr.contains("no credential matches `apik/**`"), "{}", ran.stderr);
}

#[test]
fn an_unknown_issuer() {
    let world = small();
    check_said!(world, world.keyrota("discover --issuer apik"), @r#"
    exit 2
    error[KR0501]: no issuer is called `apik`
      state: nothing was changed
      hint: the names stand in the `[[issuer]]` tables of the configuration
    "#);
}

#[test]
fn nothing_to_take_over() {
    let world = small();
    world.keyrota("discover").exits(0);
    let path = world.live()[0].path();
    check_said!(world, world.keyrota(&format!("credential import {path}")), @r#"
    exit 2
    error[KR0504]: standard input holds no secret that could be taken over
      cause: it is not one JSON object of texts
      state: nothing was changed
      hint: give one JSON object with the platform's field names, for example client_id and client_secret
    "#);
}

#[test]
fn a_selector_of_nothing_is_told_by_all_who_take_one() {
    let world = small();
    world.keyrota("discover").exits(0);
    for command in ["plan", "run --once", "credential list", "credential list --output json"] {
        let ran = world.keyrota(&format!("{command} apic/nobody/**")).exits(3);
        let warning = "warning: no credential matches `apic/nobody/**`; `keyrota credential list` names them all\n";
        assert!(ran.stderr.ends_with(warning), "{command}: {}", ran.stderr);
    }
    assert_eq!(world.keyrota("credential list --attention apic/**").exits(0).stderr, "", "all is well there");
}

#[test]
fn an_address_in_use_is_a_failure() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    for arguments in [&["twin", "ibm_apic", "--listen", &listen][..], &["demo", "--once", "--listen", &listen]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_keyrota")).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains(&format!("error[KR0512]: the twin cannot listen at {listen}\n")), "{stderr}");
    }
}

/// What failed outweighs what wants attention, whatever else the plan has found.
#[test]
fn a_plan_on_an_issuer_that_fails_has_failed() {
    let world = small();
    world.reconfigure("quiet_for = \"24h\"", "quiet_for = \"24h\"\nmode = \"notify\"");
    world.keyrota("plan").exits(3);
    world.fault("error:1.0@login");
    let ran = world.keyrota("plan").exits(1);
    assert!(ran.stderr.contains("warning: apic/"), "{}", ran.stderr);
    assert!(ran.stderr.contains("error[KR02"), "{}", ran.stderr);
}
