//! Key files as people hand them over.

use driver::Kind;
use serde_json::{Value, json};

use super::{Stage, key, of};

fn with(file: &Value, name: &str, value: Value) -> Value {
    let mut file = file.clone();
    file[name] = value;
    file
}

fn without(file: &Value, name: &str) -> Value {
    let mut file = file.clone();
    file.as_object_mut().unwrap().remove(name);
    file
}

#[test]
fn every_known_form_of_a_key_file_is_the_same_key() {
    let stage = Stage::set(&[]);
    let file = stage.key_file("key-1");
    let pem = file["accessKey"].as_str().unwrap().to_owned();
    let url = file["adminRestApiUrl"].as_str().unwrap().to_owned();
    let (handle, plain) = stage.read(&key("key-1"), &file.to_string()).unwrap();
    assert_eq!(handle.as_str(), file["accessID"]);
    for (form, text) in [
        ("as downloaded, pretty", serde_json::to_string_pretty(&file).unwrap()),
        ("after a byte order mark", format!("\u{feff}{file}\r\n")),
        ("without a description", without(&file, "description").to_string()),
        ("with an empty description", with(&file, "description", "".into()).to_string()),
        ("with members that nobody knows", with(&file, "since", 1.into()).to_string()),
        ("with \\n in letters", with(&file, "accessKey", pem.replace('\n', "\\n").into()).to_string()),
        ("with \\r\\n in letters", with(&file, "accessKey", pem.replace('\n', "\\r\\n").into()).to_string()),
        ("with line breaks of Windows", with(&file, "accessKey", pem.replace('\n', "\r\n").into()).to_string()),
        ("on one line", with(&file, "accessKey", pem.replace('\n', "").into()).to_string()),
        ("with blanks for line breaks", with(&file, "accessKey", pem.replace('\n', " ").into()).to_string()),
        ("with /v1", with(&file, "adminRestApiUrl", format!("{url}/v1").into()).to_string()),
        ("with a slash", with(&file, "adminRestApiUrl", format!("{url}/").into()).to_string()),
    ] {
        let (again, secret) = stage.read(&key("key-1"), &text).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(again, handle, "{form}");
        let field = |name| secret.get(name).unwrap().expose_text().unwrap().to_owned();
        assert_eq!(field("accessKey"), plain.get("accessKey").unwrap().expose_text().unwrap(), "{form}");
        assert_eq!(field("accessKey"), pem, "{form}");
        // What is signed is addressed to the address as the file has it.
        assert!(field("adminRestApiUrl").starts_with(&url), "{form}");
    }
}

