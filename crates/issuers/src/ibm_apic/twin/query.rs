//! The parameters that lists and objects share: `limit`, `offset`, `fields`, `expand`.

use serde_json::{Map, Value, json};
use twin::Call;

use super::Refusal;

pub(super) type Object = Map<String, Value>;

/// What the platform answers to a list without `limit` is not published: small enough here that a client that never
/// says it loses something in the first test with a real estate.
const PAGE_DEFAULT: usize = 50;

pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(call: &Call) -> Self {
        Self(url::form_urlencoded::parse(call.query.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Refusal::new(400, format!("The value '{text}' of the parameter '{name}' is not valid."))
                })
            })
            .transpose()
    }

    pub(super) fn shape(&self) -> Shape {
        let fields = match self.get("fields") {
            None | Some("") => Fields::Default,
            Some(text) => match text.strip_prefix("add(").and_then(|rest| rest.strip_suffix(')')) {
                Some(added) => Fields::Added(names(added)),
                None => Fields::Only(names(text)),
            },
        };
        Shape { fields, expand: self.get("expand").map(names).unwrap_or_default() }
    }

    /// One page of a list, in its envelope. Only what is on the page is rendered.
    pub(super) fn page<T>(&self, items: &[T], render: impl FnMut(&T) -> Value) -> Result<Value, Refusal> {
        let offset = self.number("offset")?.unwrap_or(0);
        let limit = self.number("limit")?.unwrap_or(PAGE_DEFAULT);
        let results: Vec<Value> = items.iter().skip(offset).take(limit).map(render).collect();
        Ok(json!({ "total_results": items.len(), "results": results }))
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

enum Fields {
    Default,
    Only(Vec<String>),
    Added(Vec<String>),
}

/// Which members of an object a client wants to see.
pub(super) struct Shape {
    fields: Fields,
    expand: Vec<String>,
}

impl Shape {
    /// The object as it is by default.
    pub(super) fn whole() -> Self {
        Self { fields: Fields::Default, expand: Vec::new() }
    }

    /// Whether a costly member is wanted, which no object has by default.
    pub(super) fn adds(&self, name: &str) -> bool {
        match &self.fields {
            Fields::Default => false,
            Fields::Only(names) | Fields::Added(names) => names.iter().any(|wanted| wanted == name),
        }
    }

    /// Whether to embed an object. Where `fields` lists names, the embedded one must be among them: it is dropped
    /// without a word otherwise, as is an unknown name.
    pub(super) fn expands(&self, name: &str) -> bool {
        self.expand.iter().any(|wanted| wanted == name)
    }

    pub(super) fn cut(&self, mut object: Object) -> Value {
        if let Fields::Only(names) = &self.fields {
            object.retain(|name, _| names.contains(name));
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    #[track_caller]
    fn check_cut(text: &str, expected: &str) {
        let object: Object = [("a", 1), ("b", 2)].into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect();
        assert_eq!(query(text).shape().cut(object).to_string(), expected, "{text}");
    }

    #[test]
    fn fields_choose_and_add() {
        check_cut("", r#"{"a":1,"b":2}"#);
        check_cut("fields=a", r#"{"a":1}"#);
        check_cut("fields=b,%20a,zzz", r#"{"a":1,"b":2}"#);
        check_cut("fields=zzz", "{}");
        check_cut("fields=add(costly)", r#"{"a":1,"b":2}"#);
        assert!(query("fields=add(x,costly)").shape().adds("costly"));
        assert!(!query("").shape().adds("costly"));
        assert!(query("expand=a,b").shape().expands("b"));
    }

    #[test]
    fn a_page_counts_everything_and_holds_a_part() {
        let items: Vec<u32> = (0..120).collect();
        let page = |text: &str| {
            let page = query(text).page(&items, |n| json!(n)).unwrap_or_default();
            let results = page["results"].as_array().cloned().unwrap_or_default();
            (page["total_results"].clone(), results.len(), results.first().cloned())
        };
        assert_eq!(page(""), (json!(120), 50, Some(json!(0))));
        assert_eq!(page("limit=100&offset=100"), (json!(120), 20, Some(json!(100))));
        assert_eq!(page("offset=500"), (json!(120), 0, None));
        assert!(query("limit=all").page(&items, |n| json!(n)).is_err());
    }
}
