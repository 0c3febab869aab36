use super::*;

fn login(site: &mut Site, body: &Value) -> Answered {
    site.call("POST", "/api/token", Some(body))
}

fn with(mut body: Value, name: &str, value: &str) -> Value {
    body[name] = json!(value);
    body
}

#[test]
fn a_login_answers_a_bearer_token() {
    let mut site = Site::logged_out(ApiConnect::new(small(), start()));
    let body = site.password_login();
    let answer = login(&mut site, &body).ok(200);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 28_800);
    assert_eq!(answer.as_object().unwrap().len(), 3);
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."), "{token}");
    assert_eq!(token.split('.').count(), 3);
}

#[test]
fn the_login_names_all_that_a_client_needs() {
    let site = Site::new(small());
    let login = site.world.login();
    for name in ["username", "password", "realm", "client_id", "client_secret", "provider_org", "catalog"] {
        assert!(login[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert_eq!(login["realm"], "provider/default-idp-2");
}

#[test]
fn wrong_logins_are_told_apart_as_documented() {
    let mut site = Site::logged_out(ApiConnect::new(small(), start()));
    let body = site.password_login();
    for (name, value, status) in [
        ("password", "wrong", 401),
        ("username", "nobody", 401),
        ("client_secret", "wrong", 401),
        ("client_id", "wrong", 401),
        ("realm", "provider/other", 400),
        ("realm", "", 400),
        ("grant_type", "magic", 400),
        ("grant_type", "refresh_token", 400),
    ] {
        let answered = login(&mut site, &with(body.clone(), name, value));
        assert_eq!((answered.status, &answered.body["status"]), (status, &json!(status)), "{name} {value}");
        assert!(answered.body["message"][0].is_string());
    }
}

#[test]
fn a_form_body_is_refused() {
    let mut site = Site::logged_out(ApiConnect::new(small(), start()));
    let form = |content_type: &str, body: String| Call {
        method: "POST".to_owned(),
        path: "/api/token".to_owned(),
        query: String::new(),
        headers: vec![("content-type".to_owned(), content_type.to_owned())],
        body: body.into(),
    };
    let json = site.password_login().to_string();
    for (content_type, body, status) in [
        ("application/x-www-form-urlencoded", "grant_type=password".to_owned(), 400),
        ("application/x-www-form-urlencoded", json.clone(), 400),
        ("application/json", "grant_type=password".to_owned(), 400),
        ("application/json; charset=utf-8", json, 200),
    ] {
        let answered = site.try_send(Side::Platform, &form(content_type, body)).unwrap();
        assert_eq!(answered.status, status, "{content_type}");
    }
}

#[test]
fn without_a_good_token_nothing_is_told() {
    let mut site = Site::logged_out(ApiConnect::new(small(), start()));
    let message = "The access token is missing, not valid or expired.";
    check_error(&site.get("/api/orgs"), 401, message);
    site.token = "eyJ.made.up".to_owned();
    check_error(&site.get(APPS), 401, message);
    check_error(&site.get("/api/analytics/analytics/catalogs/acme/production/events"), 401, message);
    let providers = site.get("/api/cloud/provider/identity-providers").ok(200);
    assert_eq!(providers["results"][0]["realm"], "provider/default-idp-2");
}

#[test]
fn a_token_ends_by_the_twins_clock() {
    let mut site = Site::new(Options { token_expires_in: 60, ..small() });
    assert_eq!(site.get("/api/orgs").status, 200);
    site.world.advance(SignedDuration::from_secs(59));
    assert_eq!(site.get("/api/orgs").status, 200);
    site.world.advance(SignedDuration::from_secs(1));
    assert_eq!(site.get("/api/orgs").status, 401);
    site.log_in();
    assert_eq!(site.get("/api/orgs").status, 200);
}

#[test]
fn a_single_use_api_key_buys_one_token() {
    for (single, second) in [(true, 401), (false, 200)] {
        let mut site = Site::logged_out(ApiConnect::new(Options { api_key_single_use: single, ..small() }, start()));
        let known = site.world.login();
        let body = json!({ "grant_type": "api_key", "api_key": known["api_key"],
                           "client_id": known["client_id"], "client_secret": known["client_secret"] });
        let wrong = with(body.clone(), "api_key", "wrong");
        assert_eq!(login(&mut site, &wrong).status, 401);
        let token = login(&mut site, &body).ok(200)["access_token"].as_str().unwrap().to_owned();
        assert_eq!(login(&mut site, &body).status, second);
        site.token = token;
        assert_eq!(site.get("/api/orgs").status, 200, "the token outlives the key");
    }
}

#[test]
fn a_refresh_token_is_used_once() {
    let mut site = Site::logged_out(ApiConnect::new(Options { refresh_tokens: true, ..small() }, start()));
    let body = site.password_login();
    let answer = login(&mut site, &body).ok(200);
    assert_eq!(answer["refresh_expires_in"], 57_600);
    let again =
        with(with(body, "grant_type", "refresh_token"), "refresh_token", answer["refresh_token"].as_str().unwrap());
    assert_eq!(login(&mut site, &again).status, 200);
    assert_eq!(login(&mut site, &again).status, 401);
}

#[test]
fn a_login_without_a_user_is_too_weak() {
    let mut site = Site::logged_out(ApiConnect::new(small(), start()));
    let body = with(site.password_login(), "grant_type", "client_credentials");
    site.token = login(&mut site, &body).ok(200)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(site.get(APPS).status, 403);
}

#[test]
fn a_fresh_token_may_be_refused_once() {
    let mut site = Site::new(Options { fresh_token_refused: true, ..small() });
    assert_eq!([site.get("/api/orgs").status, site.get("/api/orgs").status], [401, 200]);
    site.log_in();
    assert_eq!([site.get("/api/orgs").status, site.get("/api/orgs").status], [401, 200]);
}