#[test]
fn a_file_that_is_not_the_one_is_refused_with_the_reason_and_never_quoted() {
    let stage = Stage::set(&[("oauth-clients", "1")]);
    let file = stage.key_file("key-1");
    let pem = file["accessKey"].as_str().unwrap().to_owned();
    let client = stage.login()["oauth_clients"][0]["client_file"].clone();
    let damaged = pem.replacen("MII", "???", 1);
    let cut = pem.split_at(pem.len() / 2).0.to_owned();
    let canary = "canary-1f0c";
    for (text, reason) in [
        (String::new(), "it is empty"),
        (canary.to_owned(), "it is no JSON (line 1, column 1)"),
        (format!("[\"{canary}\"]"), "but no object"),
        (pem.clone(), "bare key"),
        (json!({ "token": canary }).to_string(), "it lacks `customerName`, `accessID`, `accessKey`, `adminRestApiUrl`"),
        (without(&file, "accessKey").to_string(), "it lacks `accessKey`"),
        (with(&file, "accessID", 7.into()).to_string(), "`accessID`"),
        (with(&file, "accessID", "../v2".into()).to_string(), "no id"),
        (with(&file, "accessKey", canary.into()).to_string(), "has no line"),
        (with(&file, "accessKey", damaged.into()).to_string(), "not base64"),
        (with(&file, "accessKey", cut.into()).to_string(), "cut off"),
        (with(&file, "accessKey", pem.replace("RSA PRIVATE", "EC PRIVATE").into()).to_string(), "no RSA private key"),
        (with(&file, "accessKey", pem.replace("RSA PRIVATE", "PUBLIC").into()).to_string(), "public key"),
        (with(&file, "customerName", "globex".into()).to_string(), "key file of `globex`, and `acme`"),
        (with(&file, "adminRestApiUrl", "https://evil.example/AdminInterface/restapi".into()).to_string(), "endpoint"),
        (with(&file, "adminRestApiUrl", "evil".into()).to_string(), "no address"),
        (with(&file, "customerName", pem.clone().into()).to_string(), "key file of another one"),
        (client["private_key"].to_string(), "JSON Web Key of an OAuth client"),
    ] {
        let error = stage.read(&key("key-1"), &text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(error.kind == Kind::Invalid && said.contains(reason), "{reason}: {said}");
        assert!(!said.contains(canary) && !said.contains("MII") && !said.contains(&pem[100..120]), "{said}");
    }
}

/// Whatever becomes of a file on its way, it is read or refused in a sentence that holds nothing of the key.
#[test]
fn damaged_files_break_nothing_and_are_not_quoted() {
    let stage = Stage::set(&[("oauth-clients", "2")]);
    let login = stage.login();
    let mut chance = twin::Random::new(11);
    let files = [
        (key("key-1"), stage.key_file("key-1")),
        (of("oauth", "client-1"), login["oauth_clients"][0]["client_file"].clone()),
        (of("oauth", "client-2"), login["oauth_clients"][1]["client_file"].clone()),
    ];
    for (subject, file) in &files {
        let whole = file.to_string();
        let pieces: Vec<&str> = (0..whole.len() - 12).step_by(3).map(|at| &whole[at..at + 12]).collect();
        let secret = whole.find("accessKey").or(whole.find("\"d\"")).unwrap();
        let pieces: Vec<&str> = pieces.into_iter().skip(secret / 3 + 20).take(80).collect();
        for _ in 0..400 {
            let mut damaged = whole.clone().into_bytes();
            for _ in 0..=chance.below(3) {
                let at = chance.below(damaged.len() as u64) as usize;
                match chance.below(4) {
                    0 => damaged.truncate(at.max(1)),
                    1 => damaged[at] = chance.below(256) as u8,
                    2 => drop(damaged.drain(at..(at + 20).min(damaged.len()))),
                    _ => damaged.insert(at, b'\\'),
                }
            }
            let text = String::from_utf8_lossy(&damaged);
            if let Err(error) = stage.read(subject, &text) {
                let quoted = pieces.iter().find(|piece| error.message.contains(**piece));
                assert!(quoted.is_none(), "{error}");
            }
        }
    }
}

#[test]
fn an_oauth_client_comes_as_one_document() {
    let stage = Stage::set(&[("oauth-clients", "2")]);
    let clients = stage.login()["oauth_clients"].clone();
    for index in 0..2 {
        let file = clients[index]["client_file"].clone();
        let at = of("oauth", clients[index]["name"].as_str().unwrap());
        let (handle, secret) = stage.read(&at, &file.to_string()).unwrap();
        assert_eq!(handle.as_str(), file["client_id"]);
        assert!(secret.get("private_key").is_some());
        let as_text = with(&file, "private_key", file["private_key"].to_string().into());
        assert_eq!(stage.read(&at, &as_text.to_string()).unwrap().0, handle);
        let bare = stage.read(&at, &file["private_key"].to_string()).unwrap_err();
        assert!(bare.message.contains("hand over one JSON document"), "{bare}");
        let elsewhere = stage.read(&at, &with(&file, "issuer", "https://evil.example/oauth".into()).to_string());
        assert!(elsewhere.unwrap_err().message.contains("oauth_issuer"));
        let mut public = file.clone();
        public["private_key"].as_object_mut().unwrap().remove("d");
        assert!(stage.read(&at, &public.to_string()).unwrap_err().message.contains("public half"));
    }
}

#[test]
fn the_whole_file_can_be_delivered_as_one_document() {
    let edit = |table: &mut toml::Table| {
        table["keys"][1].as_table_mut().unwrap().insert("form".to_owned(), "file".into());
    };
    let stage = Stage::with(&[("one-line", "")], edit, |_| None);
    let file = stage.key_file("key-1");
    let (_, secret) = stage.read(&key("key-1"), &file.to_string()).unwrap();
    let document = secret.get("key_file").unwrap().expose_text().unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["accessKey"], file["accessKey"].as_str().unwrap().replace("\\n", "\n"));
    assert_eq!((secret.iter().count(), &document["accessID"]), (1, &file["accessID"]));
}
