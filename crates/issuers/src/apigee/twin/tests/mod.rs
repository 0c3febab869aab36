//! The twin against what the vendor's documents and clients of the real platform show, in both generations.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Answer, Call, Side, World};

use super::{Apigee, Generation, Options};

const D: &str = "/v1/organizations/acme/developers/ada.okafor@alder.example/apps/billing";

fn start() -> Timestamp {
    "2026-03-01T02:00:00Z".parse().unwrap()
}

fn edge() -> Options {
    let age = SignedDuration::from_hours(24 * 95);
    Options { generation: Generation::Edge, developers: 3, groups: 1, apps: 2, age, ..Options::default() }
}

fn x() -> Options {
    Options { generation: Generation::X, ..edge() }
}

/// A client in front of a twin.
struct Site {
    world: World,
    authorization: String,
}

struct Answered {
    status: u16,
    text: String,
    body: Value,
}

impl Answered {
    #[track_caller]
    fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

impl Site {
    /// On X with a token that a twin of the same login gives; on Edge with name and password.
    fn new(options: Options) -> Self {
        let generation = options.generation;
        let mut twin = Apigee::new(options, start()).unwrap();
        let reply = match generation {
            Generation::X => Some(twin.grant_to_account(start())),
            Generation::Edge => None,
        };
        let token = reply.map(|reply| serde_json::from_slice::<Value>(&reply.body).unwrap());
        let mut world = World::new(Box::new(twin), 5);
        world.serve_at("https://apigee.example.test", "https://gateway.example.test");
        let login = world.login();
        let text = |key: &str| login[key].as_str().unwrap().to_owned();
        let authorization = match token {
            Some(token) => format!("Bearer {}", token["access_token"].as_str().unwrap()),
            None => format!("Basic {}", STANDARD.encode(format!("{}:{}", text("username"), text("password")))),
        };
        Self { world, authorization }
    }

    fn send(&mut self, side: Side, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.to_owned().into(),
        };
        match self.world.handle(start(), side, &call) {
            Answer::Cut => panic!("an answer"),
            Answer::Reply(reply) => {
                let text = String::from_utf8(reply.body.to_vec()).unwrap();
                let body = serde_json::from_str(&text).unwrap_or(Value::Null);
                Answered { status: reply.status, text, body }
            }
        }
    }

    fn call(&mut self, method: &str, target: &str, body: &Value) -> Answered {
        let authorization = self.authorization.clone();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(Side::Platform, method, target, &[("authorization", &authorization)], &body)
    }

    fn get(&mut self, target: &str) -> Answered {
        self.call("GET", target, &Value::Null)
    }

    fn gateway(&mut self, path: &str, key: &str) -> Answered {
        self.send(Side::Gateway, "GET", path, &[("x-api-key", key)], "")
    }

    fn pass(&mut self, seconds: i64) {
        self.world.advance(SignedDuration::from_secs(seconds));
    }

    fn create(&mut self, key: &str) -> Value {
        self.call("POST", &format!("{D}/keys/create"), &json!({ "consumerKey": key, "consumerSecret": "s3cret" }))
            .ok(201)
    }
}

fn code(refused: &Answered) -> &str {
    refused.body["fault"]["detail"]["errorcode"].as_str().unwrap()
}

#[test]
fn each_generation_has_its_own_spelling() {
    let (mut of_x, mut of_edge) = (Site::new(x()), Site::new(edge()));
    let (on_x, on_edge) = (of_x.get(D).ok(200), of_edge.get(D).ok(200));
    assert!(on_x["credentials"][0]["issuedAt"].is_string() && on_x.get("createdBy").is_none());
    assert!(on_edge["credentials"][0]["issuedAt"].is_i64() && on_edge.get("createdBy").is_some());
    assert_eq!(on_x["credentials"][0]["expiresAt"], "-1");
    let list = "/v1/organizations/acme/developers";
    assert!(of_x.get(list).ok(200)["developer"][0]["email"].is_string());
    assert!(of_edge.get(list).ok(200)[0].is_string());
    assert!(of_edge.get("/v1/o/acme/developers").ok(200)[0].is_string(), "the short form");
    let refused = of_x.get("/v1/o/acme/developers");
    assert!(refused.status == 404 && refused.text.starts_with("<!DOCTYPE html>"));
}

