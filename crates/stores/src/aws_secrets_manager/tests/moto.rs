//! On a real server: moto, an emulator of AWS that others wrote. It checks every signature, and allows what the policy
//! in the guide allows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use components::{LoopbackHttp, Server, moto, program};
use contract::{
    SeededEntropy,
    store::{StoreFixture, check_all},
};
use db::Db;
use domain::{CredentialId, SecretPath};
use driver::{
    AttemptKey, Body, Clock, Delivery, Effect, Entropy as _, Form, Http, HttpError, HttpFailure, HttpRequest,
    HttpResponse, Kind, Label, Method, Ports, StoreVersion,
};
use jiff::Timestamp;
use secret::Secret;
use url::{Url, form_urlencoded::Serializer};

use super::{
    super::{
        configure_in,
        credentials::Credentials,
        sigv4::{self, Scope},
        variables::Variables,
        xml,
    },
    keyring, settings,
};
use crate::{Asked, StorePorts};

const GUIDE: &str = include_str!("../../../../../docs/guides/deliver-to-aws-secrets-manager.md");
const OTHER_RIGHTS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const ACCOUNT: &str = "123456789012";

/// The emulator compares the time of a signature with its own.
#[derive(Debug)]
struct RealClock;

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The first block of JSON in the guide: the policy for our own account.
fn policy_of_the_guide() -> String {
    let (_, rest) = GUIDE.split_once("```json\n").unwrap();
    let policy = rest.split_once("```").unwrap().0;
    // The emulator asks about actions, never about a certain secret.
    let mut policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        assert!(statement["Resource"].as_str().unwrap().contains(":secret:apic/"), "{statement}");
        statement["Resource"] = "*".into();
    }
    policy.to_string()
}

struct Aws {
    server: Server,
    http: LoopbackHttp,
}

impl Aws {
    fn new() -> Self {
        Self { server: moto(), http: LoopbackHttp::new() }
    }

    async fn post(&self, path: &str, body: &str) -> HttpResponse {
        let url = Url::parse(&format!("{}{path}", self.server.address())).unwrap();
        let mut request = HttpRequest::new(Method::Post, url).header("content-type", "text/plain");
        request.body = Body(body.to_owned().into());
        self.http.send(request).await.unwrap()
    }

    async fn iam(&self, form: &[(&str, &str)]) -> String {
        let root = Credentials {
            access_key_id: "root".to_owned(),
            secret_access_key: Secret::from_text("root"),
            session_token: None,
            expires_at: None,
        };
        let url = Url::parse(&self.server.address()).unwrap();
        let mut request =
            HttpRequest::new(Method::Post, url).header("content-type", "application/x-www-form-urlencoded");
        let body = Serializer::new(String::new()).extend_pairs(form).append_pair("Version", "2010-05-08").finish();
        request.body = Body(body.into());
        let request = sigv4::sign(request, &root, Scope { region: "us-east-1", service: "iam" }, Timestamp::now());
        let response = self.http.send(request).await.unwrap();
        let text = std::str::from_utf8(&response.body.0).unwrap().to_owned();
        assert!(response.is_success(), "{text}");
        text
    }

    /// An empty account with one user, who may do what this policy says; from then on every call is checked.
    async fn account(&self, policy: &str) -> (String, String) {
        self.post("/moto-api/reset", "").await;
        self.post("/moto-api/reset-auth", "1000").await;
        self.iam(&[("Action", "CreateUser"), ("UserName", "keyrota")]).await;
        let put =
            [("Action", "PutUserPolicy"), ("UserName", "keyrota"), ("PolicyName", "p"), ("PolicyDocument", policy)];
        self.iam(&put).await;
        let key = self.iam(&[("Action", "CreateAccessKey"), ("UserName", "keyrota")]).await;
        self.post("/moto-api/reset-auth", "0").await;
        (xml::text(&key, "AccessKeyId").unwrap(), xml::text(&key, "SecretAccessKey").unwrap())
    }

    async fn fixture(&self, policy: &str) -> StoreFixture {
        let (id, key) = self.account(policy).await;
        self.store_of(&id, &key)
    }

    fn store_of(&self, id: &str, key: &str) -> StoreFixture {
        self.store_over(Arc::new(self.http.clone()), id, key)
    }

