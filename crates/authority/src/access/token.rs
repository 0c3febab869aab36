//! Words of the language: what the two forms, HCL and JSON, are made of.

use super::{
    place::Place,
    problem::{InvalidPolicy, Problem},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// In quotes.
    Text(String),
    /// Without quotes.
    Name(String),
    Number(String),
    Open,
    Close,
    OpenList,
    CloseList,
    Assign,
    Colon,
    Comma,
    End,
}

impl Word {
    /// As a person sees it in the text.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("the text \"{text}\""),
            Self::Name(name) => format!("`{name}`"),
            Self::Number(number) => format!("the number {number}"),
            Self::Open => "`{`".to_owned(),
            Self::Close => "`}`".to_owned(),
            Self::OpenList => "`[`".to_owned(),
            Self::CloseList => "`]`".to_owned(),
            Self::Assign => "`=`".to_owned(),
            Self::Colon => "`:`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end of the text".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) word: Word,
    pub(super) at: Place,
}

/// Splits a text into words; the last is [`Word::End`]. JSON has no comments.
pub(super) fn tokens(text: &str, comments: bool) -> Result<Vec<Token>, InvalidPolicy> {
    let mut scanner = Scanner { rest: text.chars().peekable(), at: Place { line: 1, column: 1 }, comments };
    let mut tokens = Vec::new();
    loop {
        scanner.skip()?;
        let at = scanner.at;
        let word = scanner.word()?;
        let is_end = word == Word::End;
        tokens.push(Token { word, at });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Scanner<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    at: Place,
    comments: bool,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.next()?;
        if character == '\n' {
            self.at = Place { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(character)
    }

    fn next_if(&mut self, wanted: impl FnOnce(char) -> bool) -> Option<char> {
        if self.rest.peek().is_some_and(|character| wanted(*character)) { self.next() } else { None }
    }

    /// White space and comments.
    fn skip(&mut self) -> Result<(), InvalidPolicy> {
        loop {
            let at = self.at;
            match self.rest.peek() {
                Some(' ' | '\t' | '\n' | '\r') => drop(self.next()),
                Some('#') if self.comments => self.skip_line(),
                Some('/') if self.comments => {
                    self.next();
                    match self.next() {
                        Some('/') => self.skip_line(),
                        Some('*') => self.skip_block(at)?,
                        _ => return Err(Problem::Character('/').at(at)),
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.next_if(|character| character != '\n').is_some() {}
    }

    fn skip_block(&mut self, begun: Place) -> Result<(), InvalidPolicy> {
        let mut star = false;
        loop {
            match self.next() {
                Some('/') if star => return Ok(()),
                Some(character) => star = character == '*',
                None => return Err(Problem::OpenComment.at(begun)),
            }
        }
    }

    fn word(&mut self) -> Result<Word, InvalidPolicy> {
        let at = self.at;
        let Some(first) = self.next() else { return Ok(Word::End) };
        Ok(match first {
            '{' => Word::Open,
            '}' => Word::Close,
            '[' => Word::OpenList,
            ']' => Word::CloseList,
            '=' => Word::Assign,
            ':' => Word::Colon,
            ',' => Word::Comma,
            '"' => Word::Text(self.quoted(at)?),
            '<' if self.rest.peek() == Some(&'<') => return Err(Problem::Heredoc.at(at)),
            '-' | '0'..='9' => self.number(first, at)?,
            character if character.is_alphabetic() || character == '_' => Word::Name(self.name(character)),
            character => return Err(Problem::Character(character).at(at)),
        })
    }

    fn name(&mut self, first: char) -> String {
        let mut name = String::from(first);
        let belongs = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        while let Some(character) = self.next_if(belongs) {
            name.push(character);
        }
        name
    }

    fn number(&mut self, first: char, at: Place) -> Result<Word, InvalidPolicy> {
        let mut number = String::from(first);
        let belongs = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '+' | '-');
        while let Some(character) = self.next_if(belongs) {
            number.push(character);
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = number.strip_prefix('-').unwrap_or(&number);
        let is_number = match unsigned.split_once('.') {
            // A leading zero would be octal to one server and not to the other.
            None => digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0')),
            Some((whole, fraction)) => digits(whole) && digits(fraction),
        };
        if is_number { Ok(Word::Number(number)) } else { Err(Problem::Number(number).at(at)) }
    }

    fn quoted(&mut self, begun: Place) -> Result<String, InvalidPolicy> {
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None | Some('\n') => return Err(Problem::OpenText.at(begun)),
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some('$') if self.rest.peek() == Some(&'{') => return Err(Problem::Interpolation.at(at)),
                Some(character) => text.push(character),
            }
        }
    }

    /// What both forms know. HCL's octal and byte escapes would make texts that are no UTF-8.
    fn escape(&mut self, at: Place) -> Result<char, InvalidPolicy> {
        let unknown = |text: String| Problem::Escape(text).at(at);
        let character = self.next().ok_or_else(|| unknown(String::new()))?;
        Ok(match character {
            '"' | '\\' | '/' => character,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'u' => {
                let digits: String = std::iter::from_fn(|| self.next_if(|c| c.is_ascii_hexdigit())).take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                code.and_then(char::from_u32).ok_or_else(|| unknown(format!("u{digits}")))?
            }
            other => return Err(unknown(other.to_string())),
        })
    }
}
