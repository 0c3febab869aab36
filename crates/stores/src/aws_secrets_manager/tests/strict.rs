//! The twin where it is stricter than the emulator, in calls that the driver never makes.

use driver::{Body, Clock, Http, HttpRequest, Method};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde_json::{Value, json};
use url::Url;

use super::{
    super::{
        credentials::Credentials,
        sigv4::{self, Scope},
        twin::REGION,
    },
    NAME, Stage, THEIRS, of_secret,
};

const TOKEN: &str = "0192a3b4-0000-4000-8000-00000000000a";

impl Stage {
    fn signed(&self, operation: &str, body: &Value, service: &str, at: Timestamp) -> HttpRequest {
        let login = self.twin.world().login();
        let credentials = Credentials {
            access_key_id: login["access_key_id"].as_str().unwrap().to_owned(),
            secret_access_key: Secret::from_text(login["secret_access_key"].as_str().unwrap()),
            session_token: None,
            expires_at: None,
        };
        let url = Url::parse("https://secretsmanager.eu-central-1.amazonaws.com/").unwrap();
        let mut request = HttpRequest::new(Method::Post, url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("secretsmanager.{operation}"));
        request.body = Body(body.to_string().into());
        sigv4::sign(request, &credentials, Scope { region: REGION, service }, at)
    }

    /// Status and body.
    async fn raw(&self, request: HttpRequest) -> (u16, Value) {
        let response = self.twin.send(request).await.unwrap();
        (response.status, serde_json::from_slice(&response.body.0).unwrap())
    }

    async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        self.raw(self.signed(operation, &body, "secretsmanager", self.clock.now())).await
    }

    #[track_caller]
    fn check((status, body): &(u16, Value), code: &str) {
        let found = body["__type"].as_str().unwrap_or_default().rsplit('#').next();
        assert_eq!((*status, found), (400, Some(code)), "{body}");
    }
}

#[tokio::test]
async fn labels_move_as_at_aws() {
    let stage = Stage::new();
    let [first, second] = stage.two().await;
    let (first, second) = (first.0, second.0);
    let body = |label: &str, from: Option<&str>, to: Option<&str>| {
        let mut body = json!({ "SecretId": NAME, "VersionStage": label });
        for (member, value) in [("RemoveFromVersionId", from), ("MoveToVersionId", to)] {
            if let Some(value) = value {
                body[member] = value.into();
            }
        }
        body
    };
    for refused in [
        body("AWSCURRENT", Some(&first), None),
        body("AWSCURRENT", None, Some(&second)),
        body("AWSCURRENT", Some(&second), Some(&second)),
        body("AWSPENDING", Some(&first), None),
        body("AWSCURRENT", Some(&first), Some(THEIRS)),
    ] {
        let answer = stage.call("UpdateSecretVersionStage", refused).await;
        Stage::check(&answer, "InvalidParameterException");
    }
    assert_eq!(stage.call("UpdateSecretVersionStage", body("AWSCURRENT", Some(&first), Some(&second))).await.0, 200);
    assert_eq!(stage.holder("AWSPREVIOUS"), Some(first.clone()));
    assert_eq!(stage.holder("AWSPENDING"), Some(second.clone()), "it does not leave by itself");
    assert_eq!(stage.call("UpdateSecretVersionStage", body("blue", None, Some(&first))).await.0, 200);
    assert_eq!(stage.holder("blue"), Some(first));
}

#[tokio::test]
async fn a_version_never_changes_and_values_have_a_limit() {
    let stage = Stage::new();
    let put = |value: &str| json!({ "SecretId": NAME, "ClientRequestToken": TOKEN, "SecretString": value, "VersionStages": ["AWSPENDING"] });
    Stage::check(&stage.call("PutSecretValue", put("a")).await, "ResourceNotFoundException");
    let create = json!({ "Name": NAME, "ClientRequestToken": TOKEN });
    assert_eq!(stage.call("CreateSecret", create.clone()).await.0, 200);
    Stage::check(&stage.call("CreateSecret", create).await, "ResourceExistsException");
    let get = json!({ "SecretId": NAME });
    Stage::check(&stage.call("GetSecretValue", get.clone()).await, "ResourceNotFoundException");
    Stage::check(&stage.call("PutSecretValue", put(&"x".repeat(65_537))).await, "ValidationException");
    let (_, written) = stage.call("PutSecretValue", put(&"x".repeat(65_536))).await;
    assert_eq!(written["VersionStages"], json!(["AWSCURRENT", "AWSPENDING"]), "the first one");
    assert_eq!(stage.call("PutSecretValue", put(&"x".repeat(65_536))).await.0, 200);
    Stage::check(&stage.call("PutSecretValue", put("other")).await, "ResourceExistsException");
    let without_token = json!({ "SecretId": NAME, "SecretString": "a" });
    Stage::check(&stage.call("PutSecretValue", without_token).await, "InvalidParameterException");
    let name = json!({ "Name": "a b", "ClientRequestToken": TOKEN });
    Stage::check(&stage.call("CreateSecret", name).await, "InvalidParameterException");

    stage.tamper(of_secret("delete"));
    Stage::check(&stage.call("GetSecretValue", get).await, "InvalidRequestException");
    Stage::check(&stage.call("PutSecretValue", put("a")).await, "InvalidRequestException");
    let create = json!({ "Name": NAME, "ClientRequestToken": TOKEN });
    Stage::check(&stage.call("CreateSecret", create).await, "InvalidRequestException");
}

#[tokio::test]
async fn calls_are_signed_or_refused() {
    let stage = Stage::new();
    let now = stage.clock.now();
    let signed = |service: &str, at| stage.signed("DescribeSecret", &json!({ "SecretId": NAME }), service, at);
    let good = || signed("secretsmanager", now);
    let without = |name: &str| {
        let mut request = good();
        request.headers.retain(|(have, _)| *have != name);
        request
    };
    let mut other_body = good();
    other_body.body = Body("{\"SecretId\":\"other\"}".into());
    let late = now.checked_sub(SignedDuration::from_mins(6)).unwrap();
    for (request, code) in [
        (good(), "ResourceNotFoundException"),
        (without("authorization"), "MissingAuthenticationTokenException"),
        (without("x-amz-date"), "IncompleteSignatureException"),
        (without("content-type"), "IncompleteSignatureException"),
        (good().header("x-amz-security-token", "x"), "UnrecognizedClientException"),
        (other_body, "InvalidSignatureException"),
        (signed("sts", now), "IncompleteSignatureException"),
        (signed("secretsmanager", late), "InvalidSignatureException"),
    ] {
        Stage::check(&stage.raw(request).await, code);
    }
}
