//! Values, properties and parameters.

use super::*;

impl Parser<'_> {
    /// A quoted string or a word.
    pub(super) fn value(&mut self) -> Res<Value> {
        match self.lex.quoted()? {
            Some(text) => Ok(Value::Quoted(text.to_owned())),
            None => Ok(Value::Token(self.lex.word("a value")?.text.into())),
        }
    }

    /// What follows the name of a property or parameter.
    pub(super) fn parm_value(&mut self) -> Res<ParmValue> {
        let relation = match self.lex.peek() {
            Some(b'=') => {
                self.lex.eat(b'=');
                return self.alternatives();
            }
            Some(b'>') => Relation::Greater,
            Some(b'<') => Relation::Smaller,
            Some(b'#') => Relation::Unequal,
            _ => return Err(self.lex.expected("'=' and a value")),
        };
        self.lex.expect(self.lex.peek().unwrap_or_default())?;
        Ok(ParmValue::Relation(relation, self.value()?))
    }

    fn alternatives(&mut self) -> Res<ParmValue> {
        let mut values = Vec::new();
        if self.lex.peek() == Some(b'{') {
            self.list(|p| {
                values.push(p.value()?);
                Ok(())
            })?;
            return Ok(ParmValue::Any(values));
        }
        if !self.lex.eat(b'[') {
            return Ok(ParmValue::One(self.value()?));
        }
        let first = self.value()?;
        if self.lex.eat(b':') {
            let last = self.value()?;
            self.lex.expect(b']')?;
            return Ok(ParmValue::Range(first, last));
        }
        values.push(first);
        if self.lex.eat(b',') {
            self.rest_of_list(b']', |p| {
                values.push(p.value()?);
                Ok(())
            })?;
        } else {
            self.lex.expect(b']')?;
        }
        Ok(ParmValue::All(values))
    }

    /// `package/property` and its value; an unpackaged name is an unknown property.
    pub(super) fn property(&mut self) -> Res<PropertyParm> {
        let word = self.lex.word("a property")?;
        match name::pkgd(word.text) {
            Some(name) => Ok(PropertyParm { name, value: self.parm_value()? }),
            None => Err(unknown(&self.lex, ErrorCode::UNKNOWN_PROPERTY, word.at, "property", word.text)),
        }
    }

    /// The value of a parameter whose name was read.
    pub(super) fn parm(&mut self, word: super::super::lex::Word<'_>) -> Res<Parm> {
        Ok(Parm { name: self.name_of(word, "a parameter name")?, value: self.parm_value()? })
    }

    /// `= ON` or `= OFF`.
    pub(super) fn on_off(&mut self) -> Res<bool> {
        self.choice("value", ErrorCode::UNSUPPORTED_VALUE, &[(token::ON, true), (token::OFF, false)])
    }

    /// `=` and one of a few tokens.
    pub(super) fn choice<T: Clone>(
        &mut self,
        what: &str,
        code: ErrorCode,
        choices: &[(token::Token, T)],
    ) -> Res<T> {
        self.lex.expect(b'=')?;
        let word = self.lex.word(what)?;
        match choices.iter().find(|(token, _)| token.is(word.text)) {
            Some((_, choice)) => Ok(choice.clone()),
            None => Err(unknown(&self.lex, code, word.at, what, word.text)),
        }
    }
}