#[test]
fn each_generation_has_its_own_errors() {
    let missing = format!("{D}/keys/none");
    let on_x = Site::new(x()).get(&missing).ok(404);
    assert_eq!((&on_x["error"]["code"], &on_x["error"]["status"]), (&json!(404), &json!("NOT_FOUND")));
    let violation = &on_x["error"]["details"][0]["violations"][0]["type"];
    let on_edge = Site::new(edge()).get(&missing).ok(404);
    assert_eq!(*violation, on_edge["code"]);
    assert_eq!(on_edge["contexts"], json!([]));
    for (options, empty) in [(x(), false), (edge(), true)] {
        let mut site = Site::new(options);
        site.authorization = "Bearer nonsense".to_owned();
        let refused = site.get(D);
        assert_eq!((refused.status, refused.text.is_empty()), (401, empty));
    }
}

#[test]
fn pages_begin_with_the_last_entry_of_the_page_before() {
    let mut site = Site::new(Options { developers: 5, ..edge() });
    let list = "/v1/organizations/acme/developers?count=3";
    let first = site.get(list).ok(200);
    let last = first[2].as_str().unwrap().to_owned();
    let second = site.get(&format!("{list}&startKey={last}")).ok(200);
    assert_eq!((second[0].as_str(), second.as_array().unwrap().len()), (Some(last.as_str()), 3));
    let mut private = Site::new(Options { developers: 5, private_cloud: true, ..edge() });
    assert_eq!(private.get(&format!("{list}&startKey={last}")).ok(200).as_array().unwrap().len(), 5);
}

#[test]
fn lists_of_x_hide_what_is_revoked_unless_asked() {
    let mut site = Site::new(x());
    let key = site.get(D).ok(200)["credentials"][0]["consumerKey"].as_str().unwrap().to_owned();
    site.call("POST", &format!("{D}/keys/{key}?action=revoke"), &Value::Null).ok(204);
    let apps = "/v1/organizations/acme/apps?expand=true&includeCred=true";
    assert!(!site.get(apps).text.contains(&key));
    assert!(site.get(&format!("{apps}&keyStatus=revoked")).text.contains(&key));
}

/// Making a key at the app replaces what the app has.
#[test]
fn a_generated_key_costs_the_attributes() {
    for method in ["POST", "PUT"] {
        let mut site = Site::new(edge());
        let before = site.get(D).ok(200);
        assert_eq!(before["attributes"].as_array().unwrap().len(), 3);
        let after = site.call(method, D, &json!({ "apiProducts": ["accounts-read"] })).ok(200);
        assert_eq!(after["credentials"].as_array().unwrap().len(), 2);
        assert_eq!((&after["attributes"], &after["callbackUrl"]), (&json!([]), &json!("")));
    }
}

#[test]
fn an_imported_key_starts_without_products_and_some_of_them_wait() {
    let mut site = Site::new(edge());
    assert_eq!(site.create("mine")["apiProducts"], json!([]));
    assert_eq!(site.gateway("/payments/", "mine").status, 200, "on Edge it opens everything");
    let taken = site.call("POST", &format!("{D}/keys"), &json!({ "consumerKey": "mine", "consumerSecret": "x" }));
    assert_eq!((taken.status, &taken.body["code"]), (409, &json!("keymanagement.service.ConsumerKeyAlreadyExists")));
    let one = format!("{D}/keys/mine");
    let given = site.call("POST", &one, &json!({ "apiProducts": ["accounts-read", "payments"] })).ok(200);
    assert_eq!(given["apiProducts"][1], json!({ "apiproduct": "payments", "status": "pending" }));
    site.pass(181);
    assert_eq!(site.gateway("/accounts-read/x", "mine").status, 200);
    let refused = site.gateway("/payments/x", "mine");
    assert_eq!((refused.status, code(&refused)), (401, "oauth.v2.InvalidApiKeyForGivenResource"));
    site.call("POST", &format!("{one}/apiproducts/payments?action=approve"), &Value::Null).ok(204);
    assert_eq!(site.gateway("/payments/x", "mine").status, 401, "the gateway remembers");
    site.pass(181);
    assert_eq!(site.gateway("/payments/x", "mine").status, 200);
    assert_eq!(site.call("DELETE", &format!("{one}/apiproducts/reports"), &Value::Null).status, 500);
}

#[test]
fn the_gateway_remembers_for_three_minutes() {
    let mut site = Site::new(x());
    let key = site.get(D).ok(200)["credentials"][0]["consumerKey"].as_str().unwrap().to_owned();
    assert_eq!(site.gateway("/ping", &key).ok(200), json!({ "application": "billing" }));
    site.call("POST", &format!("{D}/keys/{key}?action=revoke"), &Value::Null).ok(204);
    site.pass(179);
    assert_eq!(site.gateway("/ping", &key).status, 200);
    site.pass(2);
    let refused = site.gateway("/ping", &key);
    assert_eq!((refused.status, code(&refused)), (401, "oauth.v2.ApiKeyNotApproved"));
    site.call("DELETE", &format!("{D}/keys/{key}"), &Value::Null).ok(200);
    assert_eq!(code(&site.gateway("/ping", &key)), "oauth.v2.InvalidApiKey");
    assert_eq!(code(&site.gateway("/ping", "")), "steps.oauth.v2.FailedToResolveAPIKey");
}

