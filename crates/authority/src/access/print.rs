//! A policy as text, in the form that both servers and people read best.

use std::fmt;

use super::policy::{Policy, Rule, Value, ValueEntry};

/// HCL. Comments are lost; the old key `policy` becomes the capabilities that it means.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() && self.name.is_none() {
            return f.write_str("# grants nothing\n");
        }
        if let Some(name) = &self.name {
            writeln!(f, "name = {}", Quoted(name))?;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 || self.name.is_some() {
                f.write_str("\n")?;
            }
            rule.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "path {} {{", Quoted(&self.pattern))?;
        if let Some(capabilities) = self.capabilities {
            let words: Vec<String> = capabilities.iter().map(|capability| format!("\"{capability}\"")).collect();
            writeln!(f, "  capabilities = [{}]", words.join(", "))?;
        }
        for condition in &self.conditions {
            writeln!(f, "  {} = {}", condition.key, Indented(&condition.value, 1))?;
        }
        f.write_str("}\n")
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

struct Indented<'a>(&'a Value, usize);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, depth) = *self;
        match value {
            Value::Text(text) => Quoted(text).fmt(f),
            Value::Number(number) => f.write_str(number),
            Value::Bool(bool) => bool.fmt(f),
            Value::List(values) => {
                let values: Vec<String> = values.iter().map(|value| Indented(value, depth).to_string()).collect();
                write!(f, "[{}]", values.join(", "))
            }
            Value::Map(entries) if entries.is_empty() => f.write_str("{}"),
            Value::Map(entries) => {
                f.write_str("{\n")?;
                for ValueEntry { key, label, value } in entries {
                    let indent = "  ".repeat(depth + 1);
                    let value = Indented(value, depth + 1);
                    match label {
                        Some(label) => writeln!(f, "{indent}{} {} {value}", Quoted(key), Quoted(label))?,
                        None => writeln!(f, "{indent}{} = {value}", Quoted(key))?,
                    }
                }
                write!(f, "{}}}", "  ".repeat(depth))
            }
        }
    }
}