    fn store_over(&self, http: Arc<dyn Http>, id: &str, key: &str) -> StoreFixture {
        let variables = Variables::of([("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", key)]);
        let toml =
            format!("region = \"eu-central-1\"\nendpoint = \"{}\"\naccount_id = \"{ACCOUNT}\"", self.server.address());
        let ports = Ports { http, clock: Arc::new(RealClock), entropy: Arc::new(SeededEntropy::new(7)) };
        let keyring = keyring();
        let ports = StorePorts {
            db: Arc::new(Db::in_memory().unwrap()),
            keyring: keyring.clone(),
            ports,
            asked: Asked::default(),
        };
        let store = configure_in(&variables, &settings(&toml), &ports).unwrap();
        StoreFixture { store, fingerprint: Box::new(move |map| keyring.fingerprint(map)), kept: Box::new(()) }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn it_keeps_the_contract_on_the_emulator_with_the_rights_of_the_guide() {
    runtime().block_on(async {
        let aws = Aws::new();
        let policy = policy_of_the_guide();
        check_all(|| aws.fixture(&policy)).await;
    });
}

#[test]
fn the_emulator_refuses_a_wrong_key_and_a_missing_right() {
    runtime().block_on(async {
        let aws = Aws::new();
        let (id, key) = aws.account(OTHER_RIGHTS).await;
        let wrong = aws.store_of(&id, &key.replace(|c: char| c.is_ascii_lowercase(), "x"));
        let error = wrong.store.check().await.unwrap_err();
        assert!(error.kind == Kind::Unauthorized && error.message.contains("SignatureDoesNotMatch"), "{error}");
        let nobody = aws.store_of("AKIANOBODY", "canary");
        let error = nobody.store.check().await.unwrap_err();
        assert_eq!(error.kind, Kind::Unauthorized, "{error}");
        let without_rights = aws.store_of(&id, &key);
        let error = without_rights.store.inspect(&super::path()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden, "{error}");
        assert!(error.message.contains("secretsmanager:DescribeSecret"), "{error}");
        without_rights.store.check().await.unwrap();
    });
}

/// An application as most are written: boto3, a value by its label.
const READER: &str = "
import boto3, json, sys
client = boto3.client('secretsmanager', region_name='eu-central-1', endpoint_url=sys.argv[1])
for label in ['AWSCURRENT', 'AWSPREVIOUS']:
    print(client.get_secret_value(SecretId='apic/acme/shop/key', VersionStage=label)['SecretString'])
";

#[test]
fn boto3_reads_what_was_delivered() {
    runtime().block_on(async {
        let aws = Aws::new();
        let (id, key) = aws.account(&policy_of_the_guide()).await;
        let it = aws.store_of(&id, &key);
        let first = rotate(&it, &super::path(), "one", None).await;
        rotate(&it, &super::path(), "two", Some(&first)).await;
        let output = std::process::Command::new(program("python"))
            .args(["-c", READER, &aws.server.address()])
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", &key)
            .output()
            .unwrap();
        let seen = String::from_utf8(output.stdout).unwrap();
        let line = |text: &str| format!("{{\"client_id\":\"id\",\"client_secret\":\"canary-{text}\"}}\n");
        assert_eq!(seen, line("two") + &line("one"), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// A bad road to AWS: one call in four fails, in every way in which a call can.
#[derive(Debug)]
struct BadRoad {
    http: LoopbackHttp,
    dice: SeededEntropy,
}

#[async_trait]
impl Http for BadRoad {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |failure, effect| HttpError { failure, effect, detail: "on purpose".to_owned() };
        match self.dice.next() % 16 {
            0 => Err(broken(HttpFailure::Unreachable, Effect::NotApplied)),
            1 => {
                let body = Body("<html>no server is available</html>".into());
                Ok(HttpResponse { status: 503, headers: Vec::new(), body })
            }
            2 => {
                self.http.send(request).await?;
                Err(broken(HttpFailure::Broken, Effect::Unknown))
            }
            3 => {
                let mut response = self.http.send(request).await?;
                response.body = Body(response.body.0.slice(..response.body.0.len() / 2));
                Ok(response)
            }
            _ => self.http.send(request).await,
        }
    }
}

/// As the engine does it: look, then write or promote, until it is done.
async fn rotate(it: &StoreFixture, at: &SecretPath, text: &str, before: Option<&StoreVersion>) -> StoreVersion {
    let value = super::value(text);
    let delivery = Delivery {
        at,
        credential: &CredentialId::parse("apic/acme/shop/key").unwrap(),
        value: &value,
        form: Form::Fields,
        fingerprint: (it.fingerprint)(&value),
        key: AttemptKey(text.to_owned()),
        replaces: before,
        environment: Some("production"),
    };
    let labels = it.store.labels().unwrap();
    for _ in 0..100 {
        if let Ok(version) = it.store.write(&delivery, &super::ticket()).await
            && labels.promote(at, &version, before, &super::ticket()).await.is_ok()
        {
            return version;
        }
    }
    panic!("{at} never got there");
}

#[test]
fn two_hundred_rotations_over_a_bad_road_leave_every_secret_in_order() {
    const SECRETS: usize = 100;
    runtime().block_on(async {
        let aws = Aws::new();
        let road = BadRoad { http: aws.http.clone(), dice: SeededEntropy::new(3) };
        let it = &aws.store_over(Arc::new(road), "AKIA1", "canary");
        let places: Vec<SecretPath> =
            (0..SECRETS).map(|number| SecretPath::parse(&format!("apic/app-{number}/key")).unwrap()).collect();
        let each = places.iter().map(|at| async move {
            let first = rotate(it, at, "one", None).await;
            let second = rotate(it, at, "two", Some(&first)).await;
            (first, second)
        });
        let versions = futures_util::future::join_all(each).await;

        // Looked at by the straight road.
        let straight = aws.store_of("AKIA1", "canary");
        for (at, (first, second)) in places.iter().zip(versions) {
            let state = straight.store.inspect(at).await.unwrap();
            let seen: Vec<_> = state.versions.iter().map(|stored| (&stored.version, &stored.labels[..])).collect();
            let mut expected = [(&first, &[Label::Previous][..]), (&second, &[Label::Current][..])];
            expected.sort_by_key(|(version, _)| *version);
            assert_eq!(seen, expected, "{at}");
            assert_eq!(state.environment.as_deref(), Some("production"));
        }
    });
}
