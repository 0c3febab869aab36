//! The JSON Schema of the whole file: our tables, with each driver's own keys merged in.

use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::tables::{AccessPolicyTable, IssuerTable, NotifierTable, PolicyTable, StoreTable, TopLevel};

/// The drivers there are. Comes from the lists in `issuers`, `stores` and `notifiers`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drivers<'a> {
    pub(crate) issuers: &'a [DriverWords],
    pub(crate) stores: &'a [DriverWords],
    pub(crate) notifiers: &'a [DriverWords],
}

/// What the configuration has to know of one driver.
#[derive(Debug, Clone)]
pub(crate) struct DriverWords {
    pub(crate) name: &'static str,
    /// What an issuer calls the parts of a credential's path; none for others.
    pub(crate) levels: &'static [&'static str],
    /// Of the driver's own keys.
    pub(crate) schema: Schema,
}

/// For `keyrota config schema`, and for editors that complete keys.
pub(crate) fn schema(drivers: &Drivers<'_>) -> Value {
    let mut definitions = Map::new();
    let mut root = schema_of::<TopLevel>("file", &mut definitions);
    let issuer = schema_of::<IssuerTable>("issuer", &mut definitions);
    let store = schema_of::<StoreTable>("store", &mut definitions);
    let policy = schema_of::<PolicyTable>("policy", &mut definitions);
    let notifier = schema_of::<NotifierTable>("notifier", &mut definitions);
    let access = schema_of::<AccessPolicyTable>("access_policy", &mut definitions);
    let lists = [
        ("issuer", one_of_drivers(&issuer, drivers.issuers, &mut definitions)),
        ("store", one_of_drivers(&store, drivers.stores, &mut definitions)),
        ("policy", Value::Object(policy)),
        ("notifier", one_of_drivers(&notifier, drivers.notifiers, &mut definitions)),
        ("access_policy", Value::Object(access)),
    ];
    let properties = entry_object(&mut root, "properties");
    for (kind, items) in lists {
        properties.insert(kind.to_owned(), json!({ "type": "array", "items": items }));
    }
    root.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".to_owned(), "keyrota.toml".into());
    root.insert("description".to_owned(), "Configuration of Keyrota".into());
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

/// The keys that a schema of a table knows, whatever alternatives it is made of.
pub(super) fn property_names(schema: &Schema) -> Vec<String> {
    let mut names = BTreeSet::new();
    let root = schema.as_value();
    collect_names(root, root, &mut names);
    names.into_iter().collect()
}

fn collect_names(root: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        names.extend(properties.keys().cloned());
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for alternative in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect_names(root, alternative, names);
        }
    }
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    if let Some(definition) = target.filter(|pointer| !pointer.is_empty()).and_then(|pointer| root.pointer(pointer)) {
        collect_names(root, definition, names);
    }
}

fn schema_of<T: JsonSchema>(owner: &str, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    hoist(schema.to_value(), owner, definitions)
}

/// Moves a schema's own `$defs` into the common ones. A definition that is there already with another content gets the
/// owner's name in front.
fn hoist(mut schema: Value, owner: &str, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let own = schema.as_object_mut().and_then(|object| object.remove("$defs"));
    for (name, definition) in own.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let is_taken = definitions.get(name).is_some_and(|other| other != definition);
        let target = if is_taken { format!("{owner}.{name}") } else { name.clone() };
        if is_taken {
            redirect(&mut schema, &format!("#/$defs/{name}"), &format!("#/$defs/{target}"));
        }
        definitions.insert(target, definition.clone());
    }
    match schema {
        Value::Object(mut object) => {
            object.remove("$schema");
            object.remove("title");
            object
        }
        _ => Map::new(),
    }
}

fn redirect(schema: &mut Value, from: &str, to: &str) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "$ref" && value == from {
                    *value = to.into();
                } else {
                    redirect(value, from, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, from, to)),
        _ => {}
    }
}

fn one_of_drivers(common: &Map<String, Value>, drivers: &[DriverWords], definitions: &mut Map<String, Value>) -> Value {
    let alternatives: Vec<Value> = drivers
        .iter()
        .map(|driver| {
            let mut own = hoist(driver.schema.clone().to_value(), driver.name, definitions);
            merge_common(&mut own, common, driver.name);
            own.insert("title".to_owned(), driver.name.into());
            Value::Object(own)
        })
        .collect();
    json!({ "oneOf": alternatives })
}

/// Adds the common keys to a driver's, in every alternative that it is made of.
fn merge_common(own: &mut Map<String, Value>, common: &Map<String, Value>, driver: &str) {
    for keyword in ["oneOf", "anyOf"] {
        if let Some(Value::Array(alternatives)) = own.get_mut(keyword) {
            for alternative in alternatives.iter_mut().filter_map(Value::as_object_mut) {
                merge_common(alternative, common, driver);
            }
            return;
        }
    }
    own.insert("type".to_owned(), "object".into());
    let properties = entry_object(own, "properties");
    for (key, value) in common.get("properties").and_then(Value::as_object).into_iter().flatten() {
        properties.insert(key.clone(), value.clone());
    }
    properties.insert("driver".to_owned(), json!({ "const": driver }));
    let mut required: Vec<Value> = common.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    required.extend(own.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    own.insert("required".to_owned(), Value::Array(required));
}

fn entry_object<'a>(object: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    match entry {
        Value::Object(inner) => inner,
        _ => unreachable!("made an object above"),
    }
}