#[test]
fn analytics_is_ten_minutes_late() {
    let mut site = Site::new(edge());
    let key = site.get(D).ok(200)["credentials"][0]["consumerKey"].as_str().unwrap().to_owned();
    site.gateway("/ping", &key);
    let range = "03/01/2026 00:00~03/02/2026 00:00".replace(' ', "%20");
    let stats = |environment: &str| {
        format!(
            "/v1/o/acme/environments/{environment}/stats/client_id?select=sum(message_count)&timeRange={range}\
             &timeUnit=hour&filter=(client_id%20eq%20'{key}')"
        )
    };
    site.pass(599);
    assert_eq!(site.get(&stats("prod")).ok(200)["environments"], json!([{ "name": "prod" }]));
    site.pass(2);
    let told = site.get(&stats("prod")).ok(200);
    let values = &told["environments"][0]["dimensions"][0]["metrics"][0]["values"];
    assert_eq!(*values, json!([{ "timestamp": start().as_millisecond(), "value": "1.0" }]));
    assert_eq!(site.get(&stats("test")).ok(200)["environments"], json!([{ "name": "test" }]));
}

/// As a foreign program would: an app of its own, and a key of its own choosing beside the one that comes with it.
#[test]
fn an_app_can_be_made_from_nothing() {
    let mut site = Site::new(edge());
    let developers = "/v1/o/acme/developers";
    site.call("POST", developers, &json!({ "email": "New@acme.example", "firstName": "N", "lastName": "P" })).ok(201);
    let apps = format!("{developers}/New@acme.example/apps");
    let made =
        site.call("POST", &apps, &json!({ "name": "shop", "apiProducts": ["reports"], "keyExpiresIn": "60000" }));
    let made = made.ok(201);
    let end =
        made["credentials"][0]["expiresAt"].as_i64().unwrap() - made["credentials"][0]["issuedAt"].as_i64().unwrap();
    assert_eq!(end, 60_000, "milliseconds");
    assert_eq!(site.call("POST", &apps, &json!({ "name": "shop" })).status, 409);
    let key = made["credentials"][0]["consumerKey"].as_str().unwrap();
    assert_eq!(site.gateway("/ping", key).status, 200);
    site.pass(241);
    assert_eq!(code(&site.gateway("/ping", key)), "keymanagement.service.consumer_key_expired");
    site.call("DELETE", &format!("{apps}/shop"), &Value::Null).ok(200);
    assert_eq!(site.get(&format!("{apps}/shop")).status, 404);
}

#[test]
fn the_apps_of_an_organisation_can_be_asked_for_by_what_they_have() {
    let mut site = Site::new(x());
    let app = site.get(D).ok(200);
    let (id, key) = (app["appId"].as_str().unwrap().to_owned(), app["credentials"][0]["consumerKey"].clone());
    let key = key.as_str().unwrap().to_owned();
    let mut count = |query: &str| {
        let body = site.get(&format!("/v1/organizations/acme/apps?{query}")).ok(200);
        body["app"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count("expand=true"), 6);
    assert_eq!((count("ids=nope"), count(&format!("ids={id},nope"))), (0, 1));
    assert_eq!((count("apiProduct=nope"), count("apiProduct=accounts-read")), (0, 3));
    assert_eq!((count("filter=consumerKey=nope"), count(&format!("filter=consumerKey={key}"))), (0, 1));
    assert_eq!((count("filter=appName=billing"), count("filter=appType=AppGroup")), (3, 2));
    assert_eq!(count("filter=developerEmail=ada.okafor@alder.example"), 2);
    assert_eq!((count("rows=4"), count(&format!("startKey={id}&rows=1"))), (4, 1));
    for wrong in ["filter=colour=red", "rows=many", "keyStatus=odd"] {
        assert_eq!(site.get(&format!("/v1/organizations/acme/apps?{wrong}")).status, 400, "{wrong}");
    }
    let first = site.get(&format!("/v1/organizations/acme/apps?startKey={id}&rows=2")).ok(200);
    assert_eq!((&first["app"][0]["appId"], first.get("nextPageToken")), (&json!(id), None), "inclusive");
}

#[test]
fn a_user_of_edge_gets_tokens_that_clients_can_read() {
    let mut site = Site::new(edge());
    let login = site.world.login();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "password");
    for name in ["username", "password"] {
        form.append_pair(name, login[name].as_str().unwrap());
    }
    let client = [("authorization", "Basic ZWRnZWNsaTplZGdlY2xpc2VjcmV0")];
    let answer = site.send(Side::Platform, "POST", "/oauth/token", &client, &form.finish()).ok(200);
    let claims = |name: &str| -> Value {
        let parts: Vec<&str> = answer[name].as_str().unwrap().split('.').collect();
        assert_eq!(parts.len(), 3);
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
    };
    let (access, refresh) = (claims("access_token"), claims("refresh_token"));
    assert_eq!((&access["email"], &refresh["user_name"]), (&login["username"], &login["username"]));
    let life = answer["expires_in"].as_i64().unwrap();
    assert_eq!(access["exp"], start().as_second() + life);
    let bearer = |name: &str| format!("Bearer {}", answer[name].as_str().unwrap());
    site.authorization = bearer("access_token");
    site.get(D).ok(200);
    site.pass(life + 1);
    assert_eq!(site.get(D).status, 401);
    let again = format!("grant_type=refresh_token&refresh_token={}", answer["refresh_token"].as_str().unwrap());
    let renewed = site.send(Side::Platform, "POST", "/oauth/token", &client, &again).ok(200);
    assert_ne!(renewed["access_token"], answer["access_token"]);
    site.authorization = bearer("refresh_token");
    assert_eq!(site.get(D).status, 401, "a refresh token opens nothing");
    site.pass(24 * 3600);
    assert_eq!(site.send(Side::Platform, "POST", "/oauth/token", &client, &again).status, 401);
}

