//! Where keys are delivered, and how applications read them there: our own store, and the emulator of AWS.

use std::collections::BTreeMap;

use components::{Server, moto};
use serde_json::{Value, json};

use crate::{consumer::Reader, http::Client, world::World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Local,
    Aws,
}

/// Has the policy deliver to these, in one place of each.
pub(super) fn deliver(world: &World, to: &[Destination]) -> Server {
    let aws = moto();
    let login = "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n";
    std::fs::write(world.folder().join("aws-login"), login).unwrap();
    let store = format!(
        r#"[[store]]
name = "aws"
driver = "aws_secrets_manager"
region = "eu-central-1"
endpoint = "{}"
credentials_file = "aws-login"

[[policy]]"#,
        aws.address()
    );
    world.reconfigure("[[policy]]", &store);
    let name = |one: &Destination| if *one == Destination::Aws { "aws" } else { "local" };
    let place = |one: &Destination| format!(r#"{{ store = "{}", path = "apigee/{{developer}}/{{app}}" }}"#, name(one));
    let places: Vec<String> = to.iter().map(place).collect();
    world.reconfigure(
        &format!("deliver = [{}]", place(&Destination::Local)),
        &format!("deliver = [{}]", places.join(", ")),
    );
    aws
}

const FIELDS: [&str; 2] = ["consumerKey", "consumerSecret"];

/// The applications' way to one of them.
pub(super) enum Place {
    Local(Reader),
    Aws(Caching),
}

impl Place {
    /// Key and secret. `None`: nothing was delivered there yet.
    pub(super) fn read(&mut self, path: &str) -> Option<[String; 2]> {
        match self {
            Self::Local(reader) => reader.read_fields(path, FIELDS),
            Self::Aws(caching) => caching.values.get(path).cloned(),
        }
    }
}

/// As AWS recommends to read: what is needed is kept for a while.
pub(super) struct Caching {
    address: String,
    values: BTreeMap<String, [String; 2]>,
}

impl Caching {
    /// One by one: at the emulator, reading many at once shows what is only pending.
    fn refresh(&mut self, paths: &[String]) {
        for path in paths {
            let value = self.ask("GetSecretValue", &json!({ "SecretId": path, "VersionStage": "AWSCURRENT" }));
            value.iter().for_each(|value| self.keep(value));
        }
    }

    fn keep(&mut self, value: &Value) {
        let fields: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
        let fields = FIELDS.map(|field| fields[field].as_str().unwrap().to_owned());
        self.values.insert(value["Name"].as_str().unwrap().to_owned(), fields);
    }

    /// What an application reads before Keyrota comes.
    fn create(&self, path: &str, [key, secret]: [&str; 2]) {
        let fields = json!({ FIELDS[0]: key, FIELDS[1]: secret }).to_string();
        assert!(self.ask("CreateSecret", &json!({ "Name": path, "SecretString": fields })).is_some(), "{path}");
    }

    fn ask(&self, operation: &str, body: &Value) -> Option<Value> {
        let target = format!("secretsmanager.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261123/eu-central-1/secretsmanager/aws4_request, \
                 SignedHeaders=host, Signature=0",
            ),
        ];
        // The emulator does not always answer on a connection that it has answered on before.
        let answer = Client::new(&self.address).call("POST", "/", &headers, &body.to_string());
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).unwrap())
    }
}

pub(super) struct Destinations(Vec<Place>);

impl Destinations {
    pub(super) fn local(world: &World) -> Self {
        Self(vec![Place::Local(Reader::new(world))])
    }

    pub(super) fn of(world: &World, aws: &Server, to: &[Destination]) -> Self {
        let place = |one: &Destination| match one {
            Destination::Local => Place::Local(Reader::new(world)),
            Destination::Aws => Place::Aws(Caching { address: aws.address(), values: BTreeMap::new() }),
        };
        Self(to.iter().map(place).collect())
    }

    /// Applications read these before Keyrota comes.
    pub(super) fn create<'a>(&self, all: impl Iterator<Item = (String, [&'a str; 2])>) {
        for (path, pair) in all {
            for place in &self.0 {
                if let Place::Aws(caching) = place {
                    caching.create(&path, pair);
                }
            }
        }
    }

    /// Caches are filled anew.
    pub(super) fn refresh(&mut self, paths: &[String]) {
        for place in &mut self.0 {
            if let Place::Aws(caching) = place {
                caching.refresh(paths);
            }
        }
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Place> {
        self.0.iter_mut()
    }

    /// As after a restart of the applications.
    pub(super) fn close(&mut self) {
        for place in &mut self.0 {
            if let Place::Local(reader) = place {
                reader.close();
            }
        }
    }
}