#[test]
fn an_app_gets_a_token_that_is_as_good_as_its_key() {
    const TOKENS: &str = "/oauth/client_credential/accesstoken";
    let mut site = Site::new(x());
    let key = site.get(D).ok(200)["credentials"][0].clone();
    let (id, secret) = (key["consumerKey"].as_str().unwrap(), key["consumerSecret"].as_str().unwrap());
    let ask = |site: &mut Site, id: &str, secret: &str| {
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let target = format!("{TOKENS}?grant_type=client_credentials");
        site.send(Side::Gateway, "POST", &target, &[("authorization", &basic)], "")
    };
    let answer = ask(&mut site, id, secret).ok(200);
    let given = ["client_id", "expires_in", "token_type", "developer.email", "api_product_list"].map(|at| &answer[at]);
    assert_eq!(given, [id, "3599", "BearerToken", "ada.okafor@alder.example", "[accounts-read]"]);
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    site.send(Side::Gateway, "POST", TOKENS, &[], &form).ok(200);
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let call =
        |site: &mut Site, bearer: &str| site.send(Side::Gateway, "GET", "/ping", &[("authorization", bearer)], "");
    assert_eq!(call(&mut site, &bearer).ok(200), json!({ "application": "billing" }));
    assert_eq!(code(&call(&mut site, "Bearer x")), "keymanagement.service.invalid_access_token");
    for (id, secret) in [(id, "wrong"), ("none", secret)] {
        let refused = ask(&mut site, id, secret);
        assert_eq!((refused.status, &refused.body["ErrorCode"]), (401, &json!("invalid_client")), "{}", refused.text);
    }
    site.call("POST", &format!("{D}/keys/{id}?action=revoke"), &Value::Null).ok(204);
    site.pass(181);
    assert_eq!(code(&call(&mut site, &bearer)), "oauth.v2.ApiKeyNotApproved");
    assert_eq!(ask(&mut site, id, secret).status, 401);
    site.pass(3600);
    assert_eq!(code(&call(&mut site, &bearer)), "keymanagement.service.access_token_expired");
}

/// RFC 7515: `kid` is a hint, and the vendor's list of parts does without.
#[test]
fn an_assertion_need_not_name_its_key() {
    let mut site = Site::new(x());
    let login = site.world.login();
    let text = |name: &str| login[name].as_str().unwrap();
    let pem: String = text("private_key").lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap();
    let now = start().as_second();
    let claims = json!({
        "iss": text("client_email"),
        "aud": text("token_uri"),
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "iat": now,
        "exp": now + 3600,
    });
    let assertion = |header: Value| {
        let signed = [header, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}")
    };
    let key_id = text("private_key_id");
    for (header, status) in [
        (json!({ "alg": "RS256", "typ": "JWT" }), 200),
        (json!({ "alg": "RS256", "typ": "JWT", "kid": key_id }), 200),
        (json!({ "alg": "RS256", "typ": "JWT", "kid": "another" }), 400),
    ] {
        let answer = site.send(Side::Platform, "POST", "/token", &[], &assertion(header));
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}
